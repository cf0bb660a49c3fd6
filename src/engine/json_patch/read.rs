//! From the text of a patch to its operations.

use contract::yaml::{Kind, Value};

use crate::json;

use super::pointer::Pointer;
use super::{MAX_OPERATIONS, Operation, Patch, PatchError, Verb};

/// Source: cloud-init, `cloudinit/handlers/cloud_config.py`: what follows on the header's line is
/// part of the patch, and a header in other letters is not taken for one here.
const HEADER: &str = "#cloud-config-jsonp";

pub(super) fn patch(text: &str, source: &str, first_line: u32) -> Result<Patch, PatchError> {
    let begin = text.len() - text.trim_start().len();
    let rest = text.get(begin..).unwrap_or_default();
    // Blanks instead of the header, so that columns stay.
    let text = match rest.get(..HEADER.len()) {
        Some(HEADER) => {
            let before = text.get(..begin).unwrap_or_default();
            let rest = rest.get(HEADER.len()..).unwrap_or_default();
            format!("{before}{}{rest}", " ".repeat(HEADER.len()))
        }
        _ => text.to_owned(),
    };
    let value = json::parse(&text, source, first_line)
        .map_err(|place| PatchError::new(&place, not_json(&text)))?;
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

fn not_json(text: &str) -> &'static str {
    let start = text.trim_start().get(..HEADER.len());
    if start.is_some_and(|start| start.eq_ignore_ascii_case(HEADER)) {
        "not JSON: the header is `#cloud-config-jsonp` in small letters"
    } else {
        "not JSON"
    }
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
