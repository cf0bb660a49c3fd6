//! What a YAML text says: values, each with the place where it was written.

use std::fmt;

use crate::place::Place;

/// A YAML value and the place where it begins.
///
/// Two values are equal if they say the same, wherever they were written. `Debug` shows the shape
/// and the keys and never a scalar: configuration holds passwords.
#[derive(Clone)]
pub struct Value {
    /// What it is.
    pub kind: Kind,
    /// Where it was written; for an alias, where the anchored node was.
    pub place: Place,
}

/// The kinds of values that `PyYAML`'s safe loader gives.
#[derive(Clone, PartialEq)]
pub enum Kind {
    /// `null`, `~` or nothing.
    Null,
    /// `true`, `yes`, `on` and so forth.
    Bool(bool),
    /// A whole number.
    Int(Integer),
    /// A whole number that does not fit into an [`Integer`], as it was written.
    BigInt(String),
    /// A number with a point, infinity or not-a-number.
    Float(f64),
    /// Text.
    String(String),
    /// `!!binary`, decoded.
    Bytes(Vec<u8>),
    /// A date, or a date and time of day: a real one, as it was written.
    Timestamp(String),
    /// A sequence. `!!omap` and `!!pairs` are lists of lists of two.
    List(Vec<Value>),
    /// A mapping. `!!set` is a mapping to null.
    Map(Mapping),
}

/// A whole number that remembers how it was written.
#[derive(Clone, PartialEq, Eq)]
pub struct Integer {
    /// The number.
    pub value: i128,
    notation: Notation,
}

/// How a whole number was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// `420`.
    Decimal,
    /// `0644`: a leading zero means base 8.
    Octal,
    /// `0x1a4`.
    Hexadecimal,
    /// `0b110100100`.
    Binary,
    /// `1:30`, base 60: ninety.
    Sexagesimal,
}

/// Pairs in the order in which they were written, the keys distinct.
#[derive(Clone, Default, PartialEq)]
pub struct Mapping {
    pairs: Vec<(Value, Value)>,
}

/// So many bytes of text weigh as much as a value.
const TEXT_PER_VALUE: usize = 64;

/// What a text weighs: see [`Value::weight`].
pub(super) const fn weight_of_text(text: &str) -> usize {
    1 + text.len() / TEXT_PER_VALUE
}

impl Value {
    /// What it costs to copy it: one for each scalar, list, mapping and key in it, and one more for
    /// each 64 bytes of text.
    #[must_use]
    pub fn weight(&self) -> usize {
        match &self.kind {
            Kind::String(text) | Kind::BigInt(text) | Kind::Timestamp(text) => weight_of_text(text),
            Kind::Bytes(bytes) => 1 + bytes.len() / TEXT_PER_VALUE,
            Kind::List(entries) => entries
                .iter()
                .fold(1, |sum, entry| sum.saturating_add(entry.weight())),
            Kind::Map(map) => map.weight(),
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => 1,
        }
    }

    /// A value at a place.
    #[must_use]
    pub const fn new(kind: Kind, place: Place) -> Self {
        Self { kind, place }
    }

    /// Whether it is null.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// The text, if it is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Kind::String(text) = &self.kind {
            Some(text)
        } else {
            None
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        if let Kind::Bool(value) = self.kind {
            Some(value)
        } else {
            None
        }
    }

    /// The whole number, if it is one.
    #[must_use]
    pub const fn as_int(&self) -> Option<i128> {
        if let Kind::Int(int) = &self.kind {
            Some(int.value)
        } else {
            None
        }
    }

    /// The entries, if it is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        if let Kind::List(entries) = &self.kind {
            Some(entries)
        } else {
            None
        }
    }

    /// The pairs, if it is a mapping.
    #[must_use]
    pub const fn as_map(&self) -> Option<&Mapping> {
        if let Kind::Map(mapping) = &self.kind {
            Some(mapping)
        } else {
            None
        }
    }

    /// The value of a key, if it is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// Its text as Python's `str()` gives it: what cloud-init makes of a number where it wants
    /// text (`True`, `420` for `0644`, `1.5`). `None` for null, bytes and collections.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        match &self.kind {
            Kind::Bool(true) => Some("True".to_owned()),
            Kind::Bool(false) => Some("False".to_owned()),
            Kind::Int(int) => Some(int.value.to_string()),
            Kind::Float(float) => Some(python_float(*float)),
            Kind::BigInt(text) | Kind::String(text) | Kind::Timestamp(text) => Some(text.clone()),
            Kind::Null | Kind::Bytes(_) | Kind::List(_) | Kind::Map(_) => None,
        }
    }
}

