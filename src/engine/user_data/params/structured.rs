//! Parameters as a JSON object or a YAML mapping.

use contract::place::Place;
use contract::plan::Problem;
use contract::yaml::{self, Kind, Limits, Notation, Value};

use crate::json;

use super::Reader;

pub(super) fn is_json_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
        && serde_json::from_str::<serde_json::Map<_, _>>(text).is_ok()
}

pub(super) fn json(text: &str, reader: &mut Reader<'_>) {
    match json::parse(text, reader.source, reader.first_line) {
        Ok(value) => mapping(&value, reader),
        Err(place) => reader.wrong(&place, "parameters are ignored: not JSON"),
    }
}

pub(super) fn yaml(text: &str, reader: &mut Reader<'_>) {
    let document = yaml::parse_at(text, reader.source, reader.first_line, &Limits::default());
    match document {
        Ok(document) => {
            let odd = document.warnings.into_iter();
            let odd = odd.map(|odd| Problem::warning(Some(odd.place), odd.message));
            reader.problems.extend(odd);
            mapping(&document.value, reader);
        }
        Err(error) => {
            let message = format!("parameters are ignored: {}", error.message);
            let problem = Problem::error(Some(error.place), message);
            reader.problems.push(Problem {
                hint: error.hint,
                ..problem
            });
        }
    }
}

fn mapping(value: &Value, reader: &mut Reader<'_>) {
    let Kind::Map(map) = &value.kind else {
        let found = value.kind.name();
        let message = format!("parameters are ignored: expected names and values, found {found}");
        return reader.wrong(&value.place, message);
    };
    for (key, value) in map.iter() {
        let Some(name) = key.as_str() else {
            let found = key.kind.name();
            let message = format!("a parameter's name is text, not {found}");
            reader.wrong(&key.place, message);
            continue;
        };
        if let Some(text) = text(name, value, reader) {
            reader.put(name, &text, &named_at(key, value));
        }
    }
}

/// In JSON the value may know its line where the key does not.
fn named_at(key: &Value, value: &Value) -> Place {
    let known = [key, value].into_iter().find(|own| !own.place.is_whole());
    known.unwrap_or(key).place.clone()
}

/// A scalar as text, a list or mapping as JSON; none for null.
fn text(name: &str, value: &Value, reader: &mut Reader<'_>) -> Option<String> {
    match &value.kind {
        Kind::Null => None,
        Kind::Bool(value) => Some(value.to_string()),
        Kind::Bytes(_) => {
            let message = format!("parameter `{name}`: expected text, found bytes");
            reader.wrong(&value.place, message);
            None
        }
        Kind::List(_) | Kind::Map(_) => match serde_json::to_string(value) {
            Ok(text) => Some(text),
            Err(_) => {
                let message = format!("parameter `{name}` cannot be written as JSON");
                reader.wrong(&value.place, message);
                None
            }
        },
        Kind::Int(int) if int.notation() != Notation::Decimal => {
            let message = format!("parameter `{name}` is read as a number, as YAML 1.1 has it");
            let problem = Problem::warning(Some(value.place.clone()), message);
            let hint = "put it in quotes to have it as it is written";
            reader.problems.push(problem.hint(hint));
            value.to_text()
        }
        _ => value.to_text(),
    }
}
