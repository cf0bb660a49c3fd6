//! Performs the effects of one step.

use contract::effect::Effect;
use contract::error::{EffectError, chain};
use contract::machine::{Change, Machine, NotDone};
use contract::plan::{Severity, Step};
use contract::report::{EffectReport, ErrorReport, ModuleReport, Outcome, StepReport};

/// The word for a tool that goes on beside what follows it.
pub(crate) const BEGUN: &str = "begun";

/// What became of a step.
pub(crate) struct Performed {
    pub(crate) report: StepReport,
    pub(crate) ended_by_shutdown: bool,
    /// What was made in another way than was asked for.
    pub(crate) warnings: Vec<String>,
}

/// Performs `step`; what is due on change also if it is done again after an interruption.
pub(crate) fn step(machine: &dyn Machine, step: &Step, again: bool) -> Performed {
    let mut run = Run::default();
    let performed = run.all(machine, &step.effects).and_then(|()| {
        if run.changed || again {
            run.all(machine, &step.on_change)
        } else {
            Ok(())
        }
    });
    let ended_by_shutdown = matches!(performed, Err(EffectError::EndedByShutdown { .. }));
    // What could not be made without root is missed by what needs it: no fault of its own.
    let follows =
        run.not_done.is_some() && matches!(performed, Err(EffectError::NoSuchAccount { .. }));
    let outcome = match (&performed, run.not_done) {
        (Err(_), _) if ended_by_shutdown => {
            Outcome::Interrupted("ended by the machine's shutdown".to_owned())
        }
        (Err(_), _) if !follows => Outcome::Failed,
        // Of what the rest of it would do, a dry run tells.
        _ if run.would => Outcome::WouldChange,
        (_, Some(why)) => Outcome::Skipped(why.to_owned()),
        _ if run.changed => Outcome::Changed,
        _ => Outcome::Unchanged,
    };
    let error = performed.err().filter(|_| !follows && !ended_by_shutdown);
    let report = StepReport {
        name: step.name.clone(),
        outcome,
        duration_us: 0,
        effects: run.effects,
        error: error.as_ref().map(error_report),
    };
    Performed {
        report,
        ended_by_shutdown,
        warnings: run.warnings,
    }
}

/// A step of which nothing was performed.
pub(crate) fn left(step: &Step, outcome: Outcome) -> Performed {
    let report = StepReport {
        name: step.name.clone(),
        outcome,
        duration_us: 0,
        effects: Vec::new(),
        error: None,
    };
    Performed {
        report,
        ended_by_shutdown: false,
        warnings: Vec::new(),
    }
}

/// A step of which it is not known what shall be.
pub(crate) fn not_done(step: &Step, why: NotDone) -> Performed {
    let mut performed = left(step, Outcome::Skipped(why.why().to_owned()));
    performed.report.effects.push(EffectReport {
        what: "what the image's module wants".to_owned(),
        change: why.why().to_owned(),
        detail: Vec::new(),
    });
    performed
}

/// A step that could not be begun.
pub(crate) fn failed(step: &Step, error: &EffectError) -> Performed {
    let mut performed = left(step, Outcome::Failed);
    performed.report.error = Some(error_report(error));
    performed
}

fn error_report(error: &EffectError) -> ErrorReport {
    ErrorReport {
        message: chain(error),
        class: error.class(),
    }
}

#[derive(Default)]
struct Run {
    effects: Vec<EffectReport>,
    warnings: Vec<String>,
    changed: bool,
    would: bool,
    not_done: Option<&'static str>,
}

impl Run {
    fn all(&mut self, machine: &dyn Machine, effects: &[Effect]) -> Result<(), EffectError> {
        effects
            .iter()
            .try_for_each(|effect| self.one(machine, effect))
    }

    fn one(&mut self, machine: &dyn Machine, effect: &Effect) -> Result<(), EffectError> {
        let result = machine.apply(effect);
        let (change, detail) = match &result {
            Ok(Change::Made { note }) => ("made", note.iter().cloned().collect()),
            Ok(Change::MadeInstead { warning }) => {
                self.warnings.push(warning.clone());
                ("made", vec![warning.clone()])
            }
            Ok(Change::Begun) => (BEGUN, Vec::new()),
            Ok(Change::AlreadySo) => ("already so", Vec::new()),
            Ok(Change::WouldMake { diff }) => ("would make", diff.clone()),
            Ok(Change::NotDone(why)) => (why.why(), Vec::new()),
            Err(_) => ("failed", Vec::new()),
        };
        let what = effect.to_string();
        self.effects.push(EffectReport {
            what,
            change: change.to_owned(),
            detail,
        });
        let change = result?;
        self.changed |= change.is_change();
        self.would |= matches!(change, Change::WouldMake { .. });
        if let Change::NotDone(why) = change {
            self.not_done.get_or_insert(why.why());
        }
        Ok(())
    }
}

/// What became of a module: the worst that happened to a step, or else the most that happened.
pub(crate) fn outcome(report: &ModuleReport) -> Outcome {
    let all = || report.steps.iter().map(|step| &step.outcome);
    let nothing_but_errors = report.steps.is_empty()
        && report
            .problems
            .iter()
            .any(|problem| problem.severity == Severity::Error);
    if nothing_but_errors || all().any(|outcome| *outcome == Outcome::Failed) {
        return Outcome::Failed;
    }
    let interrupted = all().find(|outcome| matches!(outcome, Outcome::Interrupted(_)));
    let interrupted =
        interrupted.or_else(|| all().find(|outcome| matches!(outcome, Outcome::FailedBefore(_))));
    let changed =
        || all().find(|outcome| matches!(outcome, Outcome::Changed | Outcome::WouldChange));
    let unchanged = || all().find(|outcome| matches!(outcome, Outcome::Unchanged));
    let best = interrupted
        .or_else(changed)
        .or_else(unchanged)
        .or_else(|| all().next());
    best.cloned().unwrap_or(Outcome::Unchanged)
}
