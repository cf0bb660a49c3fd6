//! A [`Value`] as a serde deserializer. Errors carry the innermost place and the path to it.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

use super::error::DecodeError;
use super::handover::{self, Found};
use super::value::{Kind, Value};

/// Decodes a value that stands under `path`, so that errors name it from there.
pub(super) fn decode<'de, T: Deserialize<'de>>(
    value: &'de Value,
    path: &str,
) -> Result<T, DecodeError> {
    T::deserialize(At {
        value,
        path: Path::Root(path),
    })
}

/// A value under a path.
#[derive(Clone, Copy)]
pub(super) struct At<'de, 'p> {
    value: &'de Value,
    path: Path<'p>,
}

#[derive(Clone, Copy)]
enum Path<'p> {
    Root(&'p str),
    Key(&'p Path<'p>, &'p Value),
    Index(&'p Path<'p>, usize),
}

impl<'de> At<'de, 'static> {
    pub(super) const fn root(value: &'de Value) -> Self {
        Self {
            value,
            path: Path::Root(""),
        }
    }
}

impl<'de> At<'de, '_> {
    /// Adds place and path unless something further in has done so.
    fn locate<T>(self, result: Result<T, DecodeError>) -> Result<T, DecodeError> {
        result.map_err(|error| match error.place {
            Some(_) => error,
            None => DecodeError {
                place: Some(self.value.place.clone()),
                path: self.path.to_string(),
                message: error.message,
            },
        })
    }

    fn expected<T>(self, what: &str) -> Result<T, DecodeError> {
        let found = self.value.kind.name();
        self.locate(Err(DecodeError::new(format!(
            "expected {what}, found {found}"
        ))))
    }

    fn list<V: Visitor<'de>>(
        self,
        entries: &'de [Value],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let access = Entries {
            entries: entries.iter().enumerate(),
            path: &self.path,
        };
        self.locate(visitor.visit_seq(access))
    }

    fn map<V: Visitor<'de>>(
        self,
        pairs: Vec<(&'de Value, &'de Value)>,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let access = Pairs {
            pairs: pairs.into_iter(),
            value: None,
            path: &self.path,
        };
        self.locate(visitor.visit_map(access))
    }

    fn integer<V: Visitor<'de>>(
        self,
        least: i128,
        most: i128,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.value.kind {
            Kind::Int(int) if (least..=most).contains(&int.value) => {
                self.locate(visit_integer(int.value, visitor))
            }
            Kind::Int(_) | Kind::BigInt(_) => self.locate(Err(DecodeError::new(format!(
                "expected an integer from {least} to {most}"
            )))),
            _ => self.expected("an integer"),
        }
    }
}

