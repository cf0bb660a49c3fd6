//! What is wrong with a configuration without doing it: keys that nobody knows, values of a wrong
//! kind, old spellings, and secrets that everybody on the instance can read.

mod check;
mod json_schema;
mod keys;
mod secrets;
mod values;

#[cfg(test)]
mod tests;

use contract::schema::Key;

pub use check::UNKNOWN_KEY;
pub use json_schema::properties;
pub use keys::KEYS;
pub use secrets::{Find, Within, lint, redacted};

/// Every top-level key that somebody reads, and those that are known and nobody reads.
#[derive(Debug, Clone)]
pub struct Schema {
    keys: Vec<&'static Key>,
    foreign: &'static [&'static str],
}

impl Schema {
    /// A schema of these keys, the first of each name, and of those that are cloud-init's and not
    /// done.
    pub fn new(
        keys: impl IntoIterator<Item = &'static Key>,
        foreign: &'static [&'static str],
    ) -> Self {
        let mut known: Vec<&'static Key> = Vec::new();
        for key in keys.into_iter().chain(KEYS) {
            if known.iter().all(|own| own.name != key.name) {
                known.push(key);
            }
        }
        Self {
            keys: known,
            foreign,
        }
    }
}
