//! Where a configuration has values that are secret by their keys, whatever they look like.

use contract::place::Place;
use contract::schema::{Key, Shape};
use contract::secret::is_secret_name;
use contract::yaml::{Kind, Mapping, Value};

use super::{Find, Schema};
use crate::near::nearest;

impl Schema {
    /// The values of keys that are declared secret or are called so, and what stands where a mapping with
    /// such keys is expected: no line of them is for a person to see.
    #[must_use]
    pub fn secrets(&self, root: &Mapping) -> Vec<Find> {
        let mut finds = Vec::new();
        for (name, value) in root.iter() {
            let name = name.to_text().unwrap_or_default();
            let key = named(self.keys.iter().copied(), &name);
            field(&name, key, &[], value, &mut finds);
        }
        finds
    }
}

/// The key of this name, or a secret one that was probably meant.
fn named<'k>(keys: impl Iterator<Item = &'k Key> + Clone, name: &str) -> Option<&'k Key> {
    let mut all = keys.clone();
    all.find(|key| key.names().any(|own| own == name))
        .or_else(|| {
            let meant = nearest(name, keys.clone().map(|key| key.name))?;
            let mut secret = keys.filter(|key| is_secret(key));
            secret.find(|key| key.name == meant)
        })
}

fn is_secret(key: &Key) -> bool {
    key.is_secret || is_secret_name(key.name)
}

/// `others`: what a field without a key of its own may be.
fn field(name: &str, key: Option<&Key>, others: &[&Shape], value: &Value, finds: &mut Vec<Find>) {
    if key.is_some_and(is_secret) || is_secret_name(name) {
        finds.push(whole(value));
        return;
    }
    match key {
        Some(key) => walk(value, &alternatives(&key.shape), finds),
        None => walk(value, others, finds),
    }
}

fn walk(value: &Value, shapes: &[&Shape], finds: &mut Vec<Find>) {
    let fields = || shapes.iter().filter_map(|shape| shape.fields()).flatten();
    match &value.kind {
        Kind::Map(map) => {
            let named_by_user = shapes.iter().filter_map(|shape| match shape {
                Shape::Named(of) => Some(alternatives(of)),
                _ => None,
            });
            let others: Vec<&Shape> = named_by_user.flatten().collect();
            for (name, value) in map.iter() {
                let name = name.to_text().unwrap_or_default();
                field(&name, named(fields(), &name), &others, value, finds);
            }
        }
        _ if shapes.iter().all(|shape| shape.fields().is_some())
            && fields().any(|key| key.is_secret) =>
        {
            finds.push(whole(value));
        }
        Kind::List(list) => {
            let entries = shapes.iter().filter_map(|shape| match shape {
                Shape::List(of) => Some(alternatives(of)),
                _ => None,
            });
            let entries: Vec<&Shape> = entries.flatten().collect();
            list.iter().for_each(|value| walk(value, &entries, finds));
        }
        _ => {}
    }
}

fn alternatives(shape: &Shape) -> Vec<&Shape> {
    match shape {
        Shape::OneOf(shapes) => shapes.iter().flat_map(alternatives).collect(),
        shape => vec![shape],
    }
}

/// All lines of a value.
fn whole(value: &Value) -> Find {
    let Place { line, .. } = value.place;
    Find {
        place: value.place.clone(),
        what: "a secret",
        lines: last(value).saturating_sub(line).saturating_add(1),
    }
}

/// The last line of a value.
fn last(value: &Value) -> u32 {
    let line = value.place.line;
    let inner = match &value.kind {
        Kind::Map(map) => map.iter().map(|(_, value)| last(value)).max(),
        Kind::List(list) => list.iter().map(last).max(),
        Kind::String(text) if text.contains('\n') => {
            let lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
            Some(line.saturating_add(lines))
        }
        _ => None,
    };
    inner.map_or(line, |inner| inner.max(line))
}
