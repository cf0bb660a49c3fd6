//! A [`Value`] to any serde format, such as JSON for `query`. Places are left out.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::value::{Kind, Mapping, Value};
use crate::base64;

/// The value as one line of JSON; `None` if it says what JSON cannot.
#[must_use]
pub fn to_json(value: &Value) -> Option<String> {
    serde_json::to_string(value).ok()
}

/// Bytes become base64 text, dates and huge integers their text, keys that are not text their
/// text as Python's `str()` gives it.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.kind {
            Kind::Null => serializer.serialize_unit(),
            Kind::Bool(value) => serializer.serialize_bool(*value),
            Kind::Int(int) => match (u64::try_from(int.value), i64::try_from(int.value)) {
                (Ok(value), _) => serializer.serialize_u64(value),
                (_, Ok(value)) => serializer.serialize_i64(value),
                _ => serializer.serialize_str(&int.value.to_string()),
            },
            Kind::Float(float) => serializer.serialize_f64(*float),
            Kind::BigInt(text) | Kind::String(text) | Kind::Timestamp(text) => {
                serializer.serialize_str(text)
            }
            Kind::Bytes(bytes) => serializer.serialize_str(&base64::encode(bytes)),
            Kind::List(entries) => serializer.collect_seq(entries),
            Kind::Map(mapping) => mapping.serialize(serializer),
        }
    }
}

impl Serialize for Mapping {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter() {
            let name = match &key.kind {
                Kind::Bytes(bytes) => base64::encode(bytes),
                Kind::Null => "null".to_owned(),
                other => key.to_text().unwrap_or_else(|| other.name().to_owned()),
            };
            map.serialize_entry(&name, value)?;
        }
        map.end()
    }
}
