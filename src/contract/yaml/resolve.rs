//! From a scalar's text and tag to its value, by the rules of YAML 1.1.

use super::number;
use super::timestamp;
use super::value::Kind;
use crate::base64;

/// The tags that a safe loader knows, without their prefix `tag:yaml.org,2002:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Null,
    Bool,
    Int,
    Float,
    Binary,
    Timestamp,
    Str,
    Seq,
    Map,
    Set,
    Omap,
    Pairs,
    /// `<<`
    Merge,
    /// `=`
    Default,
}

impl Tag {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::Null,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "float" => Self::Float,
            "binary" => Self::Binary,
            "timestamp" => Self::Timestamp,
            "str" => Self::Str,
            "seq" => Self::Seq,
            "map" => Self::Map,
            "set" => Self::Set,
            "omap" => Self::Omap,
            "pairs" => Self::Pairs,
            "merge" => Self::Merge,
            "value" => Self::Default,
            _ => return None,
        })
    }

    /// The tag that a plain scalar has by its looks.
    pub(super) fn of_plain(text: &str) -> Self {
        match text {
            "yes" | "Yes" | "YES" | "no" | "No" | "NO" | "true" | "True" | "TRUE" | "false"
            | "False" | "FALSE" | "on" | "On" | "ON" | "off" | "Off" | "OFF" => Self::Bool,
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "<<" => Self::Merge,
            "=" => Self::Default,
            _ if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => Self::Str,
            _ if number::is_float(text) => Self::Float,
            _ if number::is_int(text) => Self::Int,
            _ if timestamp::is_timestamp(text) => Self::Timestamp,
            _ => Self::Str,
        }
    }

    /// The value that a scalar's text has under this tag; else what was expected.
    pub(super) fn scalar(self, text: &str) -> Result<Kind, &'static str> {
        match self {
            Self::Null => Ok(Kind::Null),
            Self::Bool => bool_of(text).map(Kind::Bool).ok_or("expected a boolean"),
            Self::Int => number::int(text).ok_or("expected an integer"),
            Self::Float => number::float(text)
                .map(Kind::Float)
                .ok_or("expected a number"),
            Self::Binary => base64::decode(text)
                .map(Kind::Bytes)
                .ok_or("expected base64"),
            Self::Timestamp if timestamp::exists(text) => Ok(Kind::Timestamp(text.to_owned())),
            Self::Timestamp => Err("expected a date that exists"),
            Self::Str | Self::Default => Ok(Kind::String(text.to_owned())),
            Self::Seq | Self::Omap | Self::Pairs => Err("expected a list"),
            Self::Map | Self::Set => Err("expected a mapping"),
            Self::Merge => Err("`<<` is only for the keys of mappings"),
        }
    }
}

fn bool_of(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" => Some(true),
        "no" | "false" | "off" => Some(false),
        _ => None,
    }
}
