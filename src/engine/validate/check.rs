//! A document held against the schema. Nothing here quotes a value: it may be a secret.

use contract::place::Place;
use contract::plan::{Problem, Severity};
use contract::schema::{Key, Shape};
use contract::yaml::{Kind, Mapping, Value};

use super::Schema;
use crate::{kernel, near::nearest};

/// More of one document is not told.
const MAX_PROBLEMS: usize = 200;

/// A key's name is not shown longer than this, in characters.
const MAX_NAME: usize = 64;

/// Where what was written for cloud-init stands, whole images full of it.
const THEIRS: [&str; 2] = ["/etc/cloud/", "/run/cloud-init/"];

/// The words for true and false. Source: cloud-init, `cloudinit/util.py` (`translate_bool`).
const SWITCH: [&str; 8] = ["1", "0", "true", "false", "on", "off", "yes", "no"];

impl Schema {
    /// What is wrong with a document, in its order: an error is a value that cannot be used, a
    /// warning a key that nobody looks at, a notice what works and should be written otherwise.
    #[must_use]
    pub fn check(&self, root: &Mapping) -> Vec<Problem> {
        let mut checker = Checker::default();
        for (key, value) in root.iter() {
            if checker.problems.len() >= MAX_PROBLEMS {
                break;
            }
            self.top_level(key, value, &mut checker);
        }
        checker.problems.truncate(MAX_PROBLEMS);
        checker.problems
    }

    fn top_level(&self, key: &Value, value: &Value, checker: &mut Checker) {
        let Some(name) = key.as_str() else {
            let message = format!("a key is {}: nobody knows it", key.kind.name());
            return checker.unknown(&key.place, message, None);
        };
        let Some(known) = find(self.keys.iter().copied(), name) else {
            let shown = shown(name);
            if self.foreign.contains(&name) {
                let message = format!("`{shown}` {NOT_DONE}");
                return checker.unknown(&key.place, message, None);
            }
            let ours = self.keys.iter().flat_map(|key| key.names());
            let meant = nearest(name, ours.chain(self.foreign.iter().copied()));
            let hint = meant.map(|meant| format!("did you mean `{meant}`?"));
            return checker.unknown(&key.place, format!("{UNKNOWN_KEY} `{shown}`"), hint);
        };
        if known.is_for_images && !is_of_image(&key.place) && !value.is_null() {
            let message = format!("`{name}` counts in the image's configuration alone");
            checker.warn(&key.place, message, None);
        }
        checker.pair(known, name, key, value, name);
    }
}

/// What is said of a key that is cloud-init's alone.
const NOT_DONE: &str = "is cloud-init's, and this version does not do it";

/// What is said of a key that nobody knows, before its name.
pub const UNKNOWN_KEY: &str = "unknown key";

#[derive(Default)]
struct Checker {
    problems: Vec<Problem>,
}

impl Checker {
    fn warn(&mut self, place: &Place, message: String, hint: Option<String>) {
        let problem = Problem::warning(Some(place.clone()), message);
        self.problems.push(Problem { hint, ..problem });
    }

    /// A key that nobody looks at. In cloud-init's own files that is to be expected.
    fn unknown(&mut self, place: &Place, message: String, hint: Option<String>) {
        self.warn(place, message, hint);
        if let Some(problem) = self.problems.last_mut()
            && THEIRS.iter().any(|dir| place.source.starts_with(dir))
        {
            problem.severity = Severity::Notice;
        }
    }

    fn wrong(&mut self, value: &Value, path: &str, shape: &Shape) {
        let (wanted, found) = (shape.name(), value.kind.name());
        let message = format!("{path}: expected {wanted}, found {found}");
        let problem = Problem::error(Some(value.place.clone()), message);
        self.problems.push(problem);
    }

    fn pair(&mut self, known: &Key, written: &str, key: &Value, value: &Value, path: &str) {
        if written != known.name {
            let message = format!("`{path}` is an old spelling");
            let problem = Problem::notice(Some(key.place.clone()), message);
            let hint = format!("write `{}`", known.name);
            self.problems.push(problem.hint(hint));
        }
        self.value(value, &known.shape, path);
    }

