//! Numbers that people write with a point, as exact as they are written.

/// A number from 0 that has at most nine digits behind its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    digits: u64,
    scale: u64,
}

impl Decimal {
    /// Reads `33`, `12.5` or `.5`; `None` if it is no such number.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !(is_number(whole) && is_number(part)) || whole.len() + part.len() == 0 {
            return None;
        }
        let power = u32::try_from(part.len()).ok().filter(|power| *power <= 9)?;
        let digits = format!("{whole}{part}").parse().ok()?;
        Some(Self {
            digits,
            scale: 10_u64.pow(power),
        })
    }

    /// So many times `units`, divided by `by`, rounded down; `None` if that is too large.
    pub(crate) fn of(self, units: u64, by: u64) -> Option<u64> {
        let all = u128::from(self.digits).checked_mul(u128::from(units))?;
        let by = u128::from(self.scale).checked_mul(u128::from(by))?;
        u64::try_from(all.checked_div(by)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_exact_and_rounded_down() {
        #[rustfmt::skip]
        let table = [
            ("50",           1001,      100,   Some(500)),
            ("33.3",         1000,      100,   Some(333)),
            (".5",           10,        1,     Some(5)),
            ("1.5",          1 << 30,   1,     Some(3 << 29)),
            ("0",            7,         1,     Some(0)),
            ("9999999999",   u64::MAX,  1,     None),
        ];
        for (text, units, by, wanted) in table {
            assert_eq!(
                Decimal::parse(text).unwrap().of(units, by),
                wanted,
                "{text}"
            );
        }
        for text in ["", ".", "-1", "1e3", "1.2.3", "nan", "1.0000000001", "1 "] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
