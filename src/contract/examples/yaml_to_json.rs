//! Reads JSON strings, one a line, each a YAML text, and prints for each what our reader makes of
//! it: `{"value": ..., "emitted": ...}` or `{"error": ...}`. Values carry their type, so that a
//! comparison with another reader can be exact: `["int", "420"]`.

use std::io::{self, BufRead, Write};

use contract::yaml::{self, Kind, Limits, Value};
use serde_json::{Value as Json, json};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        writeln!(out, "{}", answer(&text))?;
    }
    Ok(())
}

fn answer(text: &str) -> Json {
    match yaml::parse(text, "stdin", &Limits::default()) {
        Ok(document) => json!({
            "value": typed(&document.value),
            "emitted": yaml::to_string(&document.value),
        }),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

fn typed(value: &Value) -> Json {
    match &value.kind {
        Kind::Null => json!(["null"]),
        Kind::Bool(value) => json!(["bool", value]),
        Kind::Int(int) => json!(["int", int.value.to_string()]),
        Kind::BigInt(text) => json!(["int", text]),
        Kind::Float(float) => json!(["float", float.to_bits().to_string()]),
        Kind::String(text) => json!(["str", text]),
        Kind::Bytes(bytes) => json!(["bytes", bytes]),
        Kind::Timestamp(text) => json!(["time", text]),
        Kind::List(entries) => json!(["list", entries.iter().map(typed).collect::<Vec<_>>()]),
        Kind::Map(mapping) => {
            let pairs = mapping
                .iter()
                .map(|(key, value)| json!([typed(key), typed(value)]));
            json!(["map", pairs.collect::<Vec<_>>()])
        }
    }
}
