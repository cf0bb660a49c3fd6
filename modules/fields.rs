//! The fields of a mapping, each read by itself: one that is wrong costs itself alone.

use contract::place::Place;
use contract::plan::{Plan, Problem, Step};
use contract::yaml::{Kind, Mapping, Placed, Value};

use crate::switch;

/// A mapping of the configuration, and what to call it in messages: `ntp.config`.
pub(crate) struct Fields<'a> {
    pub(crate) path: String,
    pub(crate) map: &'a Mapping,
    place: &'a Place,
}

impl<'a> Fields<'a> {
    /// `None` is told of: it is no mapping.
    pub(crate) fn of(path: &str, value: &'a Value, told: &mut Vec<Problem>) -> Option<Self> {
        if let Kind::Map(map) = &value.kind {
            let path = path.to_owned();
            let place = &value.place;
            return Some(Self { path, map, place });
        }
        told.push(wrong(path, value, "a mapping"));
        None
    }

    /// What a module wants of its only key, if that is given: one step at most.
    pub(crate) fn plan(
        name: &str,
        want: Option<&'a Value>,
        step: impl FnOnce(&Self, &mut Vec<Problem>) -> Option<Step>,
    ) -> Plan {
        let mut plan = Plan::nothing();
        let told = &mut plan.problems;
        let fields = want.and_then(|want| Self::of(name, want, told));
        let step = fields.and_then(|fields| step(&fields, told));
        plan.steps.extend(step);
        plan
    }

    /// A field, unless it is null.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Where the mapping stands.
    pub(crate) fn place(&self) -> Option<Place> {
        Some(self.place.clone())
    }

    /// Whether a field is written, be it as null.
    pub(crate) fn is_given(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// What to call a field in a message.
    pub(crate) fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// All fields that are named by text, in order, those that are null left out.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        let pairs = self.map.iter();
        let pairs = pairs.filter_map(|(key, value)| Some((key.as_str()?, value)));
        pairs.filter(|(_, value)| !value.is_null())
    }

    /// The fields of a field.
    pub(crate) fn below(&self, key: &str, told: &mut Vec<Problem>) -> Option<Fields<'a>> {
        Fields::of(&self.name(key), self.get(key)?, told)
    }

    /// Text, or what counts as text.
    pub(crate) fn text(&self, key: &str, told: &mut Vec<Problem>) -> Option<Placed<String>> {
        let value = self.get(key)?;
        let text = text(value);
        if text.is_none() {
            told.push(wrong(&self.name(key), value, "a string"));
        }
        text
    }

    /// The texts of a list; one alone counts as a list of one. `None` if it is not given.
    pub(crate) fn texts(&self, key: &str, told: &mut Vec<Problem>) -> Option<Vec<Placed<String>>> {
        let value = self.get(key)?;
        let one = std::slice::from_ref(value);
        let Some(list) = value.as_list().or_else(|| text(value).map(|_| one)) else {
            told.push(wrong(&self.name(key), value, "a list of strings"));
            return None;
        };
        let mut texts = Vec::new();
        for (index, entry) in list.iter().enumerate() {
            match text(entry) {
                Some(text) => texts.push(text),
                None => {
                    let name = format!("{}[{index}]", self.name(key));
                    told.push(wrong(&name, entry, "a string"));
                }
            }
        }
        Some(texts)
    }

    /// Text of one line.
    pub(crate) fn line(&self, key: &str, told: &mut Vec<Problem>) -> Option<String> {
        line(&self.name(key), self.get(key)?, told)
    }

    /// A list of lines; one alone counts as a list of one.
    pub(crate) fn lines(&self, key: &str, told: &mut Vec<Problem>) -> Vec<String> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let name = self.name(key);
        let Some(list) = value.as_list() else {
            return line(&name, value, told).into_iter().collect();
        };
        let entries = list.iter().enumerate();
        let lines =
            entries.filter_map(|(index, entry)| line(&format!("{name}[{index}]"), entry, told));
        lines.collect()
    }

    /// The lines of a list that are words. One that is none costs itself alone, and `otherwise` is said.
    pub(crate) fn words(
        &self,
        key: &str,
        is_word: fn(&str) -> bool,
        otherwise: &str,
        told: &mut Vec<Problem>,
    ) -> Vec<String> {
        let mut words = self.lines(key, told);
        let place = self.get(key).map(|value| value.place.clone());
        words.retain(|word| {
            let is_good = is_word(word);
            if !is_good {
                let message = format!("{}: {otherwise}", self.name(key));
                told.push(Problem::error(place.clone(), message));
            }
            is_good
        });
        words
    }

    /// A switch, or `default` if it is not given or a slip.
    pub(crate) fn switch(&self, key: &str, default: bool, told: &mut Vec<Problem>) -> bool {
        switch::or(default, &self.name(key), self.get(key), told)
    }
}

