//! How a boot went, in the words and stages of cloud-init.
//!
//! Source: cloud-init 25.1.4, `cloudinit/cmd/main.py` (`status_wrapper`) and
//! `cloudinit/cmd/status.py`.

use std::collections::BTreeMap;

use contract::module::Stage;
use contract::report::{Report, StageReport};
use serde_json::{Map, Value, json};

use super::datasource;
use super::status::Told;

/// cloud-init's names of the stages, in their order.
pub const STAGES: [&str; 4] = ["init-local", "init", "modules-config", "modules-final"];

/// The level under which cloud-init would have logged what degrades a boot.
const LEVEL: &str = "WARNING";

/// How a boot went so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stages {
    /// `DataSourceEc2Local`, once it is known.
    pub datasource: Option<String>,
    /// The stage that runs now.
    pub stage: Option<&'static str>,
    /// Whether the last stage is over.
    pub is_over: bool,
    /// Each stage, in the order of [`STAGES`].
    pub all: [(&'static str, StageStatus); 4],
}

/// How one stage went. Times are Unix time, in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StageStatus {
    /// When it began.
    pub start: Option<f64>,
    /// When it was over.
    pub finished: Option<f64>,
    /// What is wrong.
    pub told: Told,
}

impl Stages {
    /// What a report says. What is merely worth knowing is not in it: to cloud-init a deprecated key
    /// is reason enough to call a boot degraded, to firstlight it is not.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let mut stages = Self {
            datasource: report.datasource.as_deref().map(datasource::class),
            all: STAGES.map(|name| (name, StageStatus::default())),
            ..Self::default()
        };
        let [_, (_, init), ..] = &mut stages.all;
        init.told = Told::of_report(report);
        for stage in &report.stages {
            if stage.finished.is_none() {
                stages.stage = Some(name(stage.stage));
            }
            stages.is_over |= stage.stage == Stage::Final && stage.finished.is_some();
            let mut own = stages.all.iter_mut();
            if let Some((_, own)) = own.find(|(own, _)| *own == name(stage.stage)) {
                own.take(stage);
            }
        }
        stages
    }

    /// All that failed, in the order in which cloud-init tells it.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        self.sorted()
            .flat_map(|own| own.told.errors.clone())
            .collect()
    }

    /// All that degrades the boot, by the level under which cloud-init would have logged it.
    #[must_use]
    pub fn recoverable_errors(&self) -> BTreeMap<&'static str, Vec<String>> {
        by_level(
            self.sorted()
                .flat_map(|own| own.told.warnings.clone())
                .collect(),
        )
    }

    /// When something last began or ended, in Unix time.
    #[must_use]
    pub fn last_update(&self) -> Option<f64> {
        let times = self.all.iter();
        let times = times.flat_map(|(_, own)| [own.start, own.finished]);
        times.flatten().reduce(f64::max)
    }

    /// The object below `v1`; its times are seconds since the kernel began, which was at `booted` in
    /// Unix time.
    #[must_use]
    pub fn v1(&self, booted: f64) -> Map<String, Value> {
        let uptime = |time: Option<f64>| time.map(|time| centiseconds(time - booted));
        let stages = self.all.iter().map(|(name, own)| {
            let own = json!({
                "errors": own.told.errors,
                "recoverable_errors": by_level(own.told.warnings.clone()),
                "start": uptime(own.start),
                "finished": uptime(own.finished),
            });
            ((*name).to_owned(), own)
        });
        let mut all: Map<String, Value> = stages.collect();
        all.insert("datasource".to_owned(), json!(self.datasource));
        all.insert("stage".to_owned(), json!(self.stage));
        all
    }

    /// By name, as cloud-init goes through them.
    fn sorted(&self) -> impl Iterator<Item = &StageStatus> {
        let by_name: BTreeMap<_, _> = self.all.iter().map(|(name, own)| (name, own)).collect();
        by_name.into_values()
    }
}

impl StageStatus {
    fn take(&mut self, stage: &StageReport) {
        self.start = Some(stage.started);
        self.finished = stage.finished;
        stage
            .modules
            .iter()
            .for_each(|module| self.told.module(module));
    }
}

