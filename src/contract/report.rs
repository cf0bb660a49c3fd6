//! What happened: the shape of `status.json`, `result.json` and of what the CLI prints.
//!
//! Everybody may read these files, so nothing in them is secret.

use serde::{Deserialize, Serialize};

use crate::error::ErrorClass;
use crate::module::Stage;
use crate::plan::{Problem, Severity};

/// What one boot, or one run by hand, has done so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Of this format: 1.
    pub version: u32,
    /// The instance id, once known.
    pub instance_id: Option<String>,
    /// The data source that gave it, once known.
    pub datasource: Option<String>,
    /// The kernel's boot id.
    pub boot_id: Option<String>,
    /// The stages begun, in order.
    pub stages: Vec<StageReport>,
    /// What is wrong with user data, the configuration or the data source.
    pub problems: Vec<ProblemReport>,
    /// What each process that worked at it has used, in the order in which they ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used: Vec<Usage>,
}

/// What one process has used of the machine from its start on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time of its own, in microseconds.
    pub cpu_us: u64,
    /// Processor time of the programs that it ran and waited for, in microseconds.
    pub children_cpu_us: u64,
    /// The most memory that it had of its own, in KiB.
    pub peak_memory_kib: u64,
}

/// What one stage did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageReport {
    /// Which.
    pub stage: Stage,
    /// Unix time, seconds with fraction.
    pub started: f64,
    /// Unix time; absent while it runs.
    pub finished: Option<f64>,
    /// How long its modules only waited for programs that they ran, in microseconds.
    #[serde(default)]
    pub programs_us: u64,
    /// Its modules, in the order in which they ran.
    pub modules: Vec<ModuleReport>,
}

/// What one module did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModuleReport {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Microseconds of wall time.
    pub duration_us: u64,
    /// Its steps, in order.
    pub steps: Vec<StepReport>,
    /// What it could not make sense of.
    pub problems: Vec<ProblemReport>,
}

/// How a module or a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "why")]
pub enum Outcome {
    /// Something is different now.
    Changed,
    /// All was as it should be.
    Unchanged,
    /// A dry run: something would be different.
    WouldChange,
    /// It was not run, and that is no fault: `done before`, `needs root`.
    Skipped(String),
    /// It did not take hold.
    Failed,
    /// It did not take hold at an earlier boot, and is tried again only by hand.
    FailedBefore(String),
    /// It was begun and did not end: a power cut, a crash, a shutdown.
    Interrupted(String),
}

/// What one step did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Microseconds of wall time.
    pub duration_us: u64,
    /// Its effects as far as they were performed, in order.
    pub effects: Vec<EffectReport>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReport>,
}

/// What one effect did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectReport {
    /// What shall be, in one line.
    pub what: String,
    /// `made`, `already so`, `would make`, `needs root`, `failed` ...
    pub change: String,
    /// Lines of a diff (in a dry run), or what there is to tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// The chain of causes, in one line.
    pub message: String,
    /// Who can mend it.
    pub class: ErrorClass,
}

/// A [`Problem`], as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemReport {
    /// How bad it is.
    pub severity: Severity,
    /// The file or part it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// 1-based; 0 if it is about the whole.
    #[serde(default)]
    pub line: u32,
    /// 1-based; 0 if it is about the whole line.
    #[serde(default)]
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// `18.0 ms of processor time, 25.3 ms in programs that it ran, 6.3 MiB of memory`
impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = |number: u64| format!("{}.{}", number / 10, number % 10);
        write!(
            f,
            "{} ms of processor time, {} ms in programs that it ran, {} MiB of memory",
            tenths(self.cpu_us / 100),
            tenths(self.children_cpu_us / 100),
            tenths(self.peak_memory_kib * 10 / 1024)
        )
    }
}

impl From<&Problem> for ProblemReport {
    fn from(problem: &Problem) -> Self {
        let place = problem.place.as_ref();
        Self {
            severity: problem.severity,
            source: place.map(|place| place.source.to_string()),
            line: place.map_or(0, |place| place.line),
            column: place.map_or(0, |place| place.column),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        }
    }
}

/// `part-001:4:10: message (hint)`
impl std::fmt::Display for ProblemReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(source) = &self.source {
            f.write_str(source)?;
            if self.line > 0 {
                write!(f, ":{}:{}", self.line, self.column)?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// The whole in one word, worst first: what the exit code of `firstlight status` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Everything that was asked for is done.
    Done,
    /// Something was ignored, guessed or interrupted.
    Degraded,
    /// A module or script failed.
    Error,
}

impl Report {
    /// An empty report of this format.
    #[must_use]
    pub fn new() -> Self {
        Self {
            version: 1,
            ..Self::default()
        }
    }

    /// Puts a stage's report in its place, instead of one of the same stage if there is one.
    ///
    /// What a module says about a place goes before what was guessed without it.
    pub fn note(&mut self, stage: StageReport) {
        let place = |own: &ProblemReport| (own.source.clone(), own.line, own.column);
        let told = stage.modules.iter().flat_map(|module| &module.problems);
        let told: Vec<_> = told.filter(|own| own.line > 0).map(place).collect();
        self.problems.retain(|own| !told.contains(&place(own)));
        let mut known = self.stages.iter_mut();
        match known.find(|known| known.stage == stage.stage) {
            Some(known) => *known = stage,
            None => self.stages.push(stage),
        }
    }

    /// All modules of all stages.
    pub fn modules(&self) -> impl Iterator<Item = &ModuleReport> {
        self.stages.iter().flat_map(|stage| &stage.modules)
    }

    /// How it went so far.
    #[must_use]
    pub fn health(&self) -> Health {
        let problems = self
            .problems
            .iter()
            .chain(self.modules().flat_map(|module| &module.problems));
        let by_problem = problems.map(|problem| match problem.severity {
            Severity::Notice => Health::Done,
            Severity::Warning => Health::Degraded,
            Severity::Error => Health::Error,
        });
        let outcomes = self.modules().flat_map(|module| {
            std::iter::once(&module.outcome).chain(module.steps.iter().map(|step| &step.outcome))
        });
        let by_outcome = outcomes.map(|outcome| match outcome {
            Outcome::Failed => Health::Error,
            Outcome::Interrupted(_) | Outcome::FailedBefore(_) => Health::Degraded,
            _ => Health::Done,
        });
        by_problem.chain(by_outcome).max().unwrap_or(Health::Done)
    }
}
