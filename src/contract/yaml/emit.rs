//! Writes YAML that readers of YAML 1.1 and 1.2 understand alike.

use super::lexical;
use super::resolve::Tag;
use super::value::{Kind, Mapping, Value};
use crate::base64;

/// The value as a YAML document in block style, with a newline at its end.
///
/// Text that some reader would take for something else (`yes`, `0644`, `1:30`, `1e3`) is quoted;
/// text of several lines is a `|` block where it can be. Bytes are `!!binary`.
#[must_use]
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    match &value.kind {
        Kind::List(entries) if !entries.is_empty() => list(entries, 0, &mut out),
        Kind::Map(mapping) if !mapping.is_empty() => pairs(value, 0, &mut out),
        _ => {
            scalar(value, 2, &mut out);
            out.push('\n');
        }
    }
    out
}

fn list(entries: &[Value], indent: usize, out: &mut String) {
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out.push_str("- ");
        match &entry.kind {
            Kind::List(inner) if !inner.is_empty() => list(inner, indent + 2, out),
            Kind::Map(inner) if !inner.is_empty() => pairs(entry, indent + 2, out),
            _ => {
                scalar(entry, indent + 2, out);
                out.push('\n');
            }
        }
    }
}

fn pairs(mapping: &Value, indent: usize, out: &mut String) {
    for (index, (key, value)) in mapping
        .as_map()
        .into_iter()
        .flat_map(Mapping::iter)
        .enumerate()
    {
        if index > 0 {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        write_key(key, indent, out);
        out.push(':');
        match &value.kind {
            Kind::List(inner) if !inner.is_empty() => {
                next_line(indent + 2, out);
                list(inner, indent + 2, out);
            }
            Kind::Map(inner) if !inner.is_empty() => {
                next_line(indent + 2, out);
                pairs(value, indent + 2, out);
            }
            _ => {
                out.push(' ');
                scalar(value, indent + 2, out);
                out.push('\n');
            }
        }
    }
}

fn next_line(indent: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}

/// A simple key may be 1024 characters long, escapes and quotes included.
const SIMPLE_KEY: usize = 1000;

fn write_key(key: &Value, indent: usize, out: &mut String) {
    let mut text = String::new();
    match &key.kind {
        Kind::String(name) if name.contains('\n') => double_quoted(name, &mut text),
        _ => scalar(key, indent, &mut text),
    }
    if text.chars().count() > SIMPLE_KEY {
        out.push_str("? ");
        out.push_str(&text);
        next_line(indent, out);
    } else {
        out.push_str(&text);
    }
}

/// `indent` is that of the lines of a block, if the scalar becomes one.
fn scalar(value: &Value, indent: usize, out: &mut String) {
    match &value.kind {
        Kind::Null => out.push_str("null"),
        Kind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Kind::Int(int) => out.push_str(&int.value.to_string()),
        Kind::Float(float) => out.push_str(&float_text(*float)),
        Kind::Timestamp(text) if Tag::of_plain(text) != Tag::Timestamp => {
            out.push_str(&format!("!!timestamp '{text}'"));
        }
        Kind::BigInt(text) | Kind::Timestamp(text) => out.push_str(text),
        Kind::String(text) => string(text, indent, out),
        Kind::Bytes(bytes) => {
            out.push_str("!!binary \"");
            out.push_str(&base64::encode(bytes));
            out.push('"');
        }
        Kind::List(_) => out.push_str("[]"),
        Kind::Map(_) => out.push_str("{}"),
    }
}

fn string(text: &str, indent: usize, out: &mut String) {
    if is_safe_plain(text) {
        out.push_str(text);
    } else if is_safe_block(text) {
        block(text, indent, out);
    } else if text.chars().all(is_plain_character) {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    } else {
        double_quoted(text, out);
    }
}

fn block(text: &str, indent: usize, out: &mut String) {
    out.push_str(if text.ends_with('\n') { "|" } else { "|-" });
    for line in text.lines() {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
    }
}

fn double_quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_plain_character(c) => out.push(c),
            c if u32::from(c) > 0xffff => out.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    out.push('"');
}

/// Whether no reader, old or new, takes the text for anything but text.
fn is_safe_plain(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '_'));
    let inner = |c: char| c.is_ascii_alphanumeric() || " _-./@+=,()~%:".contains(c);
    first
        && text.chars().all(inner)
        && !text.contains(": ")
        && !text.ends_with([' ', ':'])
        && Tag::of_plain(text) == Tag::Str
        && !matches!(text, "y" | "Y" | "n" | "N")
}

/// Whether a `|` block keeps the text as it is.
fn is_safe_block(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && !text.ends_with("\n\n")
        && text.lines().all(|line| !line.ends_with([' ', '\t']))
        && text
            .chars()
            .all(|c| c == '\n' || c == '\t' || is_plain_character(c))
}

/// Printable, and neither a break nor a mark to any version of YAML.
const fn is_plain_character(c: char) -> bool {
    lexical::is_printable(c)
        && !matches!(
            c,
            '\t' | '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}'
        )
}

/// YAML 1.1 wants a point, and a sign before the exponent.
fn float_text(float: f64) -> String {
    if float.is_nan() {
        return ".nan".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = format!("{float:?}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return text;
    };
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { "" } else { "+" };
    format!("{digits}{point}e{sign}{exponent}")
}
