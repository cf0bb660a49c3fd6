//! Words that turn something on or off. Source: cloud-init, `cloudinit/util.py`
//! (`translate_bool`).

use contract::plan::Problem;
use contract::yaml::{Kind, Value};

/// What a value says; `None` if it says neither.
pub(crate) fn read(given: &Value) -> Option<bool> {
    if let Kind::Bool(on) = given.kind {
        return Some(on);
    }
    let word = given.to_text().unwrap_or_default();
    match word.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" => Some(true),
        "0" | "false" | "off" | "no" => Some(false),
        _ => None,
    }
}

/// What a key says, or `default` if it is not given or a slip.
pub(crate) fn or(default: bool, key: &str, given: Option<&Value>, told: &mut Vec<Problem>) -> bool {
    let Some(given) = given else { return default };
    read(given).unwrap_or_else(|| {
        let message = format!("{key}: expected true or false; it is taken as {default}");
        told.push(Problem::error(Some(given.place.clone()), message));
        default
    })
}

/// A switch that is on unless it is turned off.
pub(crate) fn is_on(key: &str, given: Option<&Value>, told: &mut Vec<Problem>) -> bool {
    or(true, key, given, told)
}
