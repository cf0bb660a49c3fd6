//! The configuration that all sources together gave.

use serde::de::DeserializeOwned;

use crate::place::Place;
use crate::plan::Problem;
use crate::yaml::{Kind, Mapping, Value};

/// The merged configuration: a mapping whose every value knows where it was written.
#[derive(Debug, Clone, Default)]
pub struct Config {
    root: Mapping,
    broken: Vec<(String, Problem)>,
}

impl Config {
    /// What was merged.
    #[must_use]
    pub const fn new(root: Mapping) -> Self {
        Self {
            root,
            broken: Vec::new(),
        }
    }

    /// Puts another mapping in the place of what was merged.
    pub fn replace(&mut self, root: Mapping) {
        self.root = root;
    }

    /// Notes that the value of a top-level key is not usable, such as a template that names a
    /// parameter which nobody gave: whoever reads the key gets this problem instead.
    pub fn spoil(&mut self, key: &str, problem: Problem) {
        self.broken.push((key.to_owned(), problem));
    }

    /// The value of a top-level key; null counts as absent, as in cloud-init.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.root
            .get(key)
            .filter(|value| !matches!(value.kind, Kind::Null))
    }

    /// All of it.
    #[must_use]
    pub const fn root(&self) -> &Mapping {
        &self.root
    }

    /// Where a top-level key's value stands.
    #[must_use]
    pub fn place(&self, key: &str) -> Option<&Place> {
        self.get(key).map(|value| &value.place)
    }

    /// The typed view of some top-level keys; other keys are not looked at.
    ///
    /// # Errors
    /// What is wrong with them, each with its place.
    pub fn section<T: DeserializeOwned>(&self, keys: &[&str]) -> Result<T, Vec<Problem>> {
        let broken = self
            .broken
            .iter()
            .filter(|(key, _)| keys.contains(&key.as_str()));
        let problems: Vec<Problem> = broken.map(|(_, problem)| problem.clone()).collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        T::deserialize(&self.subset(keys)).map_err(|error| vec![Problem::from(error)])
    }

    /// A mapping of these top-level keys alone, as far as they are given.
    #[must_use]
    pub fn subset(&self, keys: &[&str]) -> Value {
        let mut subset = Mapping::default();
        for (key, value) in self.root.iter() {
            if key.as_str().is_some_and(|name| keys.contains(&name))
                && !matches!(value.kind, Kind::Null)
            {
                subset.insert(key.clone(), value.clone());
            }
        }
        Value {
            kind: Kind::Map(subset),
            place: Place::whole("configuration"),
        }
    }
}
