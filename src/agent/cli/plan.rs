//! `firstlight plan`

use std::process::ExitCode;

use contract::module::{Entry, Stage};
use contract::report::{Health, Outcome, Report};

use super::{Format, table};
use crate::session::{self, Mode, Session, Target};

/// Show what would change, and change nothing.
///
/// Exit code 0: nothing would change; 2: something would; 1: something is wrong.
#[derive(Debug, clap::Args)]
pub(super) struct Plan {
    /// Plan these modules only.
    #[arg(value_name = "MODULE")]
    modules: Vec<String>,
    /// How to print the plan.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Something would change.
const WOULD_CHANGE: u8 = 2;

impl Plan {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        let mut session = Session::look(target)?;
        for name in &self.modules {
            session.catalogue.find(name)?;
        }
        let (datasource, found) = session.ask()?;
        let (known, found) = session.understand(datasource, found);
        let mut report = session.report(&known, &found.problems());
        let mut semaphores = session.semaphores(&known)?;
        let machine = session::dry_run(&session);
        let wanted = |entry: &Entry| {
            self.modules.is_empty() || self.modules.iter().any(|name| name == entry.facts.name)
        };
        let mut mode = Mode {
            dry: true,
            force: false,
            over: &mut || {},
            observer: &mut |_, _| {},
        };
        for stage in Stage::ALL {
            let done = session::run_stage(
                &session,
                &known,
                &mut semaphores,
                &machine,
                stage,
                &wanted,
                &mut mode,
            );
            report.note(done);
        }
        match self.format {
            Format::Json => table::json(&report)?,
            Format::Text => show(&report),
        }
        let would_change = report
            .modules()
            .any(|module| module.outcome == Outcome::WouldChange);
        Ok(match report.health() {
            Health::Error => ExitCode::FAILURE,
            _ if would_change => ExitCode::from(WOULD_CHANGE),
            _ => ExitCode::SUCCESS,
        })
    }
}

fn show(report: &Report) {
    let mut changes = 0_usize;
    for module in report.modules() {
        for effect in module.steps.iter().flat_map(|step| &step.effects) {
            if effect.change == "already so" {
                continue;
            }
            changes += 1;
            let (what, change) = (&effect.what, &effect.change);
            table::line(&table::visible(&format!(
                "{}: {what} ({change})",
                module.name
            )));
            for line in &effect.detail {
                table::line(&table::visible(&format!("    {line}")));
            }
        }
    }
    table::problems(report);
    table::line(&match changes {
        0 => String::from("nothing would change"),
        1 => String::from("1 change"),
        n => format!("{n} changes"),
    });
}
