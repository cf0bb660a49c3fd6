//! Lines for syslog(3) that the console gets as well, as logger(1) with `--stderr` writes them.

use std::os::unix::net::UnixDatagram;
use std::time::{SystemTime, UNIX_EPOCH};

use contract::calendar::Utc;
use contract::machine::Change;

use crate::console;
use crate::host::Host;

/// Where syslog listens, which on most machines is the journal.
const SOCKET: &str = "/dev/log";
/// Facility user, severity info (RFC 3164, section 4.1.1), and who speaks: tools look for this name.
const PRIORITY: u8 = 14;
const TAG: &str = "cloud-init";

/// Tells each line to syslog, and writes all of them to the console.
pub(crate) fn write(host: &Host, text: &str) -> Change {
    if let Some(why) = console::why_not(host) {
        return Change::NotDone(why);
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let stamp = stamp(since.unwrap_or_default().as_secs());
    let lines: Vec<String> = text
        .lines()
        .map(|line| format!("<{PRIORITY}>{stamp} {TAG}: {line}"))
        .collect();
    if let Ok(socket) = UnixDatagram::unbound() {
        for line in &lines {
            // The console has it; not every machine has a syslog.
            let _ = socket.send_to(line.as_bytes(), SOCKET);
        }
    }
    console::write(host, &(lines.join("\n") + "\n"))
}

/// `Oct  2 07:05:09`, in UTC. `seconds` are those since 1970.
fn stamp(seconds: u64) -> String {
    let utc = Utc::at(seconds);
    let (month, day) = (utc.month_name(), utc.day);
    format!(
        "{month} {day:2} {:02}:{:02}:{:02}",
        utc.hour, utc.minute, utc.second
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_as_long_on_every_day() {
        assert_eq!(stamp(951_782_399), "Feb 28 23:59:59");
        assert_eq!(stamp(1_767_225_600), "Jan  1 00:00:00");
    }
}
