//! A mapping of the configuration that is read in many ways, with what is wrong with it.

use contract::effect::{Package, Setting};
use contract::name::UserName;
use contract::plan::{Plan, Problem, Severity};
use contract::secret::Secret;
use contract::yaml::Value;

use crate::fields::{Fields, plain, wrong};
use crate::{packages, services, switch};

/// The fields of a mapping, and what is wrong with those that were read so far.
pub(crate) struct Told<'a> {
    fields: Fields<'a>,
    pub(crate) problems: Vec<Problem>,
}

impl<'a> From<Fields<'a>> for Told<'a> {
    fn from(fields: Fields<'a>) -> Self {
        let problems = Vec::new();
        Self { fields, problems }
    }
}

impl<'a> Told<'a> {
    /// The fields of `value`, which is at `path`: `puppet`, `ansible.pull[0]`.
    ///
    /// # Errors
    /// The plan that says that it is no mapping.
    pub(crate) fn of(path: &str, value: &'a Value) -> Result<Self, Plan> {
        let mut plan = Plan::nothing();
        let fields = Fields::of(path, value, &mut plan.problems);
        fields.map(Self::from).ok_or(plan)
    }

    /// What a module wants of its only key, if that is given.
    pub(crate) fn plan(
        name: &str,
        want: Option<&'a Value>,
        plan: impl FnOnce(Self) -> Plan,
    ) -> Plan {
        let Some(want) = want else {
            return Plan::nothing();
        };
        Self::of(name, want).map_or_else(|plan| plan, plan)
    }

    /// The fields of a field that is a mapping.
    pub(crate) fn below(&mut self, key: &str) -> Option<Self> {
        let below = self.fields.below(key, &mut self.problems)?;
        Some(Self::from(below))
    }

    /// A field, unless it is null.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.fields.get(key)
    }

    /// Whether it is written, be it as null.
    pub(crate) fn is_given(&self, key: &str) -> bool {
        self.fields.is_given(key)
    }

    /// All fields, in order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        self.fields.pairs()
    }

    /// `puppet.conf`
    pub(crate) fn name(&self, key: &str) -> String {
        self.fields.name(key)
    }

    /// Text, or what counts as its text.
    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        let text = self.fields.text(key, &mut self.problems)?;
        Some(text.into_inner())
    }

    /// Text of one line, such as an argument; empty text is as if it were not there.
    pub(crate) fn line(&mut self, key: &str) -> Option<String> {
        let text = self.text(key).filter(|text| !text.is_empty())?;
        if text.contains(['\n', '\r', '\0']) {
            self.expected(key, self.get(key)?, "a string of one line");
            return None;
        }
        Some(text)
    }

    /// A line for a file of settings, in one of its sections or before the first one.
    pub(crate) fn setting(&mut self, section: Option<&str>, key: &str) -> Option<Setting> {
        let value = self.get(key)?;
        let is_odd = |name: &str| {
            let is_line = !name.contains(['\n', '\r', '\0', '=', '[', ']']);
            name.trim().is_empty() || !is_line || name.starts_with(['#', ';'])
        };
        if is_odd(key) || section.is_some_and(is_odd) {
            let message = format!("{}: that cannot be the name of a setting", self.name(key));
            let problem = Problem::error(Some(value.place.clone()), message);
            self.problems.push(problem);
            return None;
        }
        // Tools know `true`, and not Python's `True`.
        let text = match value.as_bool() {
            Some(is_on) => is_on.to_string(),
            None => self.text(key)?,
        };
        if text.contains(['\n', '\r', '\0']) {
            self.expected(key, value, "a string of one line");
            return None;
        }
        Some(Setting {
            section: section.map(ToOwned::to_owned),
            name: key.to_owned(),
            value: Secret::new(text),
        })
    }

    /// An absolute path.
    pub(crate) fn path(&mut self, key: &str) -> Option<String> {
        let text = self.line(key)?;
        if text.starts_with('/') && !text.split('/').any(|part| part == "..") {
            return Some(text);
        }
        self.expected(key, self.get(key)?, "an absolute path");
        None
    }

    /// The name of a service, which no tool takes for an option.
    pub(crate) fn service(&mut self, key: &str) -> Option<String> {
        let text = self.line(key)?;
        if services::is_name(&text) {
            return Some(text);
        }
        self.expected(key, self.get(key)?, "the name of a service");
        None
    }

    /// The name of a user.
    pub(crate) fn user(&mut self, key: &str) -> Option<String> {
        let text = self.line(key)?;
        if text.parse::<UserName>().is_ok() {
            return Some(text);
        }
        self.expected(key, self.get(key)?, "the name of a user");
        None
    }

    /// True or false, or a word for it; `default` if it is not given. What it is after a slip decides
    /// little, as nothing is started then.
    pub(crate) fn switch(&mut self, key: &str, default: bool) -> bool {
        let Some(value) = self.get(key) else {
            return default;
        };
        switch::read(value).unwrap_or_else(|| {
            self.expected(key, value, "true or false");
            default
        })
    }

    /// One of these words; the first if it is another or not given.
    pub(crate) fn word<T: Copy>(
        &mut self,
        key: &str,
        words: &[(&str, T)],
        default: T,
    ) -> Option<T> {
        let Some(value) = self.get(key) else {
            return Some(default);
        };
        let found = words.iter().find(|(word, _)| value.as_str() == Some(word));
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("{}: expected `{}`", self.name(key), names.join("` or `"));
            self.problems
                .push(Problem::error(Some(value.place.clone()), message));
        }
        found.map(|(_, meaning)| *meaning)
    }

    /// A list of words, or one text of them, which blanks part.
    pub(crate) fn words(&mut self, key: &str) -> Option<Vec<String>> {
        if let Some(line) = self.get(key)?.as_str() {
            return Some(line.split_whitespace().map(ToOwned::to_owned).collect());
        }
        let words = self.fields.texts(key, &mut self.problems)?;
        Some(plain(words))
    }

    /// A mapping as it is written.
    pub(crate) fn mapping(&mut self, key: &str) -> Option<&'a Value> {
        let value = self.get(key)?;
        if value.as_map().is_none() {
            self.expected(key, value, "a mapping");
            return None;
        }
        Some(value)
    }

    /// The name of a package.
    pub(crate) fn package(&mut self, key: &str) -> Option<Package> {
        let value = self.get(key)?;
        let package = packages::package(value, &self.name(key));
        package.map_err(|problem| self.problems.push(problem)).ok()
    }

    /// Whether no error was told so far. If one was, nothing that depends on the mapping is to run: half
    /// configured it would do something else than what was asked for.
    pub(crate) fn is_clear(&self) -> bool {
        let mut severities = self.problems.iter().map(|problem| problem.severity);
        severities.all(|severity| severity < Severity::Error)
    }

    /// Notes that a field without which the mapping is useless is not given.
    pub(crate) fn missing(&mut self, key: &str) {
        let message = format!("{}: it has to be given", self.name(key));
        let problem = Problem::error(self.fields.place(), message);
        self.problems.push(problem);
    }

    /// Notes that a value is not what is needed.
    pub(crate) fn expected(&mut self, key: &str, value: &Value, wanted: &str) {
        let problem = wrong(&self.name(key), value, wanted);
        self.problems.push(problem);
    }
}
