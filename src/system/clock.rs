//! The time of day and the machine's uptime, as people write them.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use contract::calendar::Utc;
use contract::machine::Probe;

/// Now, in UTC, as RFC 2822 writes it.
pub(crate) fn timestamp() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    rfc2822(now.map_or(0, |now| now.as_secs()))
}

/// Seconds since the kernel began (proc_uptime(5)), as it writes them; `??` if it does not say.
pub(crate) fn uptime(probe: &dyn Probe) -> String {
    let text = probe.read(Path::new("/proc/uptime")).ok().flatten();
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    text.split_whitespace().next().unwrap_or("??").to_owned()
}

fn rfc2822(seconds: u64) -> String {
    let utc = Utc::at(seconds);
    let (weekday, month) = (utc.weekday, utc.month_name());
    let date = format!("{weekday}, {:02} {month} {}", utc.day, utc.year);
    format!(
        "{date} {:02}:{:02}:{:02} +0000",
        utc.hour, utc.minute, utc.second
    )
}

#[cfg(test)]
mod tests {
    use contract::testing::FakeMachine;

    use super::*;

    #[test]
    fn times_are_written_as_in_a_letter() {
        #[rustfmt::skip]
        let table = [
            (0,              "Thu, 01 Jan 1970 00:00:00 +0000"),
            (951_827_696,    "Tue, 29 Feb 2000 12:34:56 +0000"),
            (1_795_613_400,  "Wed, 25 Nov 2026 13:30:00 +0000"),
        ];
        for (seconds, wanted) in table {
            assert_eq!(rfc2822(seconds), wanted);
        }
    }

    #[test]
    fn an_uptime_that_nobody_tells_is_no_number() {
        let machine = FakeMachine::with(&[("/proc/uptime", "12.34 99.0\n")]);
        assert_eq!(uptime(&machine), "12.34");
        assert_eq!(uptime(&FakeMachine::default()), "??");
    }
}
