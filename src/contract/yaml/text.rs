//! Text where cloud-init takes anything that Python's `str()` takes.

use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Error};

use super::value::Value;

/// Text that may have been written as a number, a boolean or a date: `hostname: 12`. It is what
/// Python's `str()` makes of it, so `yes` is `True` and `0644` is `420`.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer).map(Self)
    }
}

/// For `#[serde(deserialize_with = "yaml::text")]` on a `String`: as [`Text`].
///
/// # Errors
/// The deserializer's error for null, bytes, lists and mappings.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let value = Value::deserialize(deserializer)?;
    value.to_text().ok_or_else(|| {
        D::Error::custom(format_args!(
            "expected a string, found {}",
            value.kind.name()
        ))
    })
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Shows no text: it may be a secret.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹text›")
    }
}
