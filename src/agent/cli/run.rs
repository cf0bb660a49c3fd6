//! `firstlight run`

use std::process::ExitCode;

use contract::module::{Entry, Stage};
use contract::report::{Health, ProblemReport, Report};

use super::{Format, table};
use crate::last_act;
use crate::session::{self, Mode, Session, Target};

/// Run single modules again, from what the boot stored: for debugging.
///
/// Without --force a module that has done its work for this instance is skipped, as at boot.
/// Exit code 1 if something failed.
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// Modules, as `firstlight modules` lists them.
    #[arg(value_name = "MODULE", required = true)]
    modules: Vec<String>,
    /// Run them although they are done.
    #[arg(long)]
    force: bool,
    /// How to print what was done.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Run {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        let mut session = Session::open(target)?;
        for name in &self.modules {
            session.catalogue.find(name)?;
        }
        let _lock = session.lock()?;
        let mut known = session.recall_or_fail()?;
        known.include(&session, &self.modules);
        let (mut semaphores, told) = session.reconciled(&known)?;
        let wanted = |entry: &Entry| self.modules.iter().any(|name| name == entry.facts.name);
        let mut mode = Mode {
            dry: false,
            force: self.force,
            over: &mut || {},
            observer: &mut |_, _| {},
        };
        let mut report = Report::new();
        report.problems = told.iter().map(ProblemReport::from).collect();
        for stage in Stage::ALL {
            report.stages.push(session::run_stage(
                &session,
                &known,
                &mut semaphores,
                &session.host,
                stage,
                &wanted,
                &mut mode,
            ));
        }
        match self.format {
            Format::Json => table::json(&report)?,
            Format::Text => table::report(&report),
        }
        if let Some(problem) = last_act::perform(&session) {
            table::complain(&problem.to_string());
            report.problems.push(problem);
        }
        let failed = report.health() == Health::Error;
        Ok(if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}
