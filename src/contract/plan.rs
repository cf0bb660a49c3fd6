//! What a module wants: steps, and what it could not make sense of.

use std::fmt;

use crate::effect::Effect;
use crate::machine::NotDone;
use crate::place::Place;
use crate::secret::Secret;
use crate::yaml::DecodeError;

/// A module's answer: one step for each entry (a user, a script, a directory), and problems.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which they are performed. A failed effect ends its step only.
    pub steps: Vec<Step>,
    /// Entries that could not be planned. The others go on.
    pub problems: Vec<Problem>,
}

impl Plan {
    /// There is nothing to do.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// A plan that is one problem.
    #[must_use]
    pub fn problem(problem: Problem) -> Self {
        Self {
            steps: Vec::new(),
            problems: vec![problem],
        }
    }

    /// What shall be is not known here, and why.
    #[must_use]
    pub fn not_done(name: impl Into<String>, why: NotDone) -> Self {
        let mut step = Step::new(name, []);
        step.not_done = Some(why);
        Self {
            steps: vec![step],
            problems: Vec::new(),
        }
    }

    /// Adds a step, if it holds an effect.
    pub fn push(&mut self, step: Step) {
        if !step.effects.is_empty() {
            self.steps.push(step);
        }
    }

    /// All effects, those on change included.
    pub fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.steps
            .iter()
            .flat_map(|step| step.effects.iter().chain(&step.on_change))
    }
}

impl FromIterator<Step> for Plan {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        let mut plan = Self::nothing();
        steps.into_iter().for_each(|step| plan.push(step));
        plan
    }
}

impl From<Step> for Plan {
    fn from(step: Step) -> Self {
        std::iter::once(step).collect()
    }
}

/// One entry with its effects, performed in order until one fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Unique in its module, and the name of its semaphore if it runs code: `part-001`.
    pub name: String,
    /// What shall be.
    pub effects: Vec<Effect>,
    /// Performed when one of `effects` changed something, and after an interruption.
    pub on_change: Vec<Effect>,
    /// Whether its failure is a mere warning.
    pub is_lenient: bool,
    /// Whether it is left out if the step before it failed or was left out for that.
    pub needs_previous: bool,
    /// What its semaphore remembers a keyed digest of, beside the module's own configuration.
    pub inputs: Secret<Vec<u8>>,
    /// Why what shall be is not known, so that it is left undone, and that is no fault.
    pub not_done: Option<NotDone>,
}

impl Step {
    /// A step of these effects.
    pub fn new(name: impl Into<String>, effects: impl IntoIterator<Item = Effect>) -> Self {
        Self {
            name: name.into(),
            effects: effects.into_iter().collect(),
            on_change: Vec::new(),
            is_lenient: false,
            needs_previous: false,
            inputs: Secret::default(),
            not_done: None,
        }
    }

    /// The same, and it is left out if the step before it fails.
    #[must_use]
    pub const fn after_previous(mut self) -> Self {
        self.needs_previous = true;
        self
    }

    /// Whether it may be begun only once: it runs somebody's code.
    #[must_use]
    pub fn runs_code(&self) -> bool {
        self.effects.iter().any(Effect::runs_code)
    }
}

/// How bad a problem is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, and nothing is wrong: an old spelling that still works.
    Notice,
    /// Something was ignored or guessed: the status is degraded.
    Warning,
    /// Something that was asked for is not done: the status is error.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something wrong with what was said, where it stands, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands, if it stands somewhere.
    pub place: Option<Place>,
    /// Lower case, no full stop, names the key; never quotes a value that could be secret.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether it is the machine that is not as the value at `place` wants it, such as a disk that it has
    /// not. On another one the value may be right, so that no check of a document tells it.
    pub is_of_machine: bool,
}

impl Problem {
    /// Something worth knowing; the status stays as it is.
    pub fn notice(place: Option<Place>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Notice,
            place,
            message: message.into(),
            hint: None,
            is_of_machine: false,
        }
    }

    /// Something that was asked for and cannot be done.
    pub fn error(place: Option<Place>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place,
            message: message.into(),
            hint: None,
            is_of_machine: false,
        }
    }

    /// Something that was ignored or guessed.
    pub fn warning(place: Option<Place>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            place,
            message: message.into(),
            hint: None,
            is_of_machine: false,
        }
    }

    /// The same as one of this machine: see [`Self::is_of_machine`].
    #[must_use]
    pub const fn of_machine(mut self) -> Self {
        self.is_of_machine = true;
        self
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// `part-001:4:10: users[1].name: expected a string, found a list (write ...)`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl From<DecodeError> for Problem {
    fn from(error: DecodeError) -> Self {
        let message = if error.path.is_empty() {
            error.message
        } else {
            format!("{}: {}", error.path, error.message)
        };
        Self::error(error.place, message)
    }
}
