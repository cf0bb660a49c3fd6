//! What a user of the reader, of the typed sections and of the writer relies on.

mod decoding;
mod limits;
mod places;
mod reading;
mod writing;

use super::{Kind, Limits, Value, parse};

/// What the text says, or panics with the error.
fn read(text: &str) -> Value {
    parse(text, "test", &Limits::default())
        .unwrap_or_else(|error| panic!("{text:?}: {error}"))
        .value
}

/// The error that reading the text gives, as it is printed.
fn refused(text: &str) -> String {
    match parse(text, "test", &Limits::default()) {
        Ok(document) => panic!("{text:?} was read as {}", typed(&document.value)),
        Err(error) => error.to_string(),
    }
}

/// A value as Python prints it, dates in angle brackets: unlike `Debug`, with the scalars.
fn typed(value: &Value) -> String {
    let list = |entries: &[Value]| entries.iter().map(typed).collect::<Vec<_>>().join(", ");
    match &value.kind {
        Kind::Null => "None".to_owned(),
        Kind::String(text) => format!("'{}'", text.escape_debug()),
        Kind::Bytes(bytes) => format!("b'{}'", bytes.escape_ascii()),
        Kind::Timestamp(text) => format!("<{text}>"),
        Kind::List(entries) => format!("[{}]", list(entries)),
        Kind::Map(mapping) => {
            let pair = |(key, value)| format!("{}: {}", typed(key), typed(value));
            format!(
                "{{{}}}",
                mapping.iter().map(pair).collect::<Vec<_>>().join(", ")
            )
        }
        _ => value.to_text().unwrap(),
    }
}
