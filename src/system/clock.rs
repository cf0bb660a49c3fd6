//! The time of day and the machine's uptime, as people write them.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use contract::machine::Probe;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

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
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let name = |names: &[&'static str], index: u64| {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        names.get(index).copied().unwrap_or("")
    };
    let (weekday, month) = (name(&DAYS, days % 7), name(&MONTHS, month - 1));
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} +0000")
}

/// Year, month and day of a day since 1970. Source: Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms", `civil_from_days`.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + u64::from(month <= 2);
    (year, month, day - (153 * shifted + 2) / 5 + 1)
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
