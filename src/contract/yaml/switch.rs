//! A boolean where cloud-init takes words for it, too.

use serde::de::{Deserialize, Deserializer, Error};

use super::value::Value;

/// True or false, or a word or number for it: `on`, `yes`, `1`, in quotes or not.
///
/// Source: cloud-init, `cloudinit/util.py` (`is_true`, `is_false`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Switch(pub bool);

impl Switch {
    /// What a value says; `None` if it is no word for either.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        let word = value.to_text()?.trim().to_ascii_lowercase();
        match word.as_str() {
            "1" | "true" | "on" | "yes" => Some(Self(true)),
            "0" | "false" | "off" | "no" => Some(Self(false)),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::of(&value).ok_or_else(|| {
            let found = value.kind.name();
            D::Error::custom(format_args!("expected true or false, found {found}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config;

    #[test]
    fn words_for_true_and_false_count_and_others_do_not() {
        #[rustfmt::skip]
        let table = [
            ("x: true",   Some(true)),
            ("x: 'ON'",   Some(true)),
            ("x: 1",      Some(true)),
            ("x: no",     Some(false)),
            ("x: 'off '", Some(false)),
            ("x: 2",      None),
            ("x: maybe",  None),
            ("x: [true]", None),
        ];
        for (text, wanted) in table {
            let found = Switch::of(config(text).get("x").unwrap());
            assert_eq!(found.map(|switch| switch.0), wanted, "{text}");
        }
    }
}
