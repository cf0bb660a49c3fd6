//! The manifest of a custom module: what is known of it without asking it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::machine::Probe;
use contract::module::{Entry, Facts, Frequency, Stage, Wake};
use contract::place::Place;
use contract::plan::Problem;
use contract::schema::Key;
use contract::yaml::{self, Limits, Placed, Value};
use serde::Deserialize;

use super::schema::{self, Schema};
use super::{DIR, Own, Program};
use crate::settings::duration;
use crate::validate::KEYS;

/// A larger manifest is not used, in bytes; nor is one of more values, those of its aliases counted, or of
/// deeper ones.
const LIMITS: Limits = Limits {
    bytes: 64 << 10,
    nodes: 8192,
    depth: 32,
};
/// How long a program may think if its manifest does not say.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most that a manifest may say: logins may be waiting.
const MAX_TIMEOUT: Duration = Duration::from_mins(5);
/// What a name may be longest, in bytes: it names semaphores, too.
const MAX_NAME: usize = 64;

/// What a manifest says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    name: Placed<String>,
    summary: Placed<String>,
    stage: Placed<When>,
    #[serde(default)]
    frequency: Option<Frequency>,
    #[serde(default)]
    after: Option<Placed<String>>,
    #[serde(default)]
    timeout: Option<Value>,
    #[serde(default)]
    keys: BTreeMap<String, Placed<Option<Schema>>>,
    #[serde(default)]
    notes: Option<String>,
}

/// The stages that a module can have: before `early` is over the configuration is not known.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum When {
    Identity,
    Config,
    Final,
}

impl From<When> for Stage {
    fn from(when: When) -> Self {
        match when {
            When::Identity => Self::Identity,
            When::Config => Self::Config,
            When::Final => Self::Final,
        }
    }
}

/// A manifest that says what it should.
pub(super) struct Manifest {
    said: Said,
    timeout: Duration,
    program: PathBuf,
}

/// Reads the manifest of this name.
pub(super) fn read(probe: &dyn Probe, name: &str) -> Result<Manifest, Problem> {
    if !is_name(name) {
        let place = Place::whole(format!("{DIR}/{}.yaml", name.escape_debug()));
        let message = format!("the module is not used: {NAME_RULE}");
        return Err(Problem::error(Some(place), message));
    }
    let path = format!("{DIR}/{name}.yaml");
    let program = PathBuf::from(format!("{DIR}/{name}"));
    let refused = |why: &str, hint: &str| {
        let problem = Problem::error(Some(Place::whole(path.as_str())), why);
        Problem {
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
            ..problem
        }
    };
    for path in [Path::new(DIR), Path::new(&path), &program] {
        let why = match probe.is_trusted(path) {
            Ok(true) => continue,
            Ok(false) if matches!(probe.kind(path), Ok(None)) => {
                format!("the module is not used: there is no {}", path.display())
            }
            Ok(false) => format!(
                "the module is not used: others than root may change {}",
                path.display()
            ),
            Err(error) => format!("the module is not used: {}: {error}", path.display()),
        };
        let hint = "the directory, the manifest and the program are root's, and nobody else may write to them, \
                    or to a directory on the way there, links followed";
        return Err(refused(&why, hint));
    }
    if !matches!(probe.is_executable(&program), Ok(true)) {
        let why = format!(
            "the module is not used: {} is not executable",
            program.display()
        );
        return Err(refused(&why, "chmod 755"));
    }
    let bytes = match probe.read_part(Path::new(&path), 0, LIMITS.bytes + 1) {
        Ok(Some(bytes)) if bytes.len() <= LIMITS.bytes => bytes,
        Ok(Some(_)) => return Err(refused("the manifest is larger than 64 KiB", "")),
        Ok(None) => return Err(refused("the manifest is gone", "")),
        Err(error) => return Err(refused(&format!("cannot be read: {error}"), "")),
    };
    let text = String::from_utf8(bytes).map_err(|_| refused("the manifest is not UTF-8", ""))?;
    let document = yaml::parse(&text, path.as_str(), &LIMITS).map_err(|error| Problem {
        hint: error.hint,
        ..Problem::error(Some(error.place), error.message)
    })?;
    let said = Said::deserialize(&document.value)?;
    check(said, name, program)
}