/// Text with its place, if it is text or counts as text.
pub(crate) fn text(value: &Value) -> Option<Placed<String>> {
    let text = value.to_text()?;
    Some(Placed::new(text, value.place.clone()))
}

fn line(name: &str, value: &Value, told: &mut Vec<Problem>) -> Option<String> {
    let Some(text) = value.to_text() else {
        told.push(wrong(name, value, "a string"));
        return None;
    };
    if text.contains(char::is_control) {
        let message = format!("{name}: expected one line of text");
        told.push(Problem::error(Some(value.place.clone()), message));
        return None;
    }
    Some(text)
}

/// The pairs of a mapping in the order of their keys, which is the one that cloud-init's modules see:
/// it keeps its configuration in a file that is written in that order (`cloudinit/safeyaml.py`).
pub(crate) fn sorted(map: &Mapping) -> Vec<(&Value, &Value)> {
    let mut pairs: Vec<(&Value, &Value)> = map.iter().collect();
    pairs.sort_by_cached_key(|(key, _)| key.to_text());
    pairs
}

/// `ntp.pools: expected a list of strings, found a mapping`
pub(crate) fn wrong(name: &str, value: &Value, wanted: &str) -> Problem {
    let message = format!("{name}: expected {wanted}, found {}", value.kind.name());
    Problem::error(Some(value.place.clone()), message)
}

/// The texts without their places.
pub(crate) fn plain(texts: Vec<Placed<String>>) -> Vec<String> {
    texts.into_iter().map(Placed::into_inner).collect()
}

#[cfg(test)]
mod tests {
    use contract::testing::config;

    use super::*;

    #[test]
    fn each_field_is_read_by_itself_and_told_of_by_its_whole_name() {
        let config = config("x: {a: 1, b: [p, [q], 2], c: {}, d: r, e: null, f: maybe, g: 'on'}");
        let mut told = Vec::new();
        let fields = Fields::of("x", config.get("x").unwrap(), &mut told).unwrap();
        let mut texts = |key| fields.texts(key, &mut told).map(plain);
        assert_eq!(texts("b"), Some(vec!["p".to_owned(), "2".to_owned()]));
        assert_eq!(texts("c"), None);
        assert_eq!(texts("d"), Some(vec!["r".to_owned()]));
        assert_eq!(texts("e"), None);
        assert_eq!(fields.text("a", &mut told).unwrap().value, "1");
        assert!(fields.text("c", &mut told).is_none());
        assert!(fields.switch("f", true, &mut told));
        assert!(fields.switch("g", false, &mut told));
        assert!(!fields.switch("h", false, &mut told));
        let said: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "test:1:18: x.b[1]: expected a string, found a list",
                "test:1:30: x.c: expected a list of strings, found a mapping",
                "test:1:30: x.c: expected a string, found a mapping",
                "test:1:52: x.f: expected true or false; it is taken as true",
            ]
        );
    }

    #[test]
    fn a_line_that_is_wrong_costs_itself_alone() {
        let config = config(
            "s: {good: 7, none: null, list: [a], lines: [a, [b], 'c'], one: a, long: \"a\\nb\", switch: 'yes'}",
        );
        let mut told = Vec::new();
        let fields = Fields::of("s", config.get("s").unwrap(), &mut told).unwrap();
        assert_eq!(fields.line("good", &mut told).as_deref(), Some("7"));
        assert_eq!(fields.line("none", &mut told), None);
        assert_eq!(fields.line("absent", &mut told), None);
        assert_eq!(fields.lines("one", &mut told), ["a"]);
        assert!(fields.switch("switch", false, &mut told));
        assert_eq!(told, []);
        assert_eq!(fields.line("list", &mut told), None);
        assert_eq!(fields.lines("lines", &mut told), ["a", "c"]);
        assert_eq!(fields.line("long", &mut told), None);
        assert!(fields.below("good", &mut told).is_none());
        let said: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "test:1:32: s.list: expected a string, found a list",
                "test:1:48: s.lines[1]: expected a string, found a list",
                "test:1:73: s.long: expected one line of text",
                "test:1:11: s.good: expected a mapping, found an integer",
            ]
        );
    }
}
