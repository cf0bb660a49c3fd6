//! A moment in UTC as people and protocols write it: the Gregorian calendar, and no clock.

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const SECONDS_A_DAY: u64 = 86_400;

/// A moment, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utc {
    /// From 1970.
    pub year: u64,
    /// From 1 to 12.
    pub month: u64,
    /// From 1 to 31.
    pub day: u64,
    /// From 0 to 23.
    pub hour: u64,
    /// From 0 to 59.
    pub minute: u64,
    /// From 0 to 59.
    pub second: u64,
    /// `Thu`
    pub weekday: &'static str,
}

impl Utc {
    /// So many seconds after the beginning of 1970.
    ///
    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    #[must_use]
    pub fn at(seconds: u64) -> Self {
        let (since, rest) = (seconds / SECONDS_A_DAY, seconds % SECONDS_A_DAY);
        // Counted from 0000-03-01, so that a leap day is the last of its year; eras have 400 years.
        let days = since + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let of_year = day - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = (shifted + 2) % 12 + 1;
        Self {
            year: era * 400 + year + u64::from(month <= 2),
            month,
            day: of_year - (153 * shifted + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: name(&WEEKDAYS, since % 7),
        }
    }

    /// `Jan`
    #[must_use]
    pub fn month_name(&self) -> &'static str {
        name(&MONTHS, self.month - 1)
    }

    /// `Wed, 25 Nov 2026 13:30:00 +0000`, as RFC 2822 writes it.
    #[must_use]
    pub fn rfc2822(&self) -> String {
        let (weekday, month) = (self.weekday, self.month_name());
        let date = format!("{weekday}, {:02} {month} {}", self.day, self.year);
        format!(
            "{date} {:02}:{:02}:{:02} +0000",
            self.hour, self.minute, self.second
        )
    }
}

/// The days from the beginning of 1970 to a date `YYYY-MM-DD` from then on; `None` if there is no
/// such day.
#[must_use]
pub fn days_to(date: &str) -> Option<u64> {
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    // As in `at`: a year begins in March.
    let (before, shifted) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let of_year = (153 * shifted + 2) / 5 + day.checked_sub(1)?;
    let days = 365 * before + before / 4 - before / 100 + before / 400 + of_year - 719_468;
    let found = Utc::at(days * SECONDS_A_DAY);
    ((found.year, found.month, found.day) == (year, month, day)).then_some(days)
}

fn name(names: &[&'static str], index: u64) -> &'static str {
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    names.get(index).copied().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_so_many_days_after_the_beginning_of_1970() {
        #[rustfmt::skip]
        let table = [
            ("1970-01-01", Some(0)),
            ("1970-03-01", Some(59)),
            ("2000-02-29", Some(11_016)),
            ("2040-01-01", Some(25_567)),
            ("2100-03-01", Some(47_541)),
            ("9999-12-31", Some(2_932_896)),
            ("2100-02-29", None),
            ("2040-04-31", None),
            ("2040-13-01", None),
            ("2040-00-01", None),
            ("2040-01-00", None),
            ("1969-12-31", None),
            ("2040-01",    None),
            ("tomorrow",   None),
            ("",           None),
        ];
        for (date, wanted) in table {
            assert_eq!(days_to(date), wanted, "{date}");
        }
    }

    #[test]
    fn times_are_written_as_in_a_letter() {
        #[rustfmt::skip]
        let table = [
            (0,              "Thu, 01 Jan 1970 00:00:00 +0000"),
            (951_827_696,    "Tue, 29 Feb 2000 12:34:56 +0000"),
            (1_795_613_400,  "Wed, 25 Nov 2026 13:30:00 +0000"),
        ];
        for (seconds, wanted) in table {
            assert_eq!(Utc::at(seconds).rfc2822(), wanted);
        }
    }

    #[test]
    fn a_day_has_its_name_in_every_year() {
        #[rustfmt::skip]
        let table = [
            // `date -u -d @SECONDS '+%a %Y %b %-d %-H:%-M:%-S'`
            (0,             "Thu 1970 Jan 1 0:0:0"),
            (951_782_399,   "Mon 2000 Feb 28 23:59:59"),
            (951_782_400,   "Tue 2000 Feb 29 0:0:0"),
            (951_868_800,   "Wed 2000 Mar 1 0:0:0"),
            (1_709_164_799, "Wed 2024 Feb 28 23:59:59"),
            (1_767_225_599, "Wed 2025 Dec 31 23:59:59"),
            (1_767_225_600, "Thu 2026 Jan 1 0:0:0"),
            (4_107_542_400, "Mon 2100 Mar 1 0:0:0"), // 2100 has no leap day
        ];
        for (seconds, wanted) in table {
            let utc = Utc::at(seconds);
            let (weekday, month) = (utc.weekday, utc.month_name());
            let written = format!(
                "{weekday} {} {month} {} {}:{}:{}",
                utc.year, utc.day, utc.hour, utc.minute, utc.second
            );
            assert_eq!(written, wanted, "{seconds}");
        }
    }
}
