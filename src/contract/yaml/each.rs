//! A list whose entries are decoded one by one: a bad entry costs itself alone.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};

use crate::place::Place;

use super::de;
use super::error::DecodeError;
use super::generic;
use super::value::{Kind, Value};

/// A list of `T`, each decoded when it is asked for, so that one bad entry does not spoil the
/// others. Errors name the entry from the top, such as `users[1].name`.
pub struct Each<T> {
    entries: Vec<Value>,
    path: String,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Each<T> {
    /// The entries in order, decoded; those that are not a `T` as errors.
    pub fn iter(&self) -> impl Iterator<Item = Result<T, DecodeError>> {
        self.iter_with_values().map(|(_, entry)| entry)
    }

    /// As [`Each::iter`], each with its place.
    pub fn iter_with_places(&self) -> impl Iterator<Item = (&Place, Result<T, DecodeError>)> {
        self.iter_with_values()
            .map(|(value, entry)| (&value.place, entry))
    }

    /// As [`Each::iter`], each with its value as written.
    pub fn iter_with_values(&self) -> impl Iterator<Item = (&Value, Result<T, DecodeError>)> {
        self.entries
            .iter()
            .enumerate()
            .map(|(index, value)| (value, de::decode(value, &format!("{}[{index}]", self.path))))
    }
}

impl<T> Each<T> {
    /// The entries as written.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.entries
    }

    /// How many entries there are, good and bad.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<T> Default for Each<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            path: String::new(),
            of: PhantomData,
        }
    }
}

impl<T> Clone for Each<T> {
    fn clone(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            path: self.path.clone(),
            of: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Each<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.fmt(f)
    }
}

impl<'de, T> Deserialize<'de> for Each<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = generic::find(deserializer)?;
        match found.value.kind {
            Kind::List(entries) => Ok(Self {
                entries,
                path: found.path,
                of: PhantomData,
            }),
            other => Err(D::Error::custom(format_args!(
                "expected a list, found {}",
                other.name()
            ))),
        }
    }
}
