//! From the pairs of a mapping as written to the mapping meant: merge keys are replaced by what
//! they bring, and of equal keys the last value counts.
//!
//! Source: <https://yaml.org/type/merge.html>, in the order in which `PyYAML` 6 does it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::place::Place;

use super::document::{Warning, YamlError};
use super::value::{Kind, Mapping, Value};

/// What stands before a colon.
pub(super) enum Key {
    Own(Value),
    /// `<<`
    Merge(Place),
}

/// Makes the mapping, noting keys that were given twice.
pub(super) fn mapping(
    written: Vec<(Key, Value)>,
    warnings: &mut Vec<Warning>,
) -> Result<Mapping, YamlError> {
    let mut merged = Vec::new();
    let mut own = Vec::with_capacity(written.len());
    for (key, value) in written {
        match key {
            Key::Own(key) => own.push((key, value)),
            Key::Merge(place) => merged.extend(brought_by_merge(&place, value)?),
        }
    }
    let mut distinct = Distinct::default();
    for (key, value) in merged {
        distinct.put(key, value)?;
    }
    let mut given: HashMap<Identity, Place> = HashMap::with_capacity(own.len());
    for (key, value) in own {
        let identity = Identity::of(&key)?;
        if let Some(before) = given.insert(identity, key.place.clone()) {
            let name = key.to_text().unwrap_or_else(|| key.kind.name().to_owned());
            let message =
                format!("key `{name}` was already given at {before}; the last one counts");
            warnings.push(Warning {
                place: key.place.clone(),
                message,
            });
        }
        distinct.put(key, value)?;
    }
    Ok(Mapping::of_distinct(distinct.pairs))
}

/// The pairs of a mapping, or of a list of mappings where the earlier ones win.
fn brought_by_merge(place: &Place, value: Value) -> Result<Vec<(Value, Value)>, YamlError> {
    let not_a_mapping = |value: &Value| {
        let message = format!(
            "expected a mapping or a list of mappings to merge at {place}, found {}",
            value.kind.name()
        );
        YamlError::new(value.place.clone(), message)
    };
    match value.kind {
        Kind::Map(mapping) => Ok(mapping.into_iter().collect()),
        Kind::List(entries) => {
            let mut pairs = Vec::new();
            for entry in entries.into_iter().rev() {
                match entry.kind {
                    Kind::Map(mapping) => pairs.extend(mapping),
                    _ => return Err(not_a_mapping(&entry)),
                }
            }
            Ok(pairs)
        }
        _ => Err(not_a_mapping(&value)),
    }
}

impl Mapping {
    /// Joins `later` into this mapping. Of a key that both have, `decide` gets both values, this
    /// one's first, and says which stays; with `None` the key goes. As in Python's dict a key keeps
    /// its position, and new ones follow.
    ///
    /// # Errors
    /// The first of `decide`.
    pub fn join<E>(
        self,
        later: Self,
        mut decide: impl FnMut(Value, Value) -> Result<Option<Value>, E>,
    ) -> Result<Self, E> {
        let mut positions = HashMap::with_capacity(self.len());
        let mut pairs: Vec<(Value, Option<Value>)> = Vec::with_capacity(self.len());
        for (key, value) in self {
            if let Ok(identity) = Identity::of(&key) {
                positions.insert(identity, pairs.len());
            }
            pairs.push((key, Some(value)));
        }
        for (key, value) in later {
            let known = Identity::of(&key).ok();
            let known = known.and_then(|identity| pairs.get_mut(*positions.get(&identity)?));
            match known {
                Some((_, slot)) => {
                    if let Some(old) = slot.take() {
                        *slot = decide(old, value)?;
                    }
                }
                None => pairs.push((key, Some(value))),
            }
        }
        let left = pairs
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)));
        Ok(Self::of_distinct(left.collect()))
    }
}

#[derive(Default)]
struct Distinct {
    pairs: Vec<(Value, Value)>,
    positions: HashMap<Identity, usize>,
}

impl Distinct {
    fn put(&mut self, key: Value, value: Value) -> Result<(), YamlError> {
        match self.positions.entry(Identity::of(&key)?) {
            Entry::Occupied(entry) => {
                if let Some((_, old)) = self.pairs.get_mut(*entry.get()) {
                    *old = value;
                }
            }
            Entry::Vacant(entry) => {
                entry.insert(self.pairs.len());
                self.pairs.push((key, value));
            }
        }
        Ok(())
    }
}

/// When two keys are the same key: as in Python, `1`, `1.0` and `true` are.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Null,
    Int(i128),
    Float(u64),
    Text(String),
    Bytes(Vec<u8>),
    /// A date or a huge number, by its text.
    Other(String),
}

impl Identity {
    fn of(key: &Value) -> Result<Self, YamlError> {
        Ok(match &key.kind {
            Kind::Null => Self::Null,
            Kind::Bool(value) => Self::Int(i128::from(*value)),
            Kind::Int(int) => Self::Int(int.value),
            Kind::Float(float) => whole(*float).map_or(Self::Float(float.to_bits()), Self::Int),
            Kind::String(text) => Self::Text(text.clone()),
            Kind::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Kind::BigInt(text) | Kind::Timestamp(text) => Self::Other(text.clone()),
            Kind::List(_) | Kind::Map(_) => {
                let message = format!("expected a simple key, found {}", key.kind.name());
                return Err(YamlError::new(key.place.clone(), message)
                    .with_hint("put quotes around a value such as `{{ name }}`"));
            }
        })
    }
}

fn whole(float: f64) -> Option<i128> {
    // Through text, because there is no other lossless way without a cast.
    (float.fract() == 0.0 && float.abs() < 1e15).then(|| format!("{float:.0}").parse().ok())?
}