impl Kind {
    /// What to call it in a message: `a string`, `a list`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::BigInt(_) => "an integer",
            Self::Float(_) => "a number",
            Self::String(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::Timestamp(_) => "a date",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl Integer {
    /// A number written in this notation.
    #[must_use]
    pub const fn new(value: i128, notation: Notation) -> Self {
        Self { value, notation }
    }

    /// How it was written: `permissions: 644` is almost always a forgotten zero or quotes.
    #[must_use]
    pub const fn notation(&self) -> Notation {
        self.notation
    }
}

impl Mapping {
    /// See [`Value::weight`].
    #[must_use]
    pub fn weight(&self) -> usize {
        self.iter().fold(1, |sum, (key, value)| {
            sum.saturating_add(key.weight())
                .saturating_add(value.weight())
        })
    }

    /// A mapping without pairs.
    #[must_use]
    pub const fn new() -> Self {
        Self { pairs: Vec::new() }
    }

    /// A mapping of pairs no two of which have the same key. Collecting compares each key with all others.
    #[must_use]
    pub const fn of_distinct(pairs: Vec<(Value, Value)>) -> Self {
        Self { pairs }
    }

    /// The value of a key that is text.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.pairs
            .iter()
            .find(|(own, _)| own.as_str() == Some(key))
            .map(|(_, value)| value)
    }

    /// The value of a key that is text, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.pairs
            .iter_mut()
            .find(|(own, _)| own.as_str() == Some(key))
            .map(|(_, value)| value)
    }

    /// The pair of a key that is text, with the key's own place.
    #[must_use]
    pub fn get_pair(&self, key: &str) -> Option<(&Value, &Value)> {
        self.iter().find(|(own, _)| own.as_str() == Some(key))
    }

    /// Whether there is such a key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of a key and gives the old one. A key that is there keeps its position, as
    /// in Python's dict.
    pub fn insert(&mut self, key: Value, value: Value) -> Option<Value> {
        if let Some((_, old)) = self.pairs.iter_mut().find(|(own, _)| *own == key) {
            return Some(std::mem::replace(old, value));
        }
        self.pairs.push((key, value));
        None
    }

    /// Takes a key that is text out and gives its value.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self
            .pairs
            .iter()
            .position(|(own, _)| own.as_str() == Some(key))?;
        Some(self.pairs.remove(at).1)
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Value, &Value)> + ExactSizeIterator {
        self.pairs.iter().map(|(key, value)| (key, value))
    }

    /// The pairs in order, the values to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Value, &mut Value)> {
        self.pairs.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &Value> {
        self.pairs.iter().map(|(key, _)| key)
    }

    /// How many pairs there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

impl IntoIterator for Mapping {
    type Item = (Value, Value);
    type IntoIter = std::vec::IntoIter<(Value, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.pairs.into_iter()
    }
}

/// Later pairs replace earlier ones of the same key.
impl FromIterator<(Value, Value)> for Mapping {
    fn from_iter<I: IntoIterator<Item = (Value, Value)>>(pairs: I) -> Self {
        let mut mapping = Self::new();
        for (key, value) in pairs {
            mapping.insert(key, value);
        }
        mapping
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl From<i128> for Integer {
    fn from(value: i128) -> Self {
        Self::new(value, Notation::Decimal)
    }
}

impl From<&str> for Kind {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Kind {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Kind {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i128> for Kind {
    fn from(value: i128) -> Self {
        Self::Int(value.into())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(entries) => f.debug_list().entries(entries).finish(),
            Self::Map(mapping) => mapping.fmt(f),
            scalar => write!(f, "‹{}›", scalar.name()),
        }
    }
}

impl fmt::Debug for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹an integer›")
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |key: &Value| key.to_text().unwrap_or_else(|| key.kind.name().to_owned());
        f.debug_map()
            .entries(self.iter().map(|(key, value)| (named(key), value)))
            .finish()
    }
}

/// Python's `repr` of a float. Rust switches to an exponent at the same sizes and writes it
/// without sign and padding.
fn python_float(float: f64) -> String {
    let text = if float.is_nan() {
        "nan".to_owned()
    } else {
        format!("{float:?}")
    };
    let Some((digits, exponent)) = text.split_once('e') else {
        return text;
    };
    match exponent.strip_prefix('-') {
        Some(size) => format!("{digits}e-{size:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}
