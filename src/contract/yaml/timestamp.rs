//! YAML 1.1 dates. Source: <https://yaml.org/type/timestamp.html>, as `PyYAML` 6 reads it.

/// Whether a plain scalar has the form of a date or of a date with a time of day.
pub(super) fn is_timestamp(text: &str) -> bool {
    match Parts::of(text) {
        // A date alone needs two digits everywhere.
        Some(parts) if parts.time.is_none() => text.len() == 10,
        Some(_) => true,
        None => false,
    }
}

/// Whether a text with the form of a date names one that exists.
pub(super) fn exists(text: &str) -> bool {
    Parts::of(text).is_some_and(|parts| parts.exist())
}

struct Parts {
    date: [u32; 3],
    time: Option<[u32; 3]>,
    offset: Option<[u32; 2]>,
}

impl Parts {
    fn of(text: &str) -> Option<Self> {
        let mut rest = Cursor(text);
        let date = [
            rest.digits(4, 4)?,
            rest.after(&['-'])?.digits(1, 2)?,
            rest.after(&['-'])?.digits(1, 2)?,
        ];
        if rest.0.is_empty() {
            return Some(Self {
                date,
                time: None,
                offset: None,
            });
        }
        if rest.after(&['T', 't']).is_none() && !rest.skip_blanks() {
            return None;
        }
        let time = [
            rest.digits(1, 2)?,
            rest.after(&[':'])?.digits(2, 2)?,
            rest.after(&[':'])?.digits(2, 2)?,
        ];
        if rest.after(&['.']).is_some() {
            rest.0 = rest.0.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        rest.skip_blanks();
        if rest.after(&['Z']).is_some() || rest.0.is_empty() {
            return rest.0.is_empty().then_some(Self {
                date,
                time: Some(time),
                offset: None,
            });
        }
        rest.after(&['+', '-'])?;
        let hours = rest.digits(1, 2)?;
        let minutes = if rest.0.is_empty() {
            0
        } else {
            rest.after(&[':'])?.digits(2, 2)?
        };
        rest.0.is_empty().then_some(Self {
            date,
            time: Some(time),
            offset: Some([hours, minutes]),
        })
    }

    fn exist(&self) -> bool {
        let [year, month, day] = self.date;
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        let [hour, minute, second] = self.time.unwrap_or_default();
        let [offset_hours, offset_minutes] = self.offset.unwrap_or_default();
        year >= 1
            && (1..=days).contains(&day)
            && (hour < 24 && minute < 60 && second < 60)
            && offset_hours * 60 + offset_minutes < 24 * 60
    }
}

struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let run = self
            .0
            .bytes()
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        let (digits, rest) = self.0.split_at_checked(run)?;
        self.0 = rest;
        if run < least {
            None
        } else {
            digits.parse().ok()
        }
    }

    fn after(&mut self, marks: &[char]) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(marks)?;
        Some(self)
    }

    fn skip_blanks(&mut self) -> bool {
        let rest = self.0.trim_start_matches([' ', '\t']);
        let skipped = rest.len() < self.0.len();
        self.0 = rest;
        skipped
    }
}
