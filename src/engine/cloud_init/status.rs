//! `status.json` and `result.json`: where the boot is, and how it went.
//!
//! Source: cloud-init, `cloudinit/cmd/main.py` (`status_wrapper`), `cloudinit/cmd/status.py`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use contract::effect::{Effect, FileSpec};
use contract::machine::Probe;
use contract::module::Stage;
use contract::plan::Severity;
use contract::report::{ModuleReport, Outcome, Report, StageReport};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{RUN, STATE, clock, datasource, json as written, log};

const STATUS: &str = "status.json";
const RESULT: &str = "result.json";

/// What shall be when a boot begins: it runs, and nothing of the last one says that it is over.
#[must_use]
pub fn begun(probe: &dyn Probe) -> Vec<Effect> {
    let mut effects: Vec<Effect> = [
        format!("{RUN}/disabled"),
        format!("{RUN}/{RESULT}"),
        data(RESULT),
        format!("{STATE}/instance/boot-finished"),
    ]
    .into_iter()
    .map(absent)
    .collect();
    effects.push(Effect::file(format!("{RUN}/enabled").as_str(), ""));
    effects.extend(log::files(probe));
    let mut stages = Stages::default();
    stages.local.begin(clock::uptime(probe));
    effects.extend(stages.effects(None));
    effects
}

/// What shall be on a machine where nothing is run: a tool that waits is told so.
#[must_use]
pub fn disabled() -> Vec<Effect> {
    vec![
        absent(format!("{RUN}/enabled")),
        Effect::file(format!("{RUN}/disabled").as_str(), ""),
    ]
}

/// What shall be once the boot is as far as `report` says. When a stage began and ended is told by
/// what was written before, or else it is now.
#[must_use]
pub fn published(probe: &dyn Probe, report: &Report) -> Vec<Effect> {
    let now = clock::uptime(probe);
    let mut stages = Stages::written(probe);
    // What cloud-init's first stage does is done before ours begin.
    stages.local.end(now);
    let init = [Stage::Early, Stage::Identity];
    take(&mut stages.init, report, &init, now);
    take(&mut stages.config, report, &[Stage::Config], now);
    take(&mut stages.last, report, &[Stage::Final], now);
    stages.init.note(Told::of_report(report));
    let class = report.datasource.as_deref().map(datasource::class);
    let mut effects = stages.effects(class.as_deref());
    if is_over(report, Stage::Final) {
        effects.extend(stages.result(class.as_deref()));
    }
    effects
}

/// What shall be when a boot cannot go on: nobody shall wait for it.
#[must_use]
pub fn failed(probe: &dyn Probe, why: &str) -> Vec<Effect> {
    let now = clock::uptime(probe);
    let mut stages = Stages::written(probe);
    stages.local.end(now);
    stages.init.end(now);
    stages.init.errors.push(why.to_owned());
    let mut effects = stages.effects(None);
    effects.extend(stages.result(None));
    effects
}

/// What shall be when `failed` could not be: where the disk takes nothing, what tools look at in /run
/// is a file instead of a link.
#[must_use]
pub fn instead(failed: &Effect) -> Vec<Effect> {
    let Effect::File(file) = failed else {
        return Vec::new();
    };
    let names = [STATUS, RESULT].into_iter();
    let mut names = names.filter(|name| file.at == data(name).as_str().into());
    let Some(path) = names.next().map(|name| format!("{RUN}/{name}")) else {
        return Vec::new();
    };
    let file = FileSpec {
        at: path.as_str().into(),
        ..file.clone()
    };
    vec![absent(path), Effect::File(file)]
}

/// Whether a stage has come to its end.
fn is_over(report: &Report, stage: Stage) -> bool {
    find(report, stage).is_some_and(|stage| stage.finished.is_some())
}

fn find(report: &Report, stage: Stage) -> Option<&StageReport> {
    report.stages.iter().find(|known| known.stage == stage)
}

fn data(name: &str) -> String {
    format!("{STATE}/data/{name}")
}

fn absent(path: String) -> Effect {
    Effect::Absent {
        at: PathBuf::from(path).into(),
    }
}

/// The link in /run that cloud-init makes of a file's path, relative as there.
fn link(name: &str) -> Effect {
    Effect::Link {
        at: format!("{RUN}/{name}").as_str().into(),
        to: format!("../..{}", data(name)).into(),
    }
}

/// What is wrong, by how bad it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// What failed: `scripts_user/part-001: ...`.
    pub errors: Vec<String>,
    /// What was ignored, guessed or interrupted.
    pub warnings: Vec<String>,
}

impl Told {
    /// What is wrong with user data, the configuration or the data source.
    pub(super) fn of_report(report: &Report) -> Self {
        let mut told = Self::default();
        for problem in &report.problems {
            told.add(problem.severity, problem.to_string());
        }
        told
    }

    fn add(&mut self, severity: Severity, text: String) {
        match severity {
            Severity::Error => self.errors.push(text),
            Severity::Warning => self.warnings.push(text),
            // It is no reason for anybody to look.
            Severity::Notice => {}
        }
    }

