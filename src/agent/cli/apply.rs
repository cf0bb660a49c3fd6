//! `firstlight apply`

use std::process::ExitCode;

use contract::module::Stage;
use contract::report::{Health, Outcome, Report};

use super::{Format, table};
use crate::boot;
use crate::last_act;
use crate::notify::Notifier;
use crate::session::{self, Session, Target};

/// Bring this machine, or the one below --root, to what is wanted, and show what was done.
///
/// All stages run, in order. What is done once for an instance is not done again: a second `apply`
/// changes nothing. Exit code 1 if something failed.
#[derive(Debug, clap::Args)]
pub(super) struct Apply {
    /// How to print what was done.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Apply {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        let mut session = Session::open(target)?;
        let _lock = session.lock()?;
        let mut report = boot::run(
            &mut session,
            &Stage::ALL,
            &Notifier::default(),
            &mut |_, _| {},
        )?;
        match self.format {
            Format::Json => table::json(&report)?,
            Format::Text => {
                table::report(&report);
                table::line(&summary(&report));
            }
        }
        if let Some(problem) = last_act::perform(&session) {
            table::complain(&problem.to_string());
            report.problems.push(problem);
            session::publish(&session, &report);
        }
        let failed = report.health() == Health::Error;
        Ok(if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

fn summary(report: &Report) -> String {
    let changed = report
        .modules()
        .filter(|module| module.outcome == Outcome::Changed)
        .count();
    let id = report.instance_id.as_deref().unwrap_or("unknown");
    let health = table::health_word(report.health());
    match changed {
        0 => format!("{id}: nothing changed ({health})"),
        1 => format!("{id}: 1 module changed something ({health})"),
        n => format!("{id}: {n} modules changed something ({health})"),
    }
}
