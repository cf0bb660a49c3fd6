//! The time of day and the machine's uptime, as people write them.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use contract::calendar::Utc;
use contract::machine::Probe;

/// Now, in UTC, as RFC 2822 writes it.
pub(crate) fn timestamp() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Utc::at(now.map_or(0, |now| now.as_secs())).rfc2822()
}

/// Seconds since the kernel began (proc_uptime(5)), as it writes them; `??` if it does not say.
pub(crate) fn uptime(probe: &dyn Probe) -> String {
    let text = probe.read(Path::new("/proc/uptime")).ok().flatten();
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    text.split_whitespace().next().unwrap_or("??").to_owned()
}

#[cfg(test)]
mod tests {
    use contract::testing::FakeMachine;

    use super::*;

    #[test]
    fn an_uptime_that_nobody_tells_is_no_number() {
        let machine = FakeMachine::with(&[("/proc/uptime", "12.34 99.0\n")]);
        assert_eq!(uptime(&machine), "12.34");
        assert_eq!(uptime(&FakeMachine::default()), "??");
    }
}
