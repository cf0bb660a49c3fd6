//! The answer of a custom module: JSON that says what shall be.

use std::collections::BTreeSet;

use contract::effect::Effect;
use contract::place::Place;
use contract::plan::{Plan, Problem, Severity, Step};
use contract::secret::Secret;
use contract::yaml::{self, Kind, Placed, Value};
use serde::Deserialize;

use super::effects::{self, Wanted};
use super::secrets::{blotted, is_in};
use crate::json;

/// More steps, more effects in all of them, and more problems are refused.
const MAX_STEPS: usize = 256;
const MAX_EFFECTS: usize = 4096;
const MAX_PROBLEMS: usize = 256;
/// So are more values: each takes up to a hundred times the bytes that it has as text.
const MAX_VALUES: usize = 1 << 16;
/// What a module says of a problem is cut off behind so many characters.
const MAX_SAID: usize = 500;
/// Where a secret may stand: what is made of it there is never shown, and no argument. A file that one is
/// in becomes secret.
const FOR_SECRETS: [&str; 3] = [".file.content", ".file.content_base64", ".tool.stdin"];

/// Reads answers of a module.
pub(super) struct Reader<'a> {
    pub(super) module: &'a str,
    /// What it was asked about.
    pub(super) section: &'a Value,
    pub(super) secrets: &'a [Secret<String>],
    pub(super) packages: &'a dyn Fn(&[&str]) -> Option<Effect>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    #[serde(default)]
    steps: Vec<SaidStep>,
    #[serde(default)]
    problems: Vec<SaidProblem>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidStep {
    name: Placed<String>,
    #[serde(default)]
    effects: Vec<Placed<Wanted>>,
    #[serde(default)]
    on_change: Vec<Placed<Wanted>>,
    #[serde(default)]
    needs_previous: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidProblem {
    #[serde(default)]
    severity: Option<Severity>,
    message: String,
    #[serde(default)]
    hint: Option<String>,
    #[serde(default)]
    key: Option<String>,
}

impl Reader<'_> {
    /// The plan that an answer is. One that is wrong anywhere is refused as a whole: it is a program's, and
    /// what it got wrong once it may have got wrong elsewhere.
    pub(super) fn plan(&self, text: &[u8]) -> Plan {
        self.read(text).unwrap_or_else(|problem| {
            // It names keys that the module chose.
            let message = format!("the answer is refused: {}", self.tidy(&problem.message));
            Plan::problem(Problem { message, ..problem })
        })
    }

    fn read(&self, text: &[u8]) -> Result<Plan, Problem> {
        let source = format!("answer of {}", self.module);
        let wrong = |place, message: &str| Problem::error(Some(place), message);
        let whole = || Place::whole(source.as_str());
        let text = std::str::from_utf8(text).map_err(|_| wrong(whole(), "it is not UTF-8"))?;
        if text.trim().is_empty() {
            return Err(wrong(whole(), "it is empty; no effects are `{}`"));
        }
        if most_values(text) > MAX_VALUES {
            return Err(wrong(whole(), "it has more than 65536 values"));
        }
        let value =
            json::parse(text, &source, 1).map_err(|place| wrong(place, "it is not JSON"))?;
        let answer = Answer::deserialize(&value)?;
        let count = |step: &SaidStep| step.effects.len() + step.on_change.len();
        if answer.steps.len() > MAX_STEPS
            || answer.steps.iter().map(count).sum::<usize>() > MAX_EFFECTS
            || answer.problems.len() > MAX_PROBLEMS
        {
            let message = "it has more than 256 steps, 4096 effects or 256 problems";
            return Err(wrong(value.place, message));
        }
        // Now its keys are known, but for names of variables, so that paths are short.
        self.keeps_secrets(&value, "")?;
        let mut plan = Plan::nothing();
        let mut names = BTreeSet::new();
        let raw = value
            .get("steps")
            .and_then(Value::as_list)
            .unwrap_or_default();
        for (index, (said, raw)) in answer.steps.into_iter().zip(raw).enumerate() {
            let path = format!("steps[{index}]");
            if !is_step_name(&said.name) || !names.insert(said.name.value.clone()) {
                let message = format!(
                    "{path}.name: expected a name of its own, 1 to 64 letters, digits, `.`, `_` and `-`"
                );
                return Err(Problem::error(Some(said.name.place), message));
            }
            let mut step = Step::new(said.name.value, []);
            step.effects = self.effects(said.effects, &format!("{path}.effects"))?;
            step.on_change = self.effects(said.on_change, &format!("{path}.on_change"))?;
            step.needs_previous = said.needs_previous;
            step.inputs = Secret::new(yaml::to_string(raw).into_bytes());
            plan.push(step);
        }
        let problems = answer.problems.into_iter().map(|said| self.problem(said));
        plan.problems.extend(problems);
        Ok(plan)
    }

    fn effects(&self, wanted: Vec<Placed<Wanted>>, path: &str) -> Result<Vec<Effect>, Problem> {
        let wanted = wanted.into_iter().enumerate();
        let effects = wanted.map(|(index, wanted)| {
            let is_secret = |text: &str| is_in(text, self.secrets);
            let maker = effects::Maker {
                is_secret: &is_secret,
                packages: self.packages,
            };
            let made = maker.effect(wanted.value);
            made.map_err(|why| {
                let message = format!("{path}[{index}]{why}");
                Problem::error(Some(wanted.place), message)
            })
        });
        effects.collect()
    }

    /// No secret of the section stands where somebody would see it.
    fn keeps_secrets(&self, value: &Value, path: &str) -> Result<(), Problem> {
        match &value.kind {
            Kind::Map(map) => map.iter().try_for_each(|(key, value)| {
                let name = key.as_str().unwrap_or_default();
                if is_in(name, self.secrets) {
                    return Err(shown(value, path));
                }
                self.keeps_secrets(value, &format!("{path}.{name}"))
            }),
            Kind::List(list) => list.iter().enumerate().try_for_each(|(index, value)| {
                self.keeps_secrets(value, &format!("{path}[{index}]"))
            }),
            Kind::String(text) => {
                // What is said of a problem is blotted.
                let may = path.starts_with(".problems[")
                    || path.contains(".run.env.")
                    || FOR_SECRETS.iter().any(|end| path.ends_with(end));
                match may || !is_in(text, self.secrets) {
                    true => Ok(()),
                    false => Err(shown(value, path)),
                }
            }
            _ => Ok(()),
        }
    }

    fn problem(&self, said: SaidProblem) -> Problem {
        let place = said.key.and_then(|key| at(self.section, &key));
        Problem {
            severity: said.severity.unwrap_or(Severity::Error),
            place: place.map(|value| value.place.clone()),
            message: self.tidy(&said.message),
            hint: said.hint.map(|hint| self.tidy(&hint)),
            is_of_machine: false,
        }
    }

    /// One line that is not endless and shows no secret.
    fn tidy(&self, text: &str) -> String {
        let line = blotted(text, self.secrets).replace(char::is_control, " ");
        line.chars().take(MAX_SAID).collect()
    }
}

/// As many values as a JSON text can have: each follows a bracket, a comma or a colon.
fn most_values(text: &str) -> usize {
    let (mut count, mut is_string, mut is_escaped) = (1, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_string,
            b'"' => is_string = !is_string,
            b'[' | b'{' | b',' | b':' if !is_string => count += 1,
            _ => {}
        }
    }
    count
}

fn shown(value: &Value, path: &str) -> Problem {
    let path = path.trim_start_matches('.');
    let message = format!("{path}: a secret of the configuration would be seen here");
    let hint = "the content of a file, `stdin`, and the environment of `run` are the places for it";
    Problem::error(Some(value.place.clone()), message).hint(hint)
}

fn is_step_name(name: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=64).contains(&name.len()) && name.bytes().all(is_inner)
}

/// What stands under a path such as `acme.users[1].name`.
fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, piece| {
        let (name, indices) = piece.split_once('[').unwrap_or((piece, ""));
        let mut indices = indices.split('[').filter(|index| !index.is_empty());
        indices.try_fold(value.get(name)?, |value, index| {
            let index = index.strip_suffix(']')?.parse::<usize>().ok()?;
            value.as_list()?.get(index)
        })
    })
}
