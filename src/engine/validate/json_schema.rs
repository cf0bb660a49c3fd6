//! The schema as JSON Schema, for editors. Source: <https://json-schema.org/draft/2020-12>.

use contract::schema::{Key, Shape};
use contract::yaml::{self, Limits};
use serde_json::{Map, Value, json};

use super::Schema;

impl Schema {
    /// As a JSON Schema of the draft 2020-12.
    #[must_use]
    pub fn to_json_schema(&self) -> Value {
        let mut properties = properties(self.keys.iter().copied());
        for name in self.foreign {
            let note = json!({"description": "cloud-init's; this version does not do it"});
            properties.entry(*name).or_insert(note);
        }
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "cloud-config, as firstlight reads it",
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

/// The schemas of keys by their names, old spellings among them, as JSON Schema.
pub fn properties<'k>(keys: impl IntoIterator<Item = &'k Key>) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in keys {
        let schema = of_key(key);
        for old in key.old {
            let mut old_schema = schema.clone();
            note(&mut old_schema, "deprecated", true);
            let text = format!("an old spelling of `{}`", key.name);
            note(&mut old_schema, "description", text);
            properties.insert((*old).to_owned(), old_schema);
        }
        properties.insert(key.name.to_owned(), schema);
    }
    properties
}

fn of_key(key: &Key) -> Value {
    let mut schema = or_null(of_shape(&key.shape));
    note(&mut schema, "description", key.summary);
    if let Some(default) = key.default
        && let Ok(document) = yaml::parse(default, "default", &Limits::default())
        && let Ok(value) = serde_json::to_value(&document.value)
    {
        note(&mut schema, "default", value);
    }
    if key.is_secret {
        note(&mut schema, "writeOnly", true);
    }
    schema
}

/// A key whose value is null is as if it were not there.
fn or_null(mut schema: Value) -> Value {
    match schema.get_mut("type") {
        Some(Value::Array(types)) => types.push("null".into()),
        Some(one) => *one = json!([one, "null"]),
        None => {
            if let Some(Value::Array(words)) = schema.get_mut("enum") {
                words.push(Value::Null);
            } else if let Some(Value::Array(shapes)) = schema.get_mut("anyOf") {
                shapes.push(json!({"type": "null"}));
            }
        }
    }
    schema
}

fn note(schema: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert(name.to_owned(), value.into());
    }
}

fn of_shape(shape: &Shape) -> Value {
    match shape {
        Shape::Any => json!({}),
        Shape::Text => json!({"type": "string"}),
        Shape::Scalar => json!({"type": ["string", "number", "boolean"]}),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Switch => json!({"type": ["boolean", "string", "integer"]}),
        Shape::Integer(from, to) => json!({"type": "integer", "minimum": from, "maximum": to}),
        Shape::Number => json!({"type": "number"}),
        Shape::Word(words) => json!({"enum": words}),
        Shape::List(of) => json!({"type": "array", "items": of_shape(of)}),
        Shape::Named(of) => {
            json!({"type": "object", "additionalProperties": or_null(of_shape(of))})
        }
        Shape::Map(fields) | Shape::Open(fields) | Shape::Strict(fields) => {
            let required = fields.iter().filter(|key| key.is_required);
            let required: Vec<&str> = required.map(|key| key.name).collect();
            let mut schema = json!({
                "type": "object",
                "properties": properties(*fields),
                "additionalProperties": matches!(shape, Shape::Open(_)),
            });
            if !required.is_empty() {
                note(&mut schema, "required", required);
            }
            schema
        }
        Shape::OneOf(shapes) => {
            let shapes: Vec<Value> = shapes.iter().map(of_shape).collect();
            json!({"anyOf": shapes})
        }
    }
}
