//! What is said of one user, read key by key: a bad value costs its key and not the user.

use std::str::FromStr;

use contract::name::{BadName, UserName};
use contract::plan::Problem;
use contract::secret::Secret;
use contract::yaml::{Kind, Mapping, Value};

use crate::accounts;

/// The keys of one user, and what is wrong with them.
pub(super) struct Fields<'a> {
    who: &'a str,
    keys: &'a Mapping,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(who: &'a str, keys: &'a Mapping) -> Self {
        Self {
            who,
            keys,
            problems: Vec::new(),
        }
    }

    /// A key's value; null is as if it were not there.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.keys.get(key).filter(|value| !value.is_null())
    }

    /// Whether Python takes the value for true.
    pub(super) fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(truth)
    }

    /// True or false. Anything else counts as Python counts it, which is said.
    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        let Some(value) = self.get(key) else {
            return default;
        };
        let counts = truth(value);
        if value.as_bool().is_none() {
            let found = value.kind.name();
            let what = format!("expected true or false, found {found}, which counts as {counts}");
            let problem = Problem::warning(Some(value.place.clone()), self.about(key, &what));
            self.problems.push(problem.hint("write it without quotes"));
        }
        counts
    }

    /// Text that is not empty, or what is written as a number or a date and counts as its text.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let value = self.get(key)?;
        match (&value.kind, value.to_text()) {
            (Kind::Bool(_), _) | (_, None) => {
                self.wrong(key, value, "expected a string");
                None
            }
            (_, Some(text)) => Some(text).filter(|text| !text.is_empty()),
        }
    }

    /// Text that a field of /etc/passwd may hold (passwd(5)) and that is as expected; `Err` if it is not.
    ///
    /// Source of what is expected: useradd(8), which makes no user otherwise.
    pub(super) fn field(
        &mut self,
        key: &str,
        is_good: fn(&str) -> bool,
        expected: &str,
    ) -> Result<Option<String>, ()> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        let is_odd = |c: char| c == ':' || c.is_control();
        if !text.contains(is_odd) && is_good(&text) {
            return Ok(Some(text));
        }
        if let Some(value) = self.get(key) {
            self.error(key, value, expected);
        }
        Err(())
    }

    /// Text of a certain form.
    pub(super) fn parsed<T: FromStr<Err = BadName>>(&mut self, key: &str) -> Option<T> {
        let text = self.text(key)?;
        let value = self.get(key)?;
        match text.parse() {
            Ok(parsed) => Some(parsed),
            Err(bad) => {
                self.error(key, value, &bad.to_string());
                None
            }
        }
    }

    /// A password: `None` if the key is not there, empty if it says none.
    pub(super) fn secret(&mut self, key: &str) -> Option<Secret<String>> {
        let value = self.keys.get(key)?;
        if !truth(value) {
            return Some(Secret::default());
        }
        let Some(text) = value.to_text() else {
            self.wrong(key, value, "expected a string");
            return None;
        };
        if text.contains(['\n', '\r', '\0']) {
            self.error(key, value, "expected one line");
            return None;
        }
        Some(Secret::new(text))
    }

    /// Names of groups, in any form; those that no group can have are said and left out.
    pub(super) fn groups(&mut self, key: &str) -> Vec<UserName> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        if value.as_map().is_some() {
            let notice = Problem::notice(
                Some(value.place.clone()),
                self.about(key, "a mapping is an old spelling"),
            );
            self.problems.push(notice.hint("write a list of names"));
        } else if value.as_list().is_none() && value.as_str().is_none() {
            self.wrong(key, value, "expected a list of names");
        }
        let mut groups: Vec<UserName> = Vec::new();
        for name in accounts::group_names(value) {
            match name.trim().parse() {
                Ok(name) if groups.contains(&name) => {}
                Ok(name) => groups.push(name),
                Err(_) => self.error(key, value, "a name in it is none that a group can have"),
            }
        }
        groups
    }

    /// The lines of a string, the strings of a list, the values of a mapping.
    pub(super) fn lines(&mut self, key: &str) -> Vec<(String, &'a Value)> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let entries: Vec<&Value> = match &value.kind {
            Kind::String(text) => {
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                return lines.map(|line| (line.to_owned(), value)).collect();
            }
            Kind::List(entries) => entries.iter().collect(),
            Kind::Map(map) => map.iter().map(|(_, value)| value).collect(),
            _ => {
                self.wrong(key, value, "expected a string, or a list of strings");
                return Vec::new();
            }
        };
        let mut lines = Vec::new();
        for entry in entries.into_iter().filter(|entry| !entry.is_null()) {
            match entry.as_str() {
                Some(line) => lines.push((line.to_owned(), entry)),
                None => self.wrong(key, entry, "expected a string"),
            }
        }
        lines
    }

    pub(super) fn wrong(&mut self, key: &str, value: &Value, expected: &str) {
        let what = format!("{expected}, found {}", value.kind.name());
        self.error(key, value, &what);
    }

    pub(super) fn error(&mut self, key: &str, value: &Value, what: &str) {
        let message = self.about(key, what);
        self.problems
            .push(Problem::error(Some(value.place.clone()), message));
    }

    pub(super) fn warn(&mut self, key: &str, value: &Value, what: &str) {
        let message = self.about(key, what);
        self.problems
            .push(Problem::warning(Some(value.place.clone()), message));
    }

    /// A warning of one launch, and not of what was written.
    pub(super) fn no_launch_key(&mut self, key: &str, value: &Value) {
        let message = self.about(key, "the launch has no key, so it is ignored");
        let problem = Problem::warning(Some(value.place.clone()), message);
        self.problems.push(problem.of_machine());
    }

    fn about(&self, key: &str, what: &str) -> String {
        format!("users: `{}`: {key}: {what}", self.who)
    }
}

fn truth(value: &Value) -> bool {
    match &value.kind {
        Kind::Null => false,
        Kind::Bool(value) => *value,
        Kind::Int(int) => int.value != 0,
        Kind::Float(float) => *float != 0.0,
        Kind::BigInt(_) | Kind::Timestamp(_) => true,
        Kind::String(text) => !text.is_empty(),
        Kind::Bytes(bytes) => !bytes.is_empty(),
        Kind::List(entries) => !entries.is_empty(),
        Kind::Map(map) => !map.is_empty(),
    }
}
