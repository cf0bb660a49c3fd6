//! JSON Pointer (RFC 6901): where in a document something stands.

use std::fmt;

use contract::yaml::{Kind, Value};

use super::MAX_DEPTH;

/// Keys and indexes from the top; none is the document itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer {
    steps: Vec<String>,
}

/// To move so many entries of a list costs as much as to add a value.
const MOVED_PER_VALUE: usize = 100;

/// How large a value is; its nodes are what it weighs, keys apart.
pub(super) struct Size {
    pub(super) nodes: usize,
    height: usize,
}

pub(super) fn size(value: &Value) -> Size {
    let of = |inner: &mut dyn Iterator<Item = &Value>| {
        let mut sum = Size {
            nodes: 1,
            height: 1,
        };
        for value in inner {
            let own = size(value);
            sum.nodes = sum.nodes.saturating_add(own.nodes);
            sum.height = sum.height.max(own.height.saturating_add(1));
        }
        sum
    };
    match &value.kind {
        Kind::List(entries) => of(&mut entries.iter()),
        Kind::Map(map) => of(&mut map.iter().map(|(_, value)| value)),
        _ => Size {
            nodes: value.weight(),
            height: 1,
        },
    }
}

impl Pointer {
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self { steps: Vec::new() });
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err("a path begins with `/`, or is empty for the whole document".to_owned());
        };
        let steps: Result<Vec<String>, String> = rest.split('/').map(unescape).collect();
        let steps = steps?;
        if steps.len() >= MAX_DEPTH {
            return Err(format!("a path has fewer than {MAX_DEPTH} steps"));
        }
        Ok(Self { steps })
    }

    /// Whether `other` is something within this.
    pub(super) fn is_above(&self, other: &Self) -> bool {
        other.steps.len() > self.steps.len() && other.steps.starts_with(&self.steps)
    }

    /// The number of a value's nodes, if it may stand here.
    pub(super) fn fits(&self, value: &Value) -> Result<usize, String> {
        let Size { nodes, height } = size(value);
        if self.steps.len().saturating_add(height) > MAX_DEPTH {
            return Err(format!(
                "the document would nest more than {MAX_DEPTH} deep"
            ));
        }
        Ok(nodes)
    }

    pub(super) fn find<'v>(&self, document: &'v Value) -> Result<&'v Value, String> {
        let mut value = document;
        for step in &self.steps {
            value = match &value.kind {
                Kind::Map(map) => map.get(step),
                Kind::List(list) => list.get(index(step, list.len())?),
                other => return Err(no_container(step, other)),
            }
            .ok_or_else(|| nothing(step))?;
        }
        Ok(value)
    }

    pub(super) fn find_mut<'v>(&self, document: &'v mut Value) -> Result<&'v mut Value, String> {
        find_mut(document, &self.steps)
    }

    /// Adds a value and gives the number of its nodes: a new key or a key's new value, or an entry
    /// before the one that has this index, `-` behind all.
    pub(super) fn add(&self, document: &mut Value, value: Value) -> Result<usize, String> {
        let nodes = self.fits(&value)?;
        let Some((step, above)) = self.steps.split_last() else {
            *document = value;
            return Ok(nodes);
        };
        let parent = find_mut(document, above)?;
        let place = value.place.clone();
        let mut moved = 0;
        match &mut parent.kind {
            Kind::Map(map) => {
                map.insert(Value::new(Kind::from(step.as_str()), place), value);
            }
            Kind::List(list) => {
                let at = match step.as_str() {
                    "-" => list.len(),
                    step => index(step, list.len() + 1)?,
                };
                moved = list.len().saturating_sub(at);
                list.insert(at, value);
            }
            other => return Err(no_container(step, other)),
        }
        Ok(nodes.saturating_add(moved / MOVED_PER_VALUE))
    }

    /// Takes what stands here out; tells what moving the entries behind it weighs.
    pub(super) fn remove(&self, document: &mut Value) -> Result<(Value, usize), String> {
        let Some((step, above)) = self.steps.split_last() else {
            return Err("the whole document cannot be removed".to_owned());
        };
        let parent = find_mut(document, above)?;
        match &mut parent.kind {
            Kind::Map(map) => {
                let value = map.remove(step).ok_or_else(|| nothing(step))?;
                Ok((value, 0))
            }
            Kind::List(list) => {
                let at = index(step, list.len())?;
                let moved = list.len().saturating_sub(at);
                Ok((list.remove(at), moved / MOVED_PER_VALUE))
            }
            other => Err(no_container(step, other)),
        }
    }
}

fn find_mut<'v>(document: &'v mut Value, steps: &[String]) -> Result<&'v mut Value, String> {
    let mut value = document;
    for step in steps {
        value = match &mut value.kind {
            Kind::Map(map) => map.get_mut(step),
            Kind::List(list) => {
                let at = index(step, list.len())?;
                list.get_mut(at)
            }
            other => return Err(no_container(step, other)),
        }
        .ok_or_else(|| nothing(step))?;
    }
    Ok(value)
}

/// An index below `end`, without sign or leading zeros.
fn index(step: &str, end: usize) -> Result<usize, String> {
    let is_number = step.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || step.is_empty() || (step.len() > 1 && step.starts_with('0')) {
        return Err(match step {
            "-" => "there is nothing behind a list's last entry".to_owned(),
            step => format!("`{step}` is not an index into a list"),
        });
    }
    let at = step.parse().ok().filter(|at| *at < end);
    at.ok_or_else(|| format!("there is no entry {step}"))
}

fn nothing(step: &str) -> String {
    format!("there is no key `{step}`")
}

fn no_container(step: &str, kind: &Kind) -> String {
    format!("there is no `{step}` in {}", kind.name())
}

fn unescape(step: &str) -> Result<String, String> {
    let mut text = String::with_capacity(step.len());
    let mut letters = step.chars();
    while let Some(letter) = letters.next() {
        text.push(match letter {
            '~' => match letters.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err("in a path `~` is written `~0`, and `/` in a key `~1`".to_owned()),
            },
            letter => letter,
        });
    }
    Ok(text)
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            write!(f, "/{}", step.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}
