//! What comes of reading a text: a document with warnings, or an error; and how much is read.

use crate::place::Place;

use super::value::Value;

/// One YAML document.
#[derive(Debug, Clone)]
pub struct Document {
    /// What it says; null if it is empty.
    pub value: Value,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Warning>,
}

/// Something that is allowed and probably not meant, such as a key given twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Warning {
    /// Where it is.
    pub place: Place,
    /// What it is. Names keys, never values.
    pub message: String,
}

/// Why a text is not a YAML document that is safe to load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct YamlError {
    /// Where it stopped.
    pub place: Place,
    /// What was expected. Names keys and tags, never values.
    pub message: String,
    /// What to do about it, where that can be guessed.
    pub hint: Option<String>,
}

/// How much a text may hold. Aliases count as what they stand for, so that a few lines cannot
/// blow up into gigabytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Length of the text in bytes.
    pub bytes: usize,
    /// Number of scalars, lists and mappings, aliases expanded.
    pub nodes: usize,
    /// How deep lists and mappings may nest.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            nodes: 250_000,
            depth: 100,
        }
    }
}

impl YamlError {
    pub(super) fn new(place: Place, message: impl Into<String>) -> Self {
        Self {
            place,
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn with_hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }
}
