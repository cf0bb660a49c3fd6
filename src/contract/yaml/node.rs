//! The pieces that a document is composed from: complete nodes and collections still open.

use granit_parser::Tag as ParsedTag;

use crate::place::Place;

use super::document::{Warning, YamlError};
use super::pairs::{self, Key};
use super::resolve::Tag;
use super::value::{Kind, Mapping, Value};

/// A node that is complete.
#[derive(Clone)]
pub(super) enum Node {
    Value(Value),
    /// A plain `<<`, which is only good as a key.
    Merge(Place),
    /// A plain `=`, which is text as a key and nothing elsewhere.
    Default(Place),
}

/// A node with the number of nodes in it and how deep they nest.
#[derive(Clone)]
pub(super) struct Weighed {
    pub(super) node: Node,
    pub(super) nodes: usize,
    pub(super) height: usize,
}

/// What a node's tag asks for.
#[derive(Clone, Copy)]
pub(super) enum Asked {
    /// No tag: go by the looks.
    Nothing,
    /// `!`: go by the looks, quoted or not.
    Plain,
    Tag(Tag),
}

/// A list or mapping that is still open.
pub(super) struct Frame {
    pub(super) place: Place,
    /// Number of its anchor, or 0.
    pub(super) anchor: usize,
    shape: Shape,
    nodes: usize,
    height: usize,
}

enum Shape {
    List(Vec<Value>),
    /// `!!omap`, `!!pairs`
    Pairs(Vec<Value>),
    Map {
        pairs: Vec<(Key, Value)>,
        key: Option<Key>,
        set: bool,
    },
}

/// What a tag means, if a safe loader knows it.
pub(super) fn tag_of(
    tag: Option<&ParsedTag>,
    place: impl FnOnce() -> Place,
) -> Result<Asked, YamlError> {
    let Some(tag) = tag else {
        return Ok(Asked::Nothing);
    };
    let known = tag
        .suffix_in_namespace("tag:yaml.org,2002:")
        .and_then(|name| Tag::named(&name));
    if let Some(known) = known {
        return Ok(Asked::Tag(known));
    }
    match tag.original().as_str() {
        "!" => Ok(Asked::Plain),
        other => Err(YamlError::new(place(), format!("unknown tag `{other}`"))
            .with_hint("put quotes around a value that begins with `!`")),
    }
}

impl Node {
    pub(super) fn scalar(
        text: &str,
        plain: bool,
        asked: Asked,
        place: Place,
    ) -> Result<Self, YamlError> {
        let tag = match asked {
            Asked::Tag(tag) => tag,
            Asked::Plain => Tag::of_plain(text),
            Asked::Nothing if plain => Tag::of_plain(text),
            Asked::Nothing => Tag::Str,
        };
        match tag {
            Tag::Merge => Ok(Self::Merge(place)),
            Tag::Default => Ok(Self::Default(place)),
            tag => match tag.scalar(text) {
                Ok(kind) => Ok(Self::Value(Value::new(kind, place))),
                Err(expected) => Err(YamlError::new(place, expected)
                    .with_hint("put quotes around it if it is meant as text")),
            },
        }
    }

    pub(super) const fn place(&self) -> &Place {
        match self {
            Self::Value(value) => &value.place,
            Self::Merge(place) | Self::Default(place) => place,
        }
    }

    pub(super) fn into_value(self) -> Result<Value, YamlError> {
        let misplaced = |place: Place, mark: &str| {
            YamlError::new(place, format!("`{mark}` is only for the keys of mappings"))
                .with_hint("put quotes around it if it is meant as text")
        };
        match self {
            Self::Value(value) => Ok(value),
            Self::Merge(place) => Err(misplaced(place, "<<")),
            Self::Default(place) => Err(misplaced(place, "=")),
        }
    }

    fn into_key(self) -> Key {
        match self {
            Self::Value(value) => Key::Own(value),
            Self::Merge(place) => Key::Merge(place),
            Self::Default(place) => Key::Own(Value::new(Kind::from("="), place)),
        }
    }
}

impl Frame {
    pub(super) fn list(asked: Asked, place: Place, anchor: usize) -> Result<Self, YamlError> {
        let shape = match asked {
            Asked::Nothing | Asked::Plain | Asked::Tag(Tag::Seq) => Shape::List(Vec::new()),
            Asked::Tag(Tag::Omap | Tag::Pairs) => Shape::Pairs(Vec::new()),
            Asked::Tag(_) => return Err(YamlError::new(place, "a list cannot have this tag")),
        };
        Ok(Self {
            place,
            anchor,
            shape,
            nodes: 1,
            height: 1,
        })
    }

    pub(super) fn mapping(asked: Asked, place: Place, anchor: usize) -> Result<Self, YamlError> {
        let set = match asked {
            Asked::Nothing | Asked::Plain | Asked::Tag(Tag::Map) => false,
            Asked::Tag(Tag::Set) => true,
            Asked::Tag(_) => return Err(YamlError::new(place, "a mapping cannot have this tag")),
        };
        let shape = Shape::Map {
            pairs: Vec::new(),
            key: None,
            set,
        };
        Ok(Self {
            place,
            anchor,
            shape,
            nodes: 1,
            height: 1,
        })
    }

    pub(super) fn put(&mut self, sized: Weighed) -> Result<(), YamlError> {
        self.nodes = self.nodes.saturating_add(sized.nodes);
        self.height = self.height.max(sized.height + 1);
        match &mut self.shape {
            Shape::List(entries) => entries.push(sized.node.into_value()?),
            Shape::Pairs(entries) => entries.push(pair(sized.node.into_value()?)?),
            Shape::Map { pairs, key, set } => match key.take() {
                None => *key = Some(sized.node.into_key()),
                Some(merge @ Key::Merge(_)) => pairs.push((merge, sized.node.into_value()?)),
                Some(own) => {
                    let mut value = sized.node.into_value()?;
                    if *set {
                        value.kind = Kind::Null;
                    }
                    pairs.push((own, value));
                }
            },
        }
        Ok(())
    }

    pub(super) fn close(self, warnings: &mut Vec<Warning>) -> Result<Weighed, YamlError> {
        let kind = match self.shape {
            Shape::List(entries) | Shape::Pairs(entries) => Kind::List(entries),
            Shape::Map { pairs, .. } => Kind::Map(pairs::mapping(pairs, warnings)?),
        };
        let node = Node::Value(Value::new(kind, self.place));
        Ok(Weighed {
            node,
            nodes: self.nodes,
            height: self.height,
        })
    }
}

/// An entry of `!!omap` or `!!pairs`: a mapping of one pair, as a list of two.
fn pair(entry: Value) -> Result<Value, YamlError> {
    let mut pairs = match entry.kind {
        Kind::Map(mapping) => mapping,
        _ => Mapping::new(),
    }
    .into_iter();
    match (pairs.next(), pairs.next()) {
        (Some((key, value)), None) => Ok(Value::new(Kind::List(vec![key, value]), entry.place)),
        _ => Err(YamlError::new(
            entry.place,
            "expected a mapping of one pair",
        )),
    }
}
