//! The three mergers: of mappings, of lists and of text.
//!
//! Each has the type of the earlier value; the later one may be of any type that led to it. What
//! Python makes of an odd pair is kept: a list that text is appended to gets its characters.
//! Source: cloud-init, `cloudinit/mergers/m_dict.py`, `m_list.py`, `m_str.py`.

use contract::yaml::{Kind, Mapping, Value};

use super::MergeError;
use super::how::{Dict, How, List, Method, Text};

impl How {
    /// Whether there are values that cannot be merged so.
    pub(super) fn may_fail(&self) -> bool {
        let replaces = self.list.is_none_or(|list| list.method == Method::Replace);
        !replaces || self.text.is_some_and(|text| text.append)
    }

    /// Merges `later` into `earlier`.
    pub(super) fn merge(&self, earlier: Mapping, later: Mapping) -> Result<Mapping, MergeError> {
        match &self.dict {
            Some(dict) => self.mappings(*dict, earlier, later),
            None => Ok(earlier),
        }
    }

    fn values(&self, earlier: Value, later: Value) -> Result<Value, MergeError> {
        let Value { kind, place } = earlier;
        Ok(match (kind, self.dict, self.list, self.text) {
            (Kind::Map(map), Some(dict), ..) => match later.kind {
                Kind::Map(later) => Value::new(Kind::Map(self.mappings(dict, map, later)?), place),
                _ => Value::new(Kind::Map(map), place),
            },
            (Kind::List(list), _, Some(how), _) => {
                let Kind::List(entries) = later.kind else {
                    return self.list_with_other(how, Value::new(Kind::List(list), place), later);
                };
                Value::new(Kind::List(self.lists(how, list, entries)?), place)
            }
            (Kind::String(mut text), .., Some(Text { append: true })) => {
                let Kind::String(more) = later.kind else {
                    let found = later.kind.name();
                    return Err(cannot(
                        &later,
                        &format!("text cannot have {found} appended"),
                    ));
                };
                text.push_str(&more);
                Value::new(Kind::String(text), place)
            }
            (Kind::String(_), .., Some(Text { append: false })) => later,
            (kind, ..) => Value::new(kind, place),
        })
    }

    fn mappings(&self, how: Dict, earlier: Mapping, later: Mapping) -> Result<Mapping, MergeError> {
        earlier.join(later, |old, new| {
            if new.is_null() && how.allow_delete {
                return Ok(None);
            }
            let merges = match new.kind {
                Kind::List(_) => how.recurse_list,
                Kind::String(_) => how.recurse_str,
                Kind::Map(_) => true,
                _ => false,
            };
            Ok(Some(match (how.replace, merges) {
                (true, _) => new,
                (false, true) => self.values(old, new)?,
                (false, false) => old,
            }))
        })
    }

    fn lists(
        &self,
        how: List,
        earlier: Vec<Value>,
        later: Vec<Value>,
    ) -> Result<Vec<Value>, MergeError> {
        Ok(match how.method {
            Method::Append => join(earlier, later),
            Method::Prepend => join(later, earlier),
            Method::NoReplace => earlier,
            Method::Replace => {
                let mut later = later.into_iter();
                let merged = earlier.into_iter().map(|old| match later.next() {
                    Some(new) => self.entries(how, old, new),
                    None => Ok(old),
                });
                merged.collect::<Result<_, _>>()?
            }
        })
    }

    fn entries(&self, how: List, old: Value, new: Value) -> Result<Value, MergeError> {
        let merges = match new.kind {
            Kind::List(_) => how.recurse_list,
            Kind::String(_) => how.recurse_str,
            Kind::Map(_) => how.recurse_dict,
            _ => false,
        };
        if merges {
            self.values(old, new)
        } else {
            Ok(new)
        }
    }

    /// What is not a list is one where Python can go through it: the characters of text, the keys
    /// of a mapping.
    fn list_with_other(
        &self,
        how: List,
        earlier: Value,
        later: Value,
    ) -> Result<Value, MergeError> {
        if how.method == Method::Replace {
            return Ok(later);
        }
        let Kind::List(list) = earlier.kind else {
            return Ok(earlier);
        };
        if how.method == Method::NoReplace {
            // An index into a mapping is a key, and there is none.
            if matches!(&later.kind, Kind::Map(map) if !map.is_empty()) && !list.is_empty() {
                return Err(cannot(&later, "a list cannot be compared with a mapping"));
            }
            return Ok(Value::new(Kind::List(list), earlier.place));
        }
        let place = later.place.clone();
        let entries: Vec<Value> = match later.kind {
            Kind::Map(map) => map.into_iter().map(|(key, _)| key).collect(),
            Kind::String(text) => {
                let letter = |c: char| Value::new(Kind::String(c.to_string()), place.clone());
                text.chars().map(letter).collect()
            }
            _ => Vec::new(),
        };
        let merged = self.lists(how, list, entries)?;
        Ok(Value::new(Kind::List(merged), earlier.place))
    }
}

fn join(mut first: Vec<Value>, second: Vec<Value>) -> Vec<Value> {
    first.extend(second);
    first
}

fn cannot(value: &Value, message: &str) -> MergeError {
    MergeError {
        place: value.place.clone(),
        message: message.to_owned(),
        hint: None,
    }
}
