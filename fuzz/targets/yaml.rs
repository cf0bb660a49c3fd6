//! YAML: what is read, is written so that it is read again as the same.

use contract::yaml::{self, Limits};

use super::support;

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(document) = yaml::parse(text, "fuzz", &Limits::default()) else {
        return;
    };
    let written = yaml::to_string(&document.value);
    match yaml::parse(&written, "written", &Limits::default()) {
        Ok(again) => assert!(
            support::same(&again.value, &document.value),
            "written as\n{written}\n{:?}\n{:?}",
            document.value,
            again.value
        ),
        Err(error) => panic!("cannot be read again: {error}\n{written}"),
    }
}
