//! From the parser's events to one value with places, within limits.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use granit_parser::{Event, Marker, Options, Parser, ScalarStyle, ScanError, Span};

use crate::place::Place;

use super::document::{Document, Limits, Warning, YamlError};
use super::lexical;
use super::node::{Frame, Node, Weighed, tag_of};
use super::syntax;
use super::value::{Kind, Value};

/// Reads one document that begins at line `first_line` of its source.
pub(super) fn document(
    text: &str,
    source: Arc<str>,
    first_line: u32,
    limits: &Limits,
) -> Result<Document, YamlError> {
    let mut composer = Composer::new(source, first_line, limits);
    composer.check_characters(text)?;
    let (text, dash) = lexical::protect_dashes(text);
    composer.dash = dash;
    for event in Parser::new_from_str_with_options(&text, options(limits)) {
        let (event, span) = event.map_err(|error| composer.syntax_error(&text, &error))?;
        composer.take(event, span)?;
    }
    composer.check_tabs(&text)?;
    let value = match composer.root {
        Some(root) => root.into_value()?,
        None => Value::new(Kind::Null, composer.whole),
    };
    Ok(Document {
        value,
        warnings: composer.warnings,
    })
}

fn options(limits: &Limits) -> Options {
    granit_parser::options! {
        block_scalar_eof_without_line_feed: true,
        bom_inside_document_as_content: true,
        emit_anchor_events: true,
        flow_nesting_limit: limits.depth,
        block_nesting_limit: limits.depth,
    }
}

struct Composer<'l> {
    whole: Place,
    first_line: u32,
    limits: &'l Limits,
    stack: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, Weighed>,
    anchor_names: HashMap<String, Place>,
    nodes: usize,
    documents: usize,
    opaque: Vec<Range<usize>>,
    /// What stands for a dash, see [`lexical::protect_dashes`].
    dash: Option<char>,
    warnings: Vec<Warning>,
}

impl<'l> Composer<'l> {
    fn new(source: Arc<str>, first_line: u32, limits: &'l Limits) -> Self {
        Self {
            whole: Place::whole(source),
            first_line: first_line.max(1),
            limits,
            stack: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            anchor_names: HashMap::new(),
            nodes: 0,
            documents: 0,
            opaque: Vec::new(),
            dash: None,
            warnings: Vec::new(),
        }
    }

    fn check_characters(&self, text: &str) -> Result<(), YamlError> {
        if text.len() > self.limits.bytes {
            let message = format!("longer than the limit of {} bytes", self.limits.bytes);
            return Err(YamlError::new(self.whole.clone(), message));
        }
        match lexical::unprintable(text) {
            Some(at) => Err(YamlError::new(
                self.place_at(text, at),
                "a control character is not allowed in YAML",
            )
            .with_hint("write it as an escape such as \"\\x07\" in double quotes")),
            None => Ok(()),
        }
    }

    fn check_tabs(&self, text: &str) -> Result<(), YamlError> {
        match self.stray_tab(text) {
            Some(place) => Err(syntax::tab(place)),
            None => Ok(()),
        }
    }

    /// A tab before the place where the parser stopped is the likelier cause.
    fn syntax_error(&self, text: &str, error: &ScanError) -> YamlError {
        let place = self.place_of(error.marker().line(), error.marker().col() + 1);
        match self.stray_tab(text) {
            Some(tab) if (tab.line, tab.column) <= (place.line, place.column) => syntax::tab(tab),
            _ => syntax::error(place, error.kind()),
        }
    }