fn by_level(warnings: Vec<String>) -> BTreeMap<&'static str, Vec<String>> {
    let some = (!warnings.is_empty()).then_some((LEVEL, warnings));
    some.into_iter().collect()
}

/// cloud-init's name of a stage.
#[must_use]
pub const fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Early => "init-local",
        Stage::Identity => "init",
        Stage::Config => "modules-config",
        Stage::Final => "modules-final",
    }
}

/// As `/proc/uptime` writes it.
fn centiseconds(seconds: f64) -> f64 {
    (seconds.max(0.0) * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use contract::error::ErrorClass;
    use contract::plan::Severity;
    use contract::report::{ErrorReport, ModuleReport, Outcome, ProblemReport, StepReport};

    use super::*;

    fn step(name: &str, outcome: Outcome, error: Option<&str>) -> StepReport {
        StepReport {
            name: name.to_owned(),
            outcome,
            duration_us: 1,
            effects: Vec::new(),
            error: error.map(|message| ErrorReport {
                message: message.to_owned(),
                class: ErrorClass::Config,
            }),
        }
    }

    fn problem(severity: Severity, message: &str) -> ProblemReport {
        ProblemReport {
            severity,
            source: None,
            line: 0,
            column: 0,
            message: message.to_owned(),
            hint: None,
        }
    }

    fn stage(stage: Stage, finished: Option<f64>, modules: Vec<ModuleReport>) -> StageReport {
        StageReport {
            stage,
            started: 1000.0,
            finished,
            programs_us: 0,
            modules,
        }
    }

    fn module(name: &str, outcome: Outcome, steps: Vec<StepReport>) -> ModuleReport {
        ModuleReport {
            name: name.to_owned(),
            outcome,
            duration_us: 1,
            steps,
            problems: Vec::new(),
        }
    }

    #[test]
    fn a_failure_is_told_once_and_a_notice_not_at_all() {
        let mut report = Report::new();
        report.problems = vec![
            problem(Severity::Notice, "an old spelling"),
            problem(Severity::Warning, "part ignored"),
        ];
        let failed = step("part-001", Outcome::Failed, Some("ended with exit code 3"));
        let before = Outcome::FailedBefore("at an earlier boot".to_owned());
        report.stages = vec![
            stage(Stage::Identity, Some(1001.5), Vec::new()),
            stage(
                Stage::Final,
                Some(1002.256),
                vec![
                    module("packages", before, Vec::new()),
                    module("scripts_user", Outcome::Failed, vec![failed]),
                ],
            ),
        ];
        let stages = Stages::of(&report);
        let failure = "scripts_user/part-001: ended with exit code 3";
        assert_eq!(stages.errors(), [failure]);
        let warnings = [
            "part ignored",
            "packages: failed before: at an earlier boot",
        ];
        assert_eq!(stages.recoverable_errors()["WARNING"], warnings);
        assert!(stages.is_over);
        let v1 = Value::Object(stages.v1(990.0));
        assert_eq!(v1["modules-final"]["finished"], 12.26);
        assert_eq!(v1["modules-final"]["errors"], json!([failure]));
        assert_eq!(v1["init"]["recoverable_errors"]["WARNING"][0], warnings[0]);
        assert_eq!(v1["modules-config"]["start"], Value::Null);
        assert_eq!(stages.last_update(), Some(1002.256));
    }

    #[test]
    fn a_boot_that_goes_on_names_its_stage() {
        let mut report = Report::new();
        report.datasource = Some("Ec2".to_owned());
        report.stages = vec![
            stage(Stage::Early, Some(1000.0), Vec::new()),
            stage(Stage::Identity, None, Vec::new()),
        ];
        let stages = Stages::of(&report);
        assert_eq!((stages.stage, stages.is_over), (Some("init"), false));
        assert_eq!(stages.datasource.as_deref(), Some("DataSourceEc2Local"));
        assert_eq!(stages.recoverable_errors(), BTreeMap::new());
    }
}
