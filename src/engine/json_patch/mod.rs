//! JSON Patch (RFC 6902) on values that know their places; JSON Pointer (RFC 6901).

mod pointer;
mod read;

#[cfg(test)]
mod tests;

use contract::place::Place;
use contract::plan::Problem;
use contract::yaml::{Kind, Value};

use pointer::Pointer;

/// Most operations of a patch.
const MAX_OPERATIONS: usize = 10_000;

/// Most that a document and all that a patch adds to it may weigh (see [`Value::weight`]), whatever it
/// removes: `copy` could double a document again and again. To move entries of a list counts too.
const MAX_NODES: usize = 250_000;

/// How deep a patched document may nest.
const MAX_DEPTH: usize = 100;

/// Operations in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    operations: Vec<Operation>,
}

#[derive(Debug, Clone, PartialEq)]
struct Operation {
    /// Where it begins.
    place: Place,
    path: Pointer,
    verb: Verb,
}

#[derive(Debug, Clone, PartialEq)]
enum Verb {
    Add(Value),
    Remove,
    Replace(Value),
    Move(Pointer),
    Copy(Pointer),
    Test(Value),
}

/// Why a patch is none, or cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct PatchError {
    /// The operation, or where in the text it went wrong.
    pub place: Place,
    /// What is wrong; names paths and keys, never values.
    pub message: String,
}

impl PatchError {
    fn new(place: &Place, message: impl Into<String>) -> Self {
        Self {
            place: place.clone(),
            message: message.into(),
        }
    }

    /// As a warning that a part is ignored.
    #[must_use]
    pub fn warning(self) -> Problem {
        let message = format!("part ignored: {}", self.message);
        Problem::warning(Some(self.place), message)
    }
}

impl Patch {
    /// Reads a patch: a JSON array of operations, behind the header `#cloud-config-jsonp` if that is
    /// there. `source` names the text and `first_line` is the line at which it begins, for places.
    ///
    /// # Errors
    /// Where the text is not JSON, and which operation is not one.
    pub fn parse(text: &str, source: &str, first_line: u32) -> Result<Self, PatchError> {
        read::patch(text, source, first_line)
    }

    /// The document with all operations applied, one after another. What they add keeps its place in
    /// the patch, what they move keeps the one it had.
    ///
    /// # Errors
    /// The first operation that cannot be applied, or that tests in vain. Then nothing is.
    pub fn apply(&self, document: &Value) -> Result<Value, PatchError> {
        let mut document = document.clone();
        let mut nodes = pointer::size(&document).nodes;
        for operation in &self.operations {
            let added = operation.apply(&mut document);
            nodes = nodes.saturating_add(added.map_err(|why| operation.error(&why))?);
            if nodes > MAX_NODES {
                return Err(operation.error(&format!(
                    "the patch does more than MAX_NODES ({MAX_NODES}) values are worth"
                )));
            }
        }
        Ok(document)
    }
}

impl Operation {
    /// Gives the number of values that it added.
    fn apply(&self, document: &mut Value) -> Result<usize, String> {
        match &self.verb {
            Verb::Add(value) => self.path.add(document, value.clone()),
            Verb::Remove => self.path.remove(document).map(|(_, moved)| moved),
            Verb::Replace(value) => {
                let nodes = self.path.fits(value)?;
                *self.path.find_mut(document)? = value.clone();
                Ok(nodes)
            }
            Verb::Copy(from) => {
                let value = from.find(document)?.clone();
                self.path.add(document, value)
            }
            Verb::Move(from) => {
                if from.is_above(&self.path) {
                    return Err(format!("cannot move `{from}` into itself"));
                }
                if *from == self.path {
                    return from.find(document).map(|_| 0);
                }
                let (value, moved) = from.remove(document)?;
                let own = value.weight();
                let added = self.path.add(document, value)?;
                Ok(added.saturating_sub(own).saturating_add(moved))
            }
            Verb::Test(value) => {
                let is_so = same(self.path.find(document)?, value);
                is_so.then_some(0).ok_or_else(|| "it is not so".to_owned())
            }
        }
    }

    fn error(&self, why: &str) -> PatchError {
        let verb = match self.verb {
            Verb::Add(_) => "add",
            Verb::Remove => "remove",
            Verb::Replace(_) => "replace",
            Verb::Move(_) => "move",
            Verb::Copy(_) => "copy",
            Verb::Test(_) => "test",
        };
        let message = format!("`{verb}` at `{}`: {why}", self.path);
        PatchError::new(&self.place, message)
    }
}

/// Equal as RFC 6902, section 4.6, has it: numbers by what they are worth, mappings in any order.
fn same(left: &Value, right: &Value) -> bool {
    match (&left.kind, &right.kind) {
        (Kind::List(left), Kind::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(own, other)| same(own, other))
        }
        (Kind::Map(left), Kind::Map(right)) => {
            let has = |key: &Value, value: &Value| {
                let other = key.as_str().and_then(|name| right.get(name));
                other.is_some_and(|other| same(value, other))
            };
            left.len() == right.len() && left.iter().all(|(key, value)| has(key, value))
        }
        (Kind::Int(int), Kind::Float(float)) | (Kind::Float(float), Kind::Int(int)) => {
            float.fract() == 0.0 && format!("{float:.0}") == int.value.to_string()
        }
        (Kind::Int(left), Kind::Int(right)) => left.value == right.value,
        (left, right) => left == right,
    }
}
