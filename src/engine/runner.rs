//! Performs the plans of modules, with a durable record around what must not happen twice.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use contract::error::{EffectError, chain};
use contract::machine::Machine;
use contract::module::{Context, Entry, Frequency, Stage};
use contract::plan::{Plan, Problem, Step};
use contract::report::{ModuleReport, Outcome, ProblemReport, StageReport, StepReport};
use contract::yaml;

use crate::cloud_init::Marks;
use crate::overlap;
use crate::perform::{self, Performed};
use crate::semaphore::{Record, Semaphores, Verdict, now, verdict};
use crate::settings::OnChange;

/// Runs modules on a machine. The run lock is held by the caller.
pub struct Runner<'a> {
    /// What is changed.
    pub machine: &'a dyn Machine,
    /// What the modules may know.
    pub context: &'a Context<'a>,
    /// What was done before.
    pub semaphores: &'a mut Semaphores,
    /// Whether to do again what was done before.
    pub force: bool,
    /// Whether nothing is to be written: the machine is a dry run then.
    pub dry: bool,
    /// The kernel's boot id.
    pub boot_id: &'a str,
    /// Whether code that was interrupted is run again.
    pub on_interrupt_rerun: bool,
    /// Where others look for what was done before.
    pub marks: &'a Marks,
    /// What to do when what is done would be done from other inputs now.
    pub on_change: OnChange,
    /// Called when a stage's modules are over, before the disk is waited for and they are recorded
    /// as done.
    pub over: &'a mut dyn FnMut(),
    /// Told of every module when it is over.
    pub observer: &'a mut dyn FnMut(&ModuleReport),
}

/// Records that wait for the stage's end.
type Deferred = Vec<(Frequency, String, Record)>;