/// serde's visitors for small integers know the 64-bit forms best.
fn visit_integer<'de, V: Visitor<'de>>(value: i128, visitor: V) -> Result<V::Value, DecodeError> {
    match (u64::try_from(value), i64::try_from(value)) {
        (Ok(value), _) => visitor.visit_u64(value),
        (_, Ok(value)) => visitor.visit_i64(value),
        _ => visitor.visit_i128(value),
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            let (least, most) = (<$type>::MIN, <$type>::MAX);
            self.integer(least.into(), most.into(), visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for At<'de, '_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let visited = match &self.value.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Int(int) => visit_integer(int.value, visitor),
            Kind::Float(float) => visitor.visit_f64(*float),
            Kind::BigInt(text) | Kind::String(text) | Kind::Timestamp(text) => {
                visitor.visit_borrowed_str(text)
            }
            Kind::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Kind::List(entries) => return self.list(entries, visitor),
            Kind::Map(mapping) => return self.map(mapping.iter().collect(), visitor),
        };
        self.locate(visited)
    }

    integers! {
        deserialize_i8: i8,
        deserialize_i16: i16,
        deserialize_i32: i32,
        deserialize_i64: i64,
        deserialize_i128: i128,
        deserialize_u8: u8,
        deserialize_u16: u16,
        deserialize_u32: u32,
        deserialize_u64: u64,
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.integer(0, i128::MAX, visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value.kind {
            Kind::Bool(value) => self.locate(visitor.visit_bool(value)),
            _ => self.expected("a boolean"),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.value.kind {
            Kind::Float(float) => self.locate(visitor.visit_f64(*float)),
            Kind::Int(int) => self.locate(visit_integer(int.value, visitor)),
            _ => self.expected("a number"),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.value.kind {
            Kind::String(text) | Kind::Timestamp(text) => {
                self.locate(visitor.visit_borrowed_str(text))
            }
            _ => self.expected("a string"),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.value.kind {
            Kind::Bytes(bytes) => self.locate(visitor.visit_borrowed_bytes(bytes)),
            Kind::String(text) => self.locate(visitor.visit_borrowed_bytes(text.as_bytes())),
            _ => self.expected("a string or bytes"),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.locate(match self.value.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        })
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value.kind {
            Kind::Null => self.locate(visitor.visit_unit()),
            _ => self.expected("nothing"),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.locate(match name {
            handover::VALUE => {
                let found = Found {
                    value: self.value.clone(),
                    path: self.path.to_string(),
                };
                handover::with_value(found, || visitor.visit_unit())
            }
            handover::PLACED => handover::with_place(self.value.place.clone(), || {
                visitor.visit_newtype_struct(self)
            }),
            _ => visitor.visit_newtype_struct(self),
        })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.value.kind {
            Kind::List(entries) => self.list(entries, visitor),
            _ => self.expected("a list"),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.value.kind {
            Kind::List(entries) if entries.len() == length => self.list(entries, visitor),
            _ => self.expected(&format!("a list of {length}")),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.value.kind {
            Kind::Map(mapping) => self.map(mapping.iter().collect(), visitor),
            _ => self.expected("a mapping"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let pair = self.value.as_map().filter(|mapping| mapping.len() == 1);
        let choice = match (
            &self.value.kind,
            pair.and_then(|mapping| mapping.iter().next()),
        ) {
            (Kind::String(_), _) => Choice {
                name: self,
                content: None,
            },
            (_, Some((key, value))) => {
                let name = At {
                    value: key,
                    path: self.path,
                };
                Choice {
                    name,
                    content: Some(At {
                        value,
                        path: self.path,
                    }),
                }
            }
            _ => return self.expected("a string"),
        };
        self.locate(visitor.visit_enum(choice))
    }

    /// A struct's key. One that is not text names no field, and is reported by its text.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value.to_text() {
            Some(name) => self.locate(visitor.visit_str(&name)),
            None => self.expected("a key that is text"),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.locate(visitor.visit_unit())
    }
}

struct Entries<'de, 'p> {
    entries: std::iter::Enumerate<std::slice::Iter<'de, Value>>,
    path: &'p Path<'p>,
}

impl<'de> SeqAccess<'de> for Entries<'de, '_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let Some((index, value)) = self.entries.next() else {
            return Ok(None);
        };
        let at = At {
            value,
            path: Path::Index(self.path, index),
        };
        at.locate(seed.deserialize(at)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

struct Pairs<'de, 'p> {
    pairs: std::vec::IntoIter<(&'de Value, &'de Value)>,
    value: Option<(&'de Value, &'de Value)>,
    path: &'p Path<'p>,
}

impl<'de> MapAccess<'de> for Pairs<'de, '_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        self.value = self.pairs.next();
        let Some((key, _)) = self.value else {
            return Ok(None);
        };
        let at = At {
            value: key,
            path: *self.path,
        };
        at.locate(seed.deserialize(at)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DecodeError> {
        let Some((key, value)) = self.value.take() else {
            return Err(DecodeError::new("a value was asked for before its key"));
        };
        let at = At {
            value,
            path: Path::Key(self.path, key),
        };
        at.locate(seed.deserialize(at))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.pairs.len())
    }
}

/// A choice among an enum's variants: its name, and its content if it has one.
struct Choice<'de, 'p> {
    name: At<'de, 'p>,
    content: Option<At<'de, 'p>>,
}

impl<'de, 'p> EnumAccess<'de> for Choice<'de, 'p> {
    type Error = DecodeError;
    type Variant = Content<'de, 'p>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), DecodeError> {
        let variant = self.name.locate(seed.deserialize(self.name))?;
        Ok((
            variant,
            Content {
                name: self.name,
                content: self.content,
            },
        ))
    }
}

struct Content<'de, 'p> {
    name: At<'de, 'p>,
    content: Option<At<'de, 'p>>,
}

impl<'de, 'p> Content<'de, 'p> {
    fn required(self) -> Result<At<'de, 'p>, DecodeError> {
        self.content
            .map_or_else(|| self.name.expected("a mapping of one key"), Ok)
    }
}

impl<'de> VariantAccess<'de> for Content<'de, '_> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        self.content.map_or(Ok(()), Deserialize::deserialize)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        seed.deserialize(self.required()?)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.required()?.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.required()?.deserialize_map(visitor)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(path) => f.write_str(path),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Self::Key(parent, key) => {
                let separator = if matches!(parent, Path::Root("")) {
                    ""
                } else {
                    "."
                };
                let name = key.to_text().unwrap_or_else(|| key.kind.name().to_owned());
                write!(f, "{parent}{separator}{name}")
            }
        }
    }
}
