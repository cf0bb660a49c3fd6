//! What a key of a custom module may hold: the part of JSON Schema that firstlight itself writes
//! (`firstlight schema`).

use std::collections::BTreeMap;

use contract::plan::Problem;
use contract::schema::{Key, Shape};
use contract::yaml::{self, Placed, Value};
use serde::Deserialize;

/// A schema, as a manifest has it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Schema {
    #[serde(default, rename = "type")]
    kind: Option<Type>,
    #[serde(default)]
    description: Option<Placed<String>>,
    #[serde(default)]
    default: Option<Value>,
    #[serde(default, rename = "enum")]
    words: Vec<String>,
    #[serde(default)]
    minimum: Option<i64>,
    #[serde(default)]
    maximum: Option<i64>,
    #[serde(default)]
    items: Option<Box<Schema>>,
    #[serde(default)]
    properties: BTreeMap<String, Schema>,
    #[serde(default)]
    required: Vec<Placed<String>>,
    #[serde(default, rename = "additionalProperties")]
    additional: Option<Placed<Value>>,
    #[serde(default, rename = "writeOnly")]
    is_secret: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    String,
    Boolean,
    Integer,
    Number,
    Array,
    Object,
}

/// Lives as long as the process.
pub(super) fn lasting(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// A key of this name.
pub(super) fn key(name: String, schema: Schema) -> Result<Key, Problem> {
    let described = schema.description.as_ref();
    if let Some(text) = described.filter(|text| text.contains(char::is_control)) {
        let message = format!("{name}: description: expected one line");
        return Err(Problem::error(Some(text.place.clone()), message));
    }
    let summary = lasting(described.map_or(String::new(), |text| text.value.clone()));
    let default = schema.default.as_ref();
    let default = default.map(|value| lasting(yaml::to_string(value).trim_end().to_owned()));
    let mut is_secret = false;
    let mut key = Key::new(lasting(name), shape(schema, &mut is_secret)?, summary);
    key.default = default;
    key.is_secret = is_secret;
    Ok(key)
}

/// `is_secret` becomes true if the value is, or what in it has no key of its own that could be.
fn shape(schema: Schema, is_secret: &mut bool) -> Result<Shape, Problem> {
    *is_secret |= schema.is_secret;
    let words = || {
        let words: Vec<&'static str> = schema.words.iter().cloned().map(lasting).collect();
        Shape::Word(Box::leak(words.into_boxed_slice()))
    };
    Ok(match schema.kind {
        None | Some(Type::String) if !schema.words.is_empty() => words(),
        None if schema.properties.is_empty() => {
            *is_secret |= holds_secret(&schema);
            Shape::Any
        }
        Some(Type::String) => Shape::Text,
        Some(Type::Boolean) => Shape::Bool,
        Some(Type::Integer) => Shape::Integer(
            schema.minimum.unwrap_or(i64::MIN),
            schema.maximum.unwrap_or(i64::MAX),
        ),
        Some(Type::Number) => Shape::Number,
        Some(Type::Array) => Shape::List(match schema.items {
            Some(items) => lasting_shape(shape(*items, is_secret)?),
            None => &Shape::Any,
        }),
        None | Some(Type::Object) => object(schema, is_secret)?,
    })
}

/// Whether a value of any shape is secret somewhere.
fn holds_secret(schema: &Schema) -> bool {
    let more = schema.additional.as_ref();
    let more = more.and_then(|more| Schema::deserialize(&more.value).ok());
    let mut inner = schema.properties.values();
    schema.is_secret
        || schema.items.as_deref().is_some_and(holds_secret)
        || more.as_ref().is_some_and(holds_secret)
        || inner.any(holds_secret)
}

fn object(schema: Schema, is_secret: &mut bool) -> Result<Shape, Problem> {
    let mut fields = Vec::new();
    let mut required = schema.required.iter();
    if let Some(name) = required.find(|name| !schema.properties.contains_key(name.as_str())) {
        let message = "required: expected names of `properties`";
        return Err(Problem::error(Some(name.place.clone()), message));
    }
    for (name, field) in schema.properties {
        let is_required = schema.required.iter().any(|one| one.as_str() == name);
        let mut key = key(name, field)?;
        key.is_required = is_required;
        fields.push(key);
    }
    let is_open = fields.is_empty();
    let fields: &'static [Key] = Box::leak(fields.into_boxed_slice());
    Ok(match schema.additional {
        None if is_open => Shape::Named(&Shape::Any),
        None => Shape::Map(fields),
        Some(more) => match (more.value.as_bool(), is_open) {
            (Some(false), _) => Shape::Strict(fields),
            (None, true) => {
                let schema = Schema::deserialize(&more.value).map_err(Problem::from)?;
                Shape::Named(lasting_shape(shape(schema, is_secret)?))
            }
            _ => {
                let message = "additionalProperties: expected false, or a schema where there are no properties";
                return Err(Problem::error(Some(more.place), message));
            }
        },
    })
}

fn lasting_shape(shape: Shape) -> &'static Shape {
    Box::leak(Box::new(shape))
}