fn check(said: Said, file: &str, program: PathBuf) -> Result<Manifest, Problem> {
    let wrong = |place: &Place, message: &str| Err(Problem::error(Some(place.clone()), message));
    if said.name.value != file {
        let message = format!("name: expected `{file}`, as the file is called");
        return wrong(&said.name.place, &message);
    }
    if said.summary.contains(char::is_control) || said.summary.is_empty() {
        return wrong(&said.summary.place, "summary: expected one line");
    }
    for (key, schema) in &said.keys {
        if !is_name(key) {
            return wrong(&schema.place, &format!("keys: {NAME_RULE}"));
        }
    }
    let timeout = match &said.timeout {
        None => TIMEOUT,
        Some(value) => match duration(value).flatten() {
            Some(timeout) if !timeout.is_zero() && timeout <= MAX_TIMEOUT => timeout,
            _ => return wrong(&value.place, "timeout: expected `1s` to `5m`"),
        },
    };
    Ok(Manifest {
        said,
        timeout,
        program,
    })
}

impl Manifest {
    pub(super) fn name(&self) -> &str {
        self.said.name.as_str()
    }

    /// Whether it belongs behind one of these modules.
    pub(super) fn follows(&self, names: &BTreeSet<String>) -> bool {
        let after = self.said.after.as_ref();
        after.is_some_and(|after| names.contains(after.as_str()))
    }

    /// What is wrong where it follows modules that follow each other.
    pub(super) fn circle(&self) -> Option<Problem> {
        let after = self.said.after.as_ref()?;
        let message = format!(
            "after: `{}` has no place to be behind: modules follow each other in a circle",
            after.as_str()
        );
        Some(Problem::error(Some(after.place.clone()), message))
    }

    /// Puts the module where it belongs among the others.
    ///
    /// What is made of it lives as long as the process, as the facts of firstlight's own modules do.
    pub(super) fn join(self, own: &Own, table: &mut Vec<Entry>) -> Result<(), Problem> {
        self.collides(own, table)?;
        let at = self.position(table)?;
        let Self {
            said,
            timeout,
            program,
        } = self;
        let keys = said.keys.into_iter();
        let keys = keys.map(|(name, schema)| schema::key(name, schema.value.unwrap_or_default()));
        let keys: Vec<Key> = keys.collect::<Result<_, _>>()?;
        let facts: &Facts = Box::leak(Box::new(Facts {
            name: schema::lasting(said.name.value),
            summary: schema::lasting(said.summary.value),
            stage: said.stage.value.into(),
            frequency: said.frequency.unwrap_or(Frequency::Instance),
            wake: match keys.is_empty() {
                true => Wake::Always,
                false => Wake::OnKeys,
            },
            keys: Box::leak(keys.into_boxed_slice()),
        }));
        let program = Box::leak(Box::new(Program {
            facts,
            path: program,
            timeout,
            packages: own.packages,
        }));
        let notes = schema::lasting(said.notes.unwrap_or_default());
        table.insert(at, Entry::custom(facts, notes, program));
        Ok(())
    }

    /// No name of a module or key means two things.
    fn collides(&self, own: &Own, table: &[Entry]) -> Result<(), Problem> {
        let name = &self.said.name;
        let mut names = table.iter().map(|entry| entry.facts.name);
        if names.any(|taken| taken == name.value) || own.names.contains(&name.as_str()) {
            let message = format!("name: there is a module `{}` already", name.value);
            return Err(Problem::error(Some(name.place.clone()), message));
        }
        for (key, schema) in &self.said.keys {
            let of_modules = table.iter().flat_map(|entry| entry.facts.keys);
            let mut known = of_modules.chain(own.others).chain(KEYS);
            let is_taken = known.any(|taken| taken.names().any(|name| name == key));
            if is_taken || own.keys.contains(&key.as_str()) {
                let message = format!("keys: somebody else reads `{key}`");
                return Err(Problem::error(Some(schema.place.clone()), message));
            }
        }
        Ok(())
    }

    /// Behind the module that it names, and those that were put there before; else behind all of its
    /// stage.
    fn position(&self, table: &[Entry]) -> Result<usize, Problem> {
        let stage = Stage::from(self.said.stage.value);
        let Some(after) = &self.said.after else {
            return Ok(table
                .iter()
                .take_while(|entry| entry.stage <= stage)
                .count());
        };
        let same = |entry: &Entry| entry.facts.name == after.value && entry.stage == stage;
        let Some(at) = table.iter().position(same) else {
            let message = format!(
                "after: stage {} has no module `{}`",
                stage.as_str(),
                after.value.escape_debug()
            );
            let problem = Problem::error(Some(after.place.clone()), message);
            return Err(problem.hint("`firstlight modules` lists them"));
        };
        let behind = table.iter().skip(at + 1);
        Ok(at + 1 + behind.take_while(|entry| entry.is_custom()).count())
    }
}

const NAME_RULE: &str =
    "a name is a lower-case letter, then lower-case letters, digits and `_`, 64 at most";

fn is_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(inner)
}