    fn stray_tab(&self, text: &str) -> Option<Place> {
        if !text.contains('\t') {
            return None;
        }
        lexical::stray_tab(text, &self.opaque).map(|at| self.place_at(text, at))
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlError> {
        let place = self.place_of(span.start.line(), span.start.col() + 1);
        match event {
            Event::DocumentStart(..) => self.start_document(place),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                if !plain {
                    self.opaque.extend(span.byte_range());
                }
                let tag = tag_of(tag.as_deref(), || self.tag_place(span, &place))?;
                let text = match self.dash {
                    Some(dash) => Cow::Owned(text.replace(dash, "-")),
                    None => text,
                };
                let nodes = super::value::weight_of_text(&text);
                let node = Node::scalar(&text, plain, tag, place)?;
                self.finish(
                    Weighed {
                        node,
                        nodes,
                        height: 0,
                    },
                    anchor,
                )
            }
            Event::SequenceStart(_, anchor, tag) => {
                let tag = tag_of(tag.as_deref(), || self.tag_place(span, &place))?;
                self.open(Frame::list(tag, place, anchor)?)
            }
            Event::MappingStart(_, anchor, tag) => {
                let tag = tag_of(tag.as_deref(), || self.tag_place(span, &place))?;
                self.open(Frame::mapping(tag, place, anchor)?)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => self.expand(id, place),
            Event::Anchor(_, name) => self.name_anchor(&name, place),
            _ => Ok(()),
        }
    }

    fn tag_place(&self, span: Span, content: &Place) -> Place {
        let place = |start: Marker| self.place_of(start.line(), start.col() + 1);
        span.tag_start().map_or_else(|| content.clone(), place)
    }

    fn start_document(&mut self, place: Place) -> Result<(), YamlError> {
        self.documents += 1;
        if self.documents > 1 {
            return Err(
                YamlError::new(place, "expected one document, found another")
                    .with_hint("only one `---` is allowed, at the beginning"),
            );
        }
        Ok(())
    }

    fn open(&mut self, frame: Frame) -> Result<(), YamlError> {
        if self.stack.len() >= self.limits.depth {
            return Err(self.too_deep(frame.place));
        }
        self.stack.push(frame);
        Ok(())
    }

    fn close(&mut self) -> Result<(), YamlError> {
        let Some(frame) = self.stack.pop() else {
            return Ok(());
        };
        let anchor = frame.anchor;
        let node = frame.close(&mut self.warnings)?;
        self.finish(node, anchor)
    }

    /// Puts a complete node where it belongs, and keeps a copy if it has an anchor.
    fn finish(&mut self, node: Weighed, anchor: usize) -> Result<(), YamlError> {
        self.count(1, node.node.place())?;
        if anchor != 0 {
            self.count(node.nodes, node.node.place())?;
            self.anchors.insert(anchor, node.clone());
        }
        self.put(node)
    }

    fn expand(&mut self, id: usize, place: Place) -> Result<(), YamlError> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(YamlError::new(
                place,
                "an alias may not stand inside of what it names",
            ));
        };
        let (nodes, height) = (anchored.nodes, anchored.height);
        if self.stack.len() + height > self.limits.depth {
            return Err(self.too_deep(place));
        }
        self.count(nodes, &place)?;
        if let Some(node) = self.anchors.get(&id).cloned() {
            self.put(node)?;
        }
        Ok(())
    }

    fn put(&mut self, node: Weighed) -> Result<(), YamlError> {
        match self.stack.last_mut() {
            Some(frame) => frame.put(node),
            None => {
                self.root = Some(node.node);
                Ok(())
            }
        }
    }

    fn name_anchor(&mut self, name: &str, place: Place) -> Result<(), YamlError> {
        match self.anchor_names.insert(name.to_owned(), place.clone()) {
            Some(before) => {
                let message = format!("anchor `&{name}` was already given at {before}");
                Err(YamlError::new(place, message))
            }
            None => Ok(()),
        }
    }

    fn count(&mut self, nodes: usize, place: &Place) -> Result<(), YamlError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > self.limits.nodes {
            let message = format!("more than {} values, aliases expanded", self.limits.nodes);
            return Err(YamlError::new(place.clone(), message));
        }
        Ok(())
    }

    fn too_deep(&self, place: Place) -> YamlError {
        YamlError::new(
            place,
            format!("nested more than {} levels deep", self.limits.depth),
        )
    }

    fn place_at(&self, text: &str, at: usize) -> Place {
        let (line, column) = lexical::line_and_column(text, at);
        self.place_of(line, column)
    }

    /// `line` and `column` from 1, within the text.
    fn place_of(&self, line: usize, column: usize) -> Place {
        let line = u32::try_from(line)
            .unwrap_or(u32::MAX)
            .saturating_add(self.first_line - 1);
        let column = u32::try_from(column).unwrap_or(u32::MAX);
        Place {
            source: Arc::clone(&self.whole.source),
            line,
            column,
        }
    }
}