    pub(super) fn module(&mut self, module: &ModuleReport) {
        let name = &module.name;
        let before = self.errors.len() + self.warnings.len();
        for problem in &module.problems {
            self.add(problem.severity, format!("{name}: {problem}"));
        }
        for step in &module.steps {
            let error = step.error.as_ref().map(|error| error.message.as_str());
            self.outcome(&step.outcome, &format!("{name}/{}", step.name), error);
        }
        if self.errors.len() + self.warnings.len() == before {
            self.outcome(&module.outcome, name, None);
        }
    }

    fn outcome(&mut self, outcome: &Outcome, what: &str, error: Option<&str>) {
        match outcome {
            Outcome::Failed => {
                let why = error.unwrap_or("failed");
                self.add(Severity::Error, format!("{what}: {why}"));
            }
            Outcome::Interrupted(why) => {
                self.add(Severity::Warning, format!("{what}: interrupted: {why}"));
            }
            Outcome::FailedBefore(why) => {
                self.add(Severity::Warning, format!("{what}: failed before: {why}"));
            }
            _ => {}
        }
    }
}

/// One of cloud-init's stages, as it writes it down.
#[derive(Debug, Clone, Default, Serialize)]
struct StageStatus {
    errors: Vec<String>,
    recoverable_errors: BTreeMap<&'static str, Vec<String>>,
    /// Uptime in seconds.
    start: Option<f64>,
    /// Uptime in seconds.
    finished: Option<f64>,
}

impl StageStatus {
    fn begin(&mut self, now: f64) {
        self.start.get_or_insert(now);
    }

    fn end(&mut self, now: f64) {
        self.begin(now);
        self.finished.get_or_insert(now);
    }

    fn runs(&self) -> bool {
        self.start.is_some() && self.finished.is_none()
    }

    fn note(&mut self, told: Told) {
        self.errors.extend(told.errors);
        if !told.warnings.is_empty() {
            let warnings = self.recoverable_errors.entry("WARNING").or_default();
            warnings.extend(told.warnings);
        }
    }
}

/// cloud-init's four stages.
#[derive(Default)]
struct Stages {
    local: StageStatus,
    init: StageStatus,
    config: StageStatus,
    last: StageStatus,
}

impl Stages {
    /// When each began and ended, as it was written last; what cannot be read was not begun.
    fn written(probe: &dyn Probe) -> Self {
        let mut stages = Self::default();
        let read = |path: String| probe.read(Path::new(&path)).ok().flatten();
        let bytes = read(format!("{RUN}/{STATUS}")).or_else(|| read(data(STATUS)));
        let known: Option<Value> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some(known) = known else {
            return stages;
        };
        for (name, stage) in stages.named_mut() {
            let time = |key: &str| known.pointer(&format!("/v1/{name}/{key}"))?.as_f64();
            stage.start = time("start");
            stage.finished = time("finished");
        }
        stages
    }

    fn named(&self) -> [(&'static str, &StageStatus); 4] {
        [
            ("init-local", &self.local),
            ("init", &self.init),
            ("modules-config", &self.config),
            ("modules-final", &self.last),
        ]
    }

    fn named_mut(&mut self) -> [(&'static str, &mut StageStatus); 4] {
        [
            ("init-local", &mut self.local),
            ("init", &mut self.init),
            ("modules-config", &mut self.config),
            ("modules-final", &mut self.last),
        ]
    }

    fn errors(&self) -> Vec<&String> {
        let stages = self.named().into_iter();
        stages.flat_map(|(_, stage)| &stage.errors).collect()
    }

    fn result(&self, class: Option<&str>) -> [Effect; 2] {
        let result = json!({"v1": {"datasource": class, "errors": self.errors()}});
        [
            link(RESULT),
            Effect::file(data(RESULT).as_str(), written(&result)),
        ]
    }

    fn effects(&self, class: Option<&str>) -> Vec<Effect> {
        let runs = self.named().into_iter().find(|(_, stage)| stage.runs());
        let stages = self.named().into_iter();
        let mut v1: Map<String, Value> = stages
            .map(|(name, stage)| (name.to_owned(), json!(stage)))
            .collect();
        v1.insert("datasource".to_owned(), json!(class));
        v1.insert("stage".to_owned(), json!(runs.map(|(name, _)| name)));
        let status = written(&json!({ "v1": v1 }));
        vec![link(STATUS), Effect::file(data(STATUS).as_str(), status)]
    }
}

/// What has become of a stage of cloud-init's whose modules are those of `own`, ours.
fn take(status: &mut StageStatus, report: &Report, own: &[Stage], now: f64) {
    let begun: Vec<&StageReport> = own
        .iter()
        .filter_map(|stage| find(report, *stage))
        .collect();
    if begun.is_empty() {
        *status = StageStatus::default();
        return;
    }
    status.begin(now);
    if own.last().is_some_and(|stage| is_over(report, *stage)) {
        status.end(now);
    } else {
        status.finished = None;
    }
    let mut told = Told::default();
    let modules = begun.iter().flat_map(|stage| &stage.modules);
    modules.for_each(|module| told.module(module));
    status.note(told);
}

#[cfg(test)]
mod tests;