impl Runner<'_> {
    /// Runs those of `entries` that belong to `stage` and have something to do.
    pub fn stage(&mut self, stage: Stage, entries: &[Entry]) -> StageReport {
        let started = unix_time();
        let mut deferred = Deferred::new();
        let mut modules = Vec::new();
        let mut ends_here = false;
        for entry in entries.iter().filter(|entry| entry.stage == stage) {
            if !entry.is_awake(self.context.config) {
                continue;
            }
            ends_here = self.machine.ends_here();
            if ends_here {
                break;
            }
            let report = self.perform(entry, &mut deferred);
            (self.observer)(&report);
            modules.push(report);
        }
        self.machine.label();
        (self.over)();
        self.join(&mut modules, entries, &mut deferred);
        self.write(deferred);
        StageReport {
            stage,
            started,
            // What is left of it is done at the next boot.
            finished: (!ends_here).then(unix_time),
            programs_us: 0,
            modules,
        }
    }

    /// Runs one module, whether one of its keys is given or not.
    pub fn module(&mut self, entry: &Entry) -> ModuleReport {
        let mut deferred = Deferred::new();
        let mut report = self.perform(entry, &mut deferred);
        self.machine.label();
        let own = (
            std::slice::from_mut(&mut report),
            std::slice::from_ref(entry),
        );
        self.join(own.0, own.1, &mut deferred);
        (self.observer)(&report);
        self.write(deferred);
        report
    }

    /// Waits for what the modules began beside each other.
    fn join(&self, modules: &mut [ModuleReport], entries: &[Entry], deferred: &mut Deferred) {
        for name in overlap::close(modules, self.machine.join()) {
            let entry = entries.iter().find(|entry| entry.facts.name == name);
            if let Some(entry) = entry {
                deferred.push((entry.frequency, name, Record::Failed { at: now() }));
            }
        }
    }

    fn perform(&mut self, entry: &Entry, deferred: &mut Deferred) -> ModuleReport {
        let begun = Instant::now();
        let name = entry.facts.name;
        let mut report = ModuleReport {
            name: name.to_owned(),
            outcome: Outcome::Unchanged,
            duration_us: 0,
            steps: Vec::new(),
            problems: Vec::new(),
        };
        let record = self.semaphores.due(name, entry.frequency, self.boot_id);
        let record = record.clone();
        let skipped = match verdict(&record, false, self.on_interrupt_rerun) {
            _ if self.force => None,
            Verdict::DoneBefore => {
                let changed = self.has_other_inputs(entry, &record);
                (!self.runs_changed(entry, changed, &mut report)).then(done_before)
            }
            Verdict::FailedBefore => Some(Outcome::FailedBefore(run_again(name))),
            _ => None,
        };
        if let Some(outcome) = skipped {
            report.outcome = outcome;
        } else {
            // A bug costs one module, not the boot.
            let ran = catch_unwind(AssertUnwindSafe(|| {
                let plan = entry.plan(self.context);
                self.plan(entry, plan, &mut report, deferred);
            }));
            if ran.is_err() {
                let bug = Problem::error(None, format!("firstlight's module `{name}` panicked"));
                report.problems.push(ProblemReport::from(&bug));
                report.outcome = Outcome::Failed;
                let failed = Record::Failed { at: now() };
                deferred.push((entry.frequency, name.to_owned(), failed));
            }
        }
        report.duration_us = micros(begun);
        report
    }

    fn plan(
        &mut self,
        entry: &Entry,
        plan: Plan,
        report: &mut ModuleReport,
        deferred: &mut Deferred,
    ) {
        report.problems = plan.problems.iter().map(ProblemReport::from).collect();
        let mut stopped = None;
        let mut failed: Option<&str> = None;
        for step in &plan.steps {
            let begun = Instant::now();
            failed = failed.filter(|_| step.needs_previous);
            let mut performed = if let Some(name) = failed {
                let why = format!("not done because `{name}` failed");
                perform::left(step, Outcome::Skipped(why))
            } else if let Some(why) = step.not_done {
                perform::not_done(step, why)
            } else if step.runs_code() {
                self.code(entry, step, &mut stopped, report)
            } else {
                self.idempotent(entry, step, deferred)
            };
            performed.report.duration_us = micros(begun);
            for warning in performed.warnings.drain(..) {
                let problem = Problem::warning(None, warning);
                report.problems.push(ProblemReport::from(&problem));
            }
            if step.is_lenient && performed.report.outcome == Outcome::Failed {
                let error = performed.report.error.take();
                let why = error.map_or_else(|| step.name.clone(), |error| error.message);
                let problem = Problem::warning(None, format!("{why}; the boot goes on"));
                report.problems.push(ProblemReport::from(&problem));
                performed.report.outcome = Outcome::Skipped(IT_FAILED.to_owned());
            }
            if is_missing(&performed.report.outcome) {
                failed = Some(&step.name);
            }
            report.steps.push(performed.report);
        }
        report.outcome = perform::outcome(report);
        if let Some(record) = self.closing(entry, &plan, report) {
            deferred.push((entry.frequency, entry.facts.name.to_owned(), record));
        }
    }

    /// The module's own record: none while something of it is still to do.
    fn closing(&self, entry: &Entry, plan: &Plan, report: &ModuleReport) -> Option<Record> {
        let at = now();
        if report.outcome == Outcome::Failed {
            return Some(Record::Failed { at });
        }
        let is_done = |step: &StepReport| match &step.outcome {
            Outcome::Changed | Outcome::Unchanged => true,
            Outcome::Skipped(why) => why == DONE_BEFORE || why == IT_FAILED,
            _ => false,
        };
        report.steps.iter().all(is_done).then(|| Record::Done {
            at,
            digest: self.inputs(entry, Some(plan)),
        })
    }

    /// The digest of what a module is made from: its keys, or, of one that has none, the inputs of
    /// its steps.
    fn inputs(&self, entry: &Entry, plan: Option<&Plan>) -> Option<String> {
        if !entry.facts.keys.is_empty() {
            let section = self.context.config.subset(&entry.facts.key_names());
            return self
                .semaphores
                .digest(&[yaml::to_string(&section).as_bytes()]);
        }
        let steps: Vec<&[u8]> = plan?
            .steps
            .iter()
            .flat_map(|step| [step.name.as_bytes(), step.inputs.expose()])
            .collect();
        self.semaphores.digest(&steps)
    }

    /// Whether a module that is done for this instance would be done from other inputs now.
    fn has_other_inputs(&self, entry: &Entry, record: &Record) -> bool {
        let Record::Done {
            digest: Some(before),
            ..
        } = record
        else {
            return false;
        };
        // The key that digests are made with is the instance's, so those of another tell nothing.
        if self.on_change == OnChange::Ignore || entry.frequency != Frequency::Instance {
            return false;
        }
        // A custom module that reads no keys would have to be asked at each boot.
        let keyless = entry.facts.keys.is_empty() && !entry.is_custom();
        let plan = || catch_unwind(AssertUnwindSafe(|| entry.plan(self.context))).ok();
        let plan = if keyless { plan() } else { None };
        self.inputs(entry, plan.as_ref())
            .is_some_and(|now| now != *before)
    }

    /// Whether a module that is done runs again because its inputs are others; else that is told.
    fn runs_changed(&self, entry: &Entry, changed: bool, report: &mut ModuleReport) -> bool {
        if changed && self.on_change == OnChange::Report {
            let name = entry.facts.name;
            let message = format!(
                "what `{name}` is made from has changed since it was done for this instance, and it is not done again"
            );
            let hint = format!(
                "`firstlight run {name} --force` does it again; `firstlight: {{on_change: rerun}}` in the image always does"
            );
            let problem = Problem::notice(None, message).hint(hint);
            report.problems.push(ProblemReport::from(&problem));
        }
        changed && self.on_change == OnChange::Rerun
    }

    fn idempotent(&mut self, entry: &Entry, step: &Step, deferred: &mut Deferred) -> Performed {
        let frequency = entry.frequency;
        let name = format!("{}/{}", entry.facts.name, step.name);
        let record = self.semaphores.due(&name, frequency, self.boot_id);
        let again = matches!(record, Record::Started { .. });
        let follows = !step.on_change.is_empty();
        // Else a power cut between a change and what follows it would lose what follows.
        if follows && !self.dry && !again {
            let started = Record::Started { at: now() };
            if let Err(error) = self.note(frequency, &name, started) {
                return perform::failed(step, &error);
            }
        }
        let performed = perform::step(self.machine, step, again);
        if follows && !performed.ended_by_shutdown {
            let record = match performed.report.outcome {
                Outcome::Failed => Record::Failed { at: now() },
                Outcome::Skipped(_) => Record::Absent,
                _ => Record::Done {
                    at: now(),
                    digest: self.digest(step),
                },
            };
            deferred.push((frequency, name, record));
        }
        performed
    }

    /// A step that runs code is begun at most once: the record that it was begun is durable
    /// before it, and that it is done only after what it did.
    fn code(
        &mut self,
        entry: &Entry,
        step: &Step,
        stopped: &mut Option<String>,
        report: &mut ModuleReport,
    ) -> Performed {
        let (module, frequency) = (entry.facts.name, entry.frequency);
        let name = format!("{module}/{}", step.name);
        let record = self.semaphores.due(&name, frequency, self.boot_id).clone();
        let other = |before: &Option<String>| {
            let is_own = frequency == Frequency::Instance && before.is_some();
            self.on_change == OnChange::Rerun && is_own && *before != self.digest(step)
        };
        let verdict = match (verdict(&record, true, self.on_interrupt_rerun), &record) {
            _ if self.force => Verdict::Run,
            (Verdict::DoneBefore, Record::Done { digest, .. }) if other(digest) => Verdict::Run,
            (verdict, _) => verdict,
        };
        let again = format!("run it with `firstlight run {module} --force`");
        match verdict {
            Verdict::DoneBefore => {
                return perform::left(step, done_before());
            }
            Verdict::FailedBefore => {
                return perform::left(step, Outcome::FailedBefore(run_again(module)));
            }
            Verdict::WasInterrupted => {
                if matches!(record, Record::Started { .. }) && !self.dry {
                    let noted = Record::Interrupted { at: now() };
                    if let Err(error) = self.note(frequency, &name, noted) {
                        tracing::error!("cannot note the interruption: {}", chain(&error));
                    }
                }
                *stopped = Some(format!("`{}` was interrupted", step.name));
                let why = format!("it was begun and did not end; {again}");
                return perform::left(step, Outcome::Interrupted(why));
            }
            Verdict::WasEndedByShutdown => {
                *stopped = Some(format!("`{}` was ended by a shutdown", step.name));
                return perform::left(
                    step,
                    Outcome::Skipped(format!("ended by a shutdown; {again}")),
                );
            }
            // Once at most: it may have run, and the record of that be lost.
            Verdict::Run if !self.force && self.semaphores.may_have_begun(frequency, &record) => {
                let why = "whether it was begun is not known, as the records are damaged";
                return perform::left(step, Outcome::Interrupted(format!("{why}; {again}")));
            }
            Verdict::Run | Verdict::RunAgain => {}
        }
        if let Some(why) = stopped {
            let message = format!("`{}` does not run because {why}", step.name);
            let problem = Problem::warning(None, &message).hint(again.as_str());
            report.problems.push(ProblemReport::from(&problem));
            return perform::left(
                step,
                Outcome::Skipped(format!("not run because {why}; {again}")),
            );
        }
        let performed = self.run(frequency, &name, step, verdict == Verdict::RunAgain);
        if performed.ended_by_shutdown {
            *stopped = Some(format!("`{}` was ended by a shutdown", step.name));
        }
        performed
    }

    fn run(&mut self, frequency: Frequency, name: &str, step: &Step, again: bool) -> Performed {
        if self.dry {
            return perform::step(self.machine, step, again);
        }
        let started = (name.to_owned(), Record::Started { at: now() });
        // Before the script, which may take it away so that it runs again.
        let module = name.split('/').next().unwrap_or(name);
        let mut records = Vec::from_iter(self.publish(module, frequency));
        records.push(started);
        let noted = self.settle_for(frequency).and_then(|()| {
            self.semaphores
                .note(self.machine, frequency, self.boot_id, records)
        });
        if let Err(error) = noted {
            return perform::failed(step, &error);
        }
        let performed = perform::step(self.machine, step, again);
        let at = now();
        let record = match performed.report.outcome {
            _ if performed.ended_by_shutdown => Record::EndedByShutdown { at },
            Outcome::Failed => Record::Failed { at },
            Outcome::Skipped(_) => Record::Absent,
            _ => Record::Done {
                at,
                digest: self.digest(step),
            },
        };
        let noted = self
            .settle_for(frequency)
            .and_then(|()| self.note(frequency, name, record));
        if let Err(error) = noted {
            tracing::error!("cannot note the end of {name}: {}", chain(&error));
        }
        performed
    }

    /// Records of what is done at every boot do not outlast it, so nothing needs to be on the disk
    /// before them.
    fn settle_for(&self, frequency: Frequency) -> Result<(), EffectError> {
        match frequency {
            Frequency::Always => Ok(()),
            Frequency::Instance | Frequency::Once => self.machine.settle(),
        }
    }

    fn digest(&self, step: &Step) -> Option<String> {
        self.semaphores.digest(&[step.inputs.expose()])
    }

    fn note(
        &mut self,
        frequency: Frequency,
        name: &str,
        record: Record,
    ) -> Result<(), EffectError> {
        let records = vec![(name.to_owned(), record)];
        self.semaphores
            .note(self.machine, frequency, self.boot_id, records)
    }

    fn publish(&self, module: &str, frequency: Frequency) -> Option<(String, Record)> {
        self.marks
            .publish(self.machine, self.semaphores, module, frequency)
    }

    /// First everything that was done, then the records of it: one append each journal.
    fn write(&mut self, mut deferred: Deferred) {
        if self.dry || deferred.is_empty() {
            return;
        }
        let shown = deferred.iter().filter_map(|(frequency, name, _)| {
            let (name, record) = self.publish(name, *frequency)?;
            Some((*frequency, name, record))
        });
        let shown: Deferred = shown.collect();
        deferred.extend(shown);
        if let Err(error) = self.machine.settle() {
            tracing::error!("nothing is recorded as done: {}", chain(&error));
            return;
        }
        for frequency in [Frequency::Always, Frequency::Instance, Frequency::Once] {
            let own = deferred.iter().filter(|(own, ..)| *own == frequency);
            let records: Vec<(String, Record)> = own
                .map(|(_, name, record)| (name.clone(), record.clone()))
                .collect();
            if records.is_empty() {
                continue;
            }
            let noted = self
                .semaphores
                .note(self.machine, frequency, self.boot_id, records);
            if let Err(error) = noted {
                tracing::error!("cannot record what is done: {}", chain(&error));
            }
        }
    }
}

/// Whether what a step was to bring about is not there for those that need it.
const fn is_missing(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Failed | Outcome::FailedBefore(_) | Outcome::Interrupted(_)
    )
}

const DONE_BEFORE: &str = "done before";

/// Said of a lenient step, which is over with that: nothing of it is tried at the next boot.
const IT_FAILED: &str = "it failed";

fn done_before() -> Outcome {
    Outcome::Skipped(DONE_BEFORE.to_owned())
}

fn run_again(module: &str) -> String {
    format!("run it again with `firstlight run {module} --force`")
}

fn micros(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn unix_time() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |time| time.as_secs_f64())
}

#[cfg(test)]
mod tests;