    fn value(&mut self, value: &Value, shape: &Shape, path: &str) {
        if value.is_null() || self.problems.len() >= MAX_PROBLEMS {
            return;
        }
        if !takes(shape, value) {
            return self.wrong(value, path, shape);
        }
        match (shape, &value.kind) {
            (Shape::OneOf(shapes), _) => {
                if let Some(shape) = shapes.iter().find(|shape| takes(shape, value)) {
                    self.value(value, shape, path);
                }
            }
            (Shape::List(of), Kind::List(entries)) => {
                for (index, entry) in entries.iter().enumerate() {
                    self.value(entry, of, &format!("{path}[{index}]"));
                }
            }
            (Shape::Named(of), Kind::Map(map)) => {
                for (key, value) in map.iter() {
                    let name = key.to_text().unwrap_or_default();
                    self.value(value, of, &format!("{path}.{}", shown(&name)));
                }
            }
            (Shape::Map(fields), Kind::Map(map)) => {
                self.fields(value, map, fields, path, Some(Severity::Warning));
            }
            (Shape::Open(fields), Kind::Map(map)) => self.fields(value, map, fields, path, None),
            (Shape::Strict(fields), Kind::Map(map)) => {
                self.fields(value, map, fields, path, Some(Severity::Error));
            }
            _ => {}
        }
    }

    /// `others`: how bad a field is that nobody knows; `None` if it is not.
    fn fields(
        &mut self,
        whole: &Value,
        map: &Mapping,
        fields: &'static [Key],
        path: &str,
        others: Option<Severity>,
    ) {
        for (key, value) in map.iter() {
            let name = key.to_text().unwrap_or_default();
            let below = format!("{path}.{}", shown(&name));
            if let Some(known) = find(fields, &name) {
                self.pair(known, &name, key, value, &below);
                continue;
            }
            let Some(severity) = others else { continue };
            let meant = nearest(&name, fields.iter().map(|key| key.name));
            let hint =
                meant.map_or_else(|| known(fields), |meant| format!("did you mean `{meant}`?"));
            self.unknown(&key.place, format!("{UNKNOWN_KEY} `{below}`"), Some(hint));
            if severity == Severity::Error
                && let Some(problem) = self.problems.last_mut()
            {
                problem.severity = severity;
            }
        }
        for field in fields.iter().filter(|field| field.is_required) {
            if !field.names().any(|name| map.contains_key(name)) {
                let message = format!("{path}: missing key `{}`", field.name);
                let problem = Problem::error(Some(whole.place.clone()), message);
                self.problems.push(problem.hint(field.summary));
            }
        }
    }
}

/// Whether a shape is meant for values of this kind. Entries and fields are not looked at.
fn takes(shape: &Shape, value: &Value) -> bool {
    match shape {
        Shape::Any => true,
        // cloud-init's own check takes bytes for text, too (`cloudinit/config/schema.py`).
        Shape::Text => matches!(value.kind, Kind::String(_) | Kind::Bytes(_)),
        Shape::Scalar => value.to_text().is_some(),
        Shape::Bool => matches!(value.kind, Kind::Bool(_)),
        Shape::Switch => is_switch(value),
        Shape::Integer(from, to) => {
            let within = |number| (i128::from(*from)..=i128::from(*to)).contains(&number);
            value.as_int().is_some_and(within)
        }
        Shape::Number => matches!(value.kind, Kind::Int(_) | Kind::BigInt(_) | Kind::Float(_)),
        Shape::Word(words) => value
            .as_str()
            .is_some_and(|text| words.contains(&text) || is_template(text)),
        Shape::List(_) => matches!(value.kind, Kind::List(_)),
        Shape::Map(_) | Shape::Open(_) | Shape::Strict(_) | Shape::Named(_) => {
            matches!(value.kind, Kind::Map(_))
        }
        Shape::OneOf(shapes) => shapes.iter().any(|shape| takes(shape, value)),
    }
}

fn is_switch(value: &Value) -> bool {
    let word = |text: String| SWITCH.contains(&text.trim().to_ascii_lowercase().as_str());
    value.to_text().is_some_and(word)
}

/// A template is not rendered before a launch.
fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Files of an image have absolute paths; parts of user data have no slash.
fn is_of_image(place: &Place) -> bool {
    place.source.starts_with('/') || &*place.source == kernel::SOURCE
}

fn find<'k>(keys: impl IntoIterator<Item = &'k Key>, name: &str) -> Option<&'k Key> {
    let mut keys = keys.into_iter();
    keys.find(|key| key.names().any(|own| own == name))
}

/// The name for a message: of one line, and not endless.
fn shown(name: &str) -> String {
    let visible = name.replace(char::is_control, "\u{fffd}");
    match visible.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}...", visible.get(..end).unwrap_or_default()),
        None => visible,
    }
}

fn known(fields: &[Key]) -> String {
    let names: Vec<&str> = fields.iter().map(|key| key.name).collect();
    format!("known are `{}`", names.join("`, `"))
}
