//! A section's fields, read one by one: what is wrong with one costs itself alone.

use contract::plan::Problem;
use contract::yaml::{Mapping, Value};

use crate::switch;

/// `lxd.init: expected a mapping, found a list`, at the value's place.
pub(crate) fn expected(wanted: &str, path: &str, value: &Value) -> Problem {
    let found = value.kind.name();
    let message = format!("{path}: expected {wanted}, found {found}");
    Problem::error(Some(value.place.clone()), message)
}

/// The pairs of a mapping in the order of their keys, which is the one that cloud-init's modules see:
/// it keeps its configuration in a file that is written in that order (`cloudinit/safeyaml.py`).
pub(crate) fn sorted(map: &Mapping) -> Vec<(&Value, &Value)> {
    let mut pairs: Vec<(&Value, &Value)> = map.iter().collect();
    pairs.sort_by_cached_key(|(key, _)| key.to_text());
    pairs
}

/// A mapping, and the path to it that messages name.
pub(crate) struct Fields<'v> {
    pub(crate) path: String,
    pub(crate) map: &'v Mapping,
}

impl<'v> Fields<'v> {
    /// The fields of a value that is a mapping.
    pub(crate) fn of(value: &'v Value, path: impl Into<String>) -> Result<Self, Problem> {
        let path = path.into();
        match value.as_map() {
            Some(map) => Ok(Self { path, map }),
            None => Err(expected("a mapping", &path, value)),
        }
    }

    /// A field, unless it is null, which is as if it were not there.
    pub(crate) fn given(&self, name: &str) -> Option<&'v Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// The path of a field.
    pub(crate) fn path_of(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// The fields of a field.
    pub(crate) fn fields(&self, name: &str, told: &mut Vec<Problem>) -> Option<Fields<'v>> {
        let fields = Fields::of(self.given(name)?, self.path_of(name));
        fields.map_err(|problem| told.push(problem)).ok()
    }

    /// One line of text, or what counts as its text.
    pub(crate) fn line(&self, name: &str, told: &mut Vec<Problem>) -> Option<String> {
        let value = self.given(name)?;
        let line = line(value, &self.path_of(name));
        line.map_err(|problem| told.push(problem)).ok()
    }

    /// A list of lines; one alone counts as a list of one.
    pub(crate) fn lines(&self, name: &str, told: &mut Vec<Problem>) -> Vec<String> {
        let Some(value) = self.given(name) else {
            return Vec::new();
        };
        let path = self.path_of(name);
        let one = std::slice::from_ref(value);
        let entries = value.as_list().unwrap_or(one).iter().enumerate();
        let lines = entries.map(|(index, entry)| match value.as_list() {
            Some(_) => line(entry, &format!("{path}[{index}]")),
            None => line(entry, &path),
        });
        let good = |line: Result<String, Problem>| line.map_err(|problem| told.push(problem)).ok();
        lines.filter_map(good).collect()
    }

    /// Whether it is turned on; a word that says neither is as if it were off.
    pub(crate) fn is_on(&self, name: &str, told: &mut Vec<Problem>) -> bool {
        switch::or(false, &self.path_of(name), self.given(name), told)
    }
}

fn line(value: &Value, path: &str) -> Result<String, Problem> {
    let is_line = |text: &String| !text.contains(char::is_control);
    match value.to_text() {
        Some(text) if is_line(&text) => Ok(text),
        Some(_) => {
            let message = format!("{path}: expected one line of text");
            Err(Problem::error(Some(value.place.clone()), message))
        }
        None => Err(expected("a string", path, value)),
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::config;

    use super::*;

    #[test]
    fn a_field_that_is_wrong_costs_itself_alone() {
        let config = config(
            "s: {good: 7, none: null, list: [a], lines: [a, [b], 'c'], one: a, long: \"a\\nb\", switch: 'yes'}",
        );
        let fields = Fields::of(config.get("s").unwrap(), "s").unwrap();
        let mut told = Vec::new();
        assert_eq!(fields.line("good", &mut told).as_deref(), Some("7"));
        assert_eq!(fields.line("none", &mut told), None);
        assert_eq!(fields.line("absent", &mut told), None);
        assert_eq!(fields.lines("one", &mut told), ["a"]);
        assert!(fields.is_on("switch", &mut told));
        assert_eq!(told, []);
        assert_eq!(fields.line("list", &mut told), None);
        assert_eq!(fields.lines("lines", &mut told), ["a", "c"]);
        assert_eq!(fields.line("long", &mut told), None);
        assert!(fields.fields("good", &mut told).is_none());
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
