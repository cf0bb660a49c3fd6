//! Why a value is not what a typed section wants.

use std::fmt::Display;

use serde::de::{self, Expected, Unexpected};

use crate::place::Place;

/// Why a value cannot be decoded. Names keys and types, never the value: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{message}", prefix(.place.as_ref()), prefix(path_of(.path)))]
pub struct DecodeError {
    /// Where the value stands, if it has a place.
    pub place: Option<Place>,
    /// Which value it is, such as `users[1].name`; empty for the whole.
    pub path: String,
    /// What was expected.
    pub message: String,
}

impl DecodeError {
    /// An error that does not know its place yet; decoding adds place and path.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            place: None,
            path: String::new(),
            message: message.into(),
        }
    }

    /// The same error, said of what stands under `path`.
    #[must_use]
    pub fn under(mut self, path: &str) -> Self {
        self.path = match self.path.as_str() {
            "" => path.to_owned(),
            own if path.is_empty() || own.starts_with('[') => format!("{path}{own}"),
            own => format!("{path}.{own}"),
        };
        self
    }
}

impl de::Error for DecodeError {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found {}", type_of(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!(
            "expected {expected}, found another value ({})",
            type_of(found)
        ))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("expected {}", one_of(expected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!(
            "unknown key `{field}`, expected {}",
            one_of(expected)
        ))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("missing key `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("key `{field}` is given twice"))
    }
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [name] => format!("`{name}`"),
        names => format!("one of `{}`", names.join("`, `")),
    }
}

const fn type_of(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "nothing",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a mapping",
        _ => "something else",
    }
}

fn path_of(path: &str) -> Option<&str> {
    (!path.is_empty()).then_some(path)
}

fn prefix(part: Option<impl Display>) -> String {
    part.map(|part| format!("{part}: ")).unwrap_or_default()
}
