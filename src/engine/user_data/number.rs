//! Numbers in text, as Python's `int()` reads them.

/// White space around it, a sign, and a `_` between two digits are taken; `None` if it is no number,
/// or one that nothing here could ever be.
pub(crate) fn int(text: &str) -> Option<i128> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let grouped = digits
        .split('_')
        .all(|group| !group.is_empty() && group.bytes().all(|digit| digit.is_ascii_digit()));
    let plain = || text.replace('_', "").parse().ok();
    grouped.then(plain).flatten()
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_those_of_python() {
        #[rustfmt::skip]
        let table = [
            ("10",    Some(10)), (" 10\n", Some(10)), ("+10",  Some(10)), ("-1", Some(-1)),
            ("1_0",   Some(10)), ("0010",  Some(10)), ("1__0", None),     ("_10", None),
            ("10_",   None),     ("+_1",   None),     ("1.0",  None),     ("",    None),
            ("+-1",   None),     ("0x10",  None),     ("1 0",  None),
        ];
        for (text, want) in table {
            assert_eq!(super::int(text), want, "{text:?}");
        }
    }
}
