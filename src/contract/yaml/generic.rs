//! A [`Value`] from any serde format: from ours with its places, from others without.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::handover::{self, Found};
use super::value::{Kind, Mapping, Value};

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        find(deserializer).map(|found| found.value)
    }
}

/// The value and, if our deserializer gives it, the path to it.
pub(super) fn find<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Found, D::Error> {
    deserializer.deserialize_newtype_struct(handover::VALUE, AnyValue)
}

struct AnyValue;

impl AnyValue {
    fn found<E>(kind: impl Into<Kind>) -> Result<Found, E> {
        let value = Value::new(kind.into(), handover::nowhere());
        Ok(Found {
            value,
            path: String::new(),
        })
    }
}

impl<'de> Visitor<'de> for AnyValue {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Found, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        handover::take_value().map_or_else(|| Self::found(Kind::Null), Ok)
    }

    fn visit_none<E>(self) -> Result<Found, E> {
        Self::found(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Found, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Found, E> {
        Self::found(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Found, E> {
        Self::found(i128::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Found, E> {
        Self::found(i128::from(value))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Found, E> {
        Self::found(value)
    }

    fn visit_u128<E>(self, value: u128) -> Result<Found, E> {
        match i128::try_from(value) {
            Ok(value) => Self::found(value),
            Err(_) => Self::found(Kind::BigInt(value.to_string())),
        }
    }

    fn visit_f64<E>(self, value: f64) -> Result<Found, E> {
        Self::found(Kind::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Found, E> {
        Self::found(text)
    }

    fn visit_string<E>(self, text: String) -> Result<Found, E> {
        Self::found(text)
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Found, E> {
        Self::found(Kind::Bytes(bytes.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Found, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_element::<Value>()? {
            entries.push(entry);
        }
        Self::found(Kind::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Found, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = access.next_entry::<Value, Value>()? {
            pairs.push(pair);
        }
        Self::found(Kind::Map(pairs.into_iter().collect::<Mapping>()))
    }
}
