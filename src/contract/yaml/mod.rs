//! YAML as cloud-init's users know it: YAML 1.1 with the meaning that `PyYAML`'s safe loader gives
//! it, every value with its place.
//!
//! [`parse`] gives a [`Value`]; a [`Value`] is a serde deserializer for typed sections, whose
//! errors name place and path; [`Placed`] keeps a field's place, [`Each`] decodes the entries of a
//! list one by one, [`Text`] takes numbers for text and [`Switch`] words for booleans; [`to_string`]
//! writes YAML, [`to_json`] JSON.
//!
//! Where it differs from `PyYAML` on purpose: text beyond the [`Limits`] and values that hold
//! themselves are errors; dates keep their text; a key given twice is a warning.

mod compose;
mod de;
mod de_value;
mod document;
mod each;
mod emit;
mod error;
mod generic;
mod handover;
mod lexical;
mod node;
mod number;
mod pairs;
mod placed;
mod resolve;
mod ser;
mod switch;
mod syntax;
mod text;
mod timestamp;
mod value;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use document::{Document, Limits, Warning, YamlError};
pub use each::Each;
pub use emit::to_string;
pub use error::DecodeError;
pub use placed::Placed;
pub use ser::to_json;
pub use switch::Switch;
pub use text::{Text, text};
pub use value::{Integer, Kind, Mapping, Notation, Value};

/// Reads one YAML document; `source` is the name of the file or part, for places.
///
/// # Errors
/// [`YamlError`] where the text is not YAML, holds more than one document, has a tag that a safe
/// loader does not know, or exceeds a limit.
pub fn parse(
    text: &str,
    source: impl Into<Arc<str>>,
    limits: &Limits,
) -> Result<Document, YamlError> {
    compose::document(text, source.into(), 1, limits)
}

/// As [`parse`], for a text that begins at line `first_line` of its source, counted from 1.
///
/// # Errors
/// As [`parse`].
pub fn parse_at(
    text: &str,
    source: impl Into<Arc<str>>,
    first_line: u32,
    limits: &Limits,
) -> Result<Document, YamlError> {
    compose::document(text, source.into(), first_line, limits)
}
