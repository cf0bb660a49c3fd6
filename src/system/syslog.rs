//! Lines for syslog(3) that the console gets as well, as logger(1) with `--stderr` writes them.

use std::os::unix::net::UnixDatagram;
use std::time::{SystemTime, UNIX_EPOCH};

use contract::machine::Change;

use crate::console;
use crate::host::Host;

/// Where syslog listens, which on most machines is the journal.
const SOCKET: &str = "/dev/log";
/// Facility user, severity info (RFC 3164, section 4.1.1), and who speaks: tools look for this name.
const PRIORITY: u8 = 14;
const TAG: &str = "cloud-init";

const SECONDS_A_DAY: u64 = 24 * 60 * 60;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

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
///
/// Source of the reckoning: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn stamp(seconds: u64) -> String {
    let (days, seconds) = (seconds / SECONDS_A_DAY, seconds % SECONDS_A_DAY);
    // Years begin in March here, so that a leap day is the last of its year; eras have 400 years.
    let day_of_era = (days + 719_468) % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let index = usize::try_from((month + 2) % 12).unwrap_or_default();
    let name = MONTHS.get(index).copied().unwrap_or_default();
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{name} {day:2} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_name_in_every_year() {
        #[rustfmt::skip]
        let table = [
            // `date -u -d @SECONDS '+%b %e %H:%M:%S'`
            (0,             "Jan  1 00:00:00"),
            (951_782_399,   "Feb 28 23:59:59"),
            (951_782_400,   "Feb 29 00:00:00"),
            (951_868_800,   "Mar  1 00:00:00"),
            (1_709_164_799, "Feb 28 23:59:59"),
            (1_767_225_599, "Dec 31 23:59:59"),
            (1_767_225_600, "Jan  1 00:00:00"),
            (4_107_542_400, "Mar  1 00:00:00"), // 2100 has no leap day
        ];
        for (seconds, text) in table {
            assert_eq!(stamp(seconds), text, "{seconds}");
        }
    }
}
