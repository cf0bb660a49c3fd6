//! JSON (RFC 8259) as values that know where they stand.

use contract::place::Place;
use contract::yaml::{self, Kind, Limits, Mapping, Value};
use serde_json::Value as Json;

/// Reads a JSON text; `source` names it and `first_line` is the line at which it begins.
///
/// # Errors
/// Where it stops being JSON.
pub(crate) fn parse(text: &str, source: &str, first_line: u32) -> Result<Value, Place> {
    let json: Json = serde_json::from_str(text).map_err(|error| {
        let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
        Place::new(
            source,
            line.saturating_add(first_line.max(1)).saturating_sub(1),
            u32::try_from(error.column()).unwrap_or(u32::MAX),
        )
    })?;
    // JSON is YAML but for odd escapes and numbers, so its reader knows the places.
    let known = yaml::parse_at(text, source, first_line.max(1), &Limits::default());
    let whole = Place::whole(source);
    Ok(placed(
        json,
        known.ok().map(|document| document.value),
        &whole,
    ))
}

/// What JSON says, where YAML found it.
fn placed(json: Json, known: Option<Value>, whole: &Place) -> Value {
    let (known, place) = match known {
        Some(value) => (Some(value.kind), value.place),
        None => (None, whole.clone()),
    };
    let kind = match (json, known) {
        (Json::Null, _) => Kind::Null,
        (Json::Bool(value), _) => Kind::Bool(value),
        (Json::String(text), _) => Kind::String(text),
        (Json::Number(_), Some(number @ (Kind::Int(_) | Kind::BigInt(_)))) => number,
        (Json::Number(number), _) => match number.as_i128() {
            Some(int) => Kind::from(int),
            None => Kind::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        (Json::Array(entries), known) => {
            let known = match known {
                Some(Kind::List(list)) if list.len() == entries.len() => list,
                _ => Vec::new(),
            };
            let mut known = known.into_iter();
            let entries = entries.into_iter();
            Kind::List(
                entries
                    .map(|entry| placed(entry, known.next(), whole))
                    .collect(),
            )
        }
        (Json::Object(mut map), known) => {
            let mut pairs = Vec::with_capacity(map.len());
            if let Some(Kind::Map(known)) = known {
                for (key, value) in known {
                    if let Some(json) = key.as_str().and_then(|name| map.remove(name)) {
                        pairs.push((key, placed(json, Some(value), whole)));
                    }
                }
            }
            pairs.extend(map.into_iter().map(|(name, json)| {
                let key = Value::new(Kind::String(name), place.clone());
                (key, placed(json, None, whole))
            }));
            Kind::Map(Mapping::of_distinct(pairs))
        }
    };
    Value::new(kind, place)
}
