//! From the text of a patch to its operations.

use contract::place::Place;
use contract::yaml::{self, Kind, Limits, Value};
use serde_json::Value as Json;

use super::pointer::Pointer;
use super::{MAX_OPERATIONS, Operation, Patch, PatchError, Verb};

/// Source: cloud-init, `cloudinit/handlers/cloud_config.py`: what follows on the header's line is
/// part of the patch.
const HEADER: &str = "#cloud-config-jsonp";

pub(super) fn patch(text: &str, source: &str, first_line: u32) -> Result<Patch, PatchError> {
    let begin = text.len() - text.trim_start().len();
    let rest = text.get(begin..).unwrap_or_default();
    // Blanks instead of the header, so that columns stay.
    let text = match rest.get(..HEADER.len()) {
        Some(start) if start.eq_ignore_ascii_case(HEADER) => {
            let before = text.get(..begin).unwrap_or_default();
            let rest = rest.get(HEADER.len()..).unwrap_or_default();
            format!("{before}{}{rest}", " ".repeat(HEADER.len()))
        }
        _ => text.to_owned(),
    };
    let whole = Place::whole(source);
    let json: Json = serde_json::from_str(&text).map_err(|error| {
        let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
        let place = Place::new(
            source,
            line.saturating_add(first_line.max(1)).saturating_sub(1),
            u32::try_from(error.column()).unwrap_or(u32::MAX),
        );
        PatchError::new(&place, "not JSON")
    })?;
    // JSON is YAML but for odd escapes and numbers, so its reader knows the places.
    let known = yaml::parse_at(&text, source, first_line.max(1), &Limits::default());
    let value = placed(json, known.ok().map(|document| document.value), &whole);
    let Kind::List(entries) = value.kind else {
        let found = value.kind.name();
        let message = format!("expected a list of operations, found {found}");
        return Err(PatchError::new(&value.place, message));
    };
    if entries.len() > MAX_OPERATIONS {
        let message = format!("more than {MAX_OPERATIONS} operations");
        return Err(PatchError::new(&value.place, message));
    }
    let operations = entries.iter().map(operation);
    Ok(Patch {
        operations: operations.collect::<Result<_, _>>()?,
    })
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
            Kind::Map(pairs.into_iter().collect())
        }
    };
    Value::new(kind, place)
}

fn operation(entry: &Value) -> Result<Operation, PatchError> {
    let wrong = |message: String| PatchError::new(&entry.place, message);
    let Kind::Map(map) = &entry.kind else {
        let found = entry.kind.name();
        return Err(wrong(format!("expected an operation, found {found}")));
    };
    let text = |member: &str| match map.get(member) {
        Some(value) => value.as_str().ok_or_else(|| {
            let found = value.kind.name();
            let message = format!("`{member}`: expected text, found {found}");
            PatchError::new(&value.place, message)
        }),
        None => Err(wrong(format!("the operation has no `{member}`"))),
    };
    let pointer = |member: &str| {
        Pointer::parse(text(member)?).map_err(|why| wrong(format!("`{member}`: {why}")))
    };
    let path = pointer("path")?;
    let value = || {
        let value = map.get("value");
        let value = value.ok_or_else(|| wrong("the operation has no `value`".to_owned()))?;
        Ok(value.clone())
    };
    let verb = match text("op")? {
        "add" => Verb::Add(value()?),
        "remove" => Verb::Remove,
        "replace" => Verb::Replace(value()?),
        "move" => Verb::Move(pointer("from")?),
        "copy" => Verb::Copy(pointer("from")?),
        "test" => Verb::Test(value()?),
        _ => {
            let known = "`add`, `remove`, `replace`, `move`, `copy` or `test`";
            return Err(wrong(format!("`op`: expected {known}")));
        }
    };
    let operation = Operation {
        place: entry.place.clone(),
        path,
        verb,
    };
    Ok(operation)
}
