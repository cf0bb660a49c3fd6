//! A single part: its name, its document, and what that says of itself.

use contract::place::Place;
use contract::plan::Problem;
use contract::user_data::{Part, PartKind};
use contract::yaml::{self, Kind, Limits, Mapping, Value};

use crate::user_data::int;

/// The mapping that a part is, which problems call by this name, and what is odd in it.
pub(super) fn parse(part: &Part, name: &str) -> Result<(Mapping, Vec<Problem>), Box<Problem>> {
    let whole = || Some(Place::whole(name));
    let Ok(text) = std::str::from_utf8(part.body.expose()) else {
        return Err(Box::new(Problem::warning(
            whole(),
            "part ignored: not UTF-8",
        )));
    };
    let parsed = yaml::parse_at(text, name, part.first_line.max(1), &Limits::default());
    let document = parsed.map_err(|error| {
        let message = format!("part ignored: {}", error.message);
        let problem = Problem::warning(Some(error.place), message);
        Box::new(Problem {
            hint: error.hint,
            ..problem
        })
    })?;
    let odd = document.warnings.into_iter();
    let odd = odd.map(|odd| Problem::warning(Some(odd.place), odd.message));
    match document.value.kind {
        Kind::Map(map) => Ok((map, odd.collect())),
        other => {
            let found = other.name();
            let message = format!("part ignored: expected a mapping, found {found}");
            Err(Box::new(Problem::warning(
                Some(document.value.place),
                message,
            )))
        }
    }
}

/// The launch index that a document gives itself, as Python's `int()` reads it.
pub(super) fn payload_index(value: &Value) -> Option<i128> {
    match &value.kind {
        Kind::Bool(value) => Some(i128::from(*value)),
        Kind::Float(float) => format!("{:.0}", float.trunc()).parse().ok(),
        Kind::String(text) => int(text),
        _ => value.as_int(),
    }
}

pub(super) fn kind_name(kind: &PartKind) -> &str {
    match kind {
        PartKind::CloudConfig => "cloud-config",
        PartKind::Script => "script",
        PartKind::Parameters => "parameters",
        other => other.mime(),
    }
}
