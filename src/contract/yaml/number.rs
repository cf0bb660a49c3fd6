//! YAML 1.1 numbers: which plain scalars are numbers, and which number each is.
//!
//! Source: the types `int` and `float` at <https://yaml.org/type/>, as `PyYAML` 6 reads them: a
//! float needs a point and its exponent a sign, `0o` is not a number.

use super::value::{Integer, Kind, Notation};

/// Whether a plain scalar is a whole number.
pub(super) fn is_int(text: &str) -> bool {
    let digits = unsigned(text);
    if let Some(binary) = digits.strip_prefix("0b") {
        return all(binary, |c| matches!(c, '0' | '1' | '_'));
    }
    if let Some(hex) = digits.strip_prefix("0x") {
        return all(hex, |c| c.is_ascii_hexdigit() || c == '_');
    }
    if let Some(octal) = digits.strip_prefix('0') {
        return octal.is_empty() || all(octal, |c| matches!(c, '0'..='7' | '_'));
    }
    let (whole, sixtieths) = digits
        .split_once(':')
        .map_or((digits, None), |(w, s)| (w, Some(s)));
    starts_with_digit(whole)
        && all(whole, digit_or_underscore)
        && sixtieths.is_none_or(|parts| parts.split(':').all(is_sixtieth))
}

/// Whether a plain scalar is a number with a point.
pub(super) fn is_float(text: &str) -> bool {
    let number = unsigned(text);
    if matches!(number, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let Some((whole, rest)) = number.split_once('.') else {
        return false;
    };
    if let Some((first, sixtieths)) = whole.split_once(':') {
        return starts_with_digit(first)
            && all(first, digit_or_underscore)
            && sixtieths.split(':').all(is_sixtieth)
            && rest.chars().all(digit_or_underscore);
    }
    let (fraction, exponent) = match rest.find(['e', 'E']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let whole_fits = if whole.is_empty() {
        number == text && starts_with_digit(fraction)
    } else {
        starts_with_digit(whole) && all(whole, digit_or_underscore)
    };
    whole_fits && fraction.chars().all(digit_or_underscore) && is_exponent(exponent)
}

/// The whole number that a text says, or `None` if it says none.
pub(super) fn int(text: &str) -> Option<Kind> {
    let clean = text.replace('_', "");
    let digits = unsigned(&clean);
    let sign = if clean.starts_with('-') { -1 } else { 1 };
    let (value, notation) = if let Some(binary) = digits.strip_prefix("0b") {
        (radix(binary, 2)?, Notation::Binary)
    } else if let Some(hex) = digits.strip_prefix("0x") {
        (radix(hex, 16)?, Notation::Hexadecimal)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (radix(digits, 8)?, Notation::Octal)
    } else if digits.contains(':') {
        (sexagesimal(digits)?, Notation::Sexagesimal)
    } else {
        (radix(digits, 10)?, Notation::Decimal)
    };
    Some(match value {
        Some(value) => Kind::Int(Integer::new(sign * value, notation)),
        None => Kind::BigInt(clean),
    })
}

/// The number with a point that a text says, or `None` if it says none.
pub(super) fn float(text: &str) -> Option<f64> {
    let clean = text.replace('_', "").to_ascii_lowercase();
    let number = unsigned(&clean);
    let sign = if clean.starts_with('-') { -1.0 } else { 1.0 };
    let value = match number {
        ".inf" => f64::INFINITY,
        ".nan" => f64::NAN,
        _ => number.split(':').try_fold(0.0, |sum, part| {
            // `inf` and `nan` without a point are words to YAML.
            let numeric = all(part, |c| {
                c.is_ascii_digit() || matches!(c, '.' | 'e' | '-' | '+')
            });
            part.parse::<f64>()
                .ok()
                .filter(|_| numeric)
                .map(|part| sum * 60.0 + part)
        })?,
    };
    Some(sign * value)
}

/// `None`: no number. `Some(None)`: a number too large.
fn radix(digits: &str, base: u32) -> Option<Option<i128>> {
    all(digits, |c| c.is_digit(base)).then(|| i128::from_str_radix(digits, base).ok())
}

fn sexagesimal(digits: &str) -> Option<Option<i128>> {
    let parts: Vec<Option<i128>> = digits
        .split(':')
        .map(|part| radix(part, 10))
        .collect::<Option<_>>()?;
    Some(
        parts
            .into_iter()
            .try_fold(0_i128, |sum, part| sum.checked_mul(60)?.checked_add(part?)),
    )
}

fn is_sixtieth(part: &str) -> bool {
    match part.as_bytes() {
        [ones] => ones.is_ascii_digit(),
        [tens, ones] => matches!(tens, b'0'..=b'5') && ones.is_ascii_digit(),
        _ => false,
    }
}

fn is_exponent(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(['e', 'E'])
            .and_then(|rest| rest.strip_prefix(['-', '+']))
            .is_some_and(|digits| all(digits, |c| c.is_ascii_digit()))
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

const fn digit_or_underscore(c: char) -> bool {
    c.is_ascii_digit() || c == '_'
}

fn all(text: &str, fits: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(fits)
}
