//! `firstlight status`

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use contract::module::Stage;
use contract::report::{Health, Report};
use engine::report_file;
use serde_json::json;

use super::{Format, table};
use crate::boot;
use crate::session::{Session, Target};

/// Show how far the boot is and how it went.
///
/// Exit code 0: done, still running or not started; 2: degraded (something was ignored, guessed or
/// interrupted); 1: a module or script failed.
#[derive(Debug, clap::Args)]
pub(super) struct Status {
    /// Wait until the final stage is over.
    #[arg(long)]
    wait: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How often a waiting `status` looks: as often as cloud-init's does.
const POLL: Duration = Duration::from_millis(250);

/// Something was ignored, guessed or interrupted.
const DEGRADED: u8 = 2;

impl Status {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        let session = Session::look(target)?;
        let off = boot::switched_off(&session.host);
        let mut report = current(&session);
        while self.wait && off.is_none() && !report.as_ref().is_some_and(is_over) {
            thread::sleep(POLL);
            report = current(&session);
        }
        let word = match (&report, off) {
            (None, Some(_)) => "disabled",
            (None, None) => "not started",
            (Some(report), _) if !is_over(report) => "running",
            (Some(report), _) => table::health_word(report.health()),
        };
        match self.format {
            Format::Json => table::json(&json!({"status": word, "report": report}))?,
            Format::Text => {
                table::line(&format!("status: {word}"));
                if let Some(report) = &report {
                    details(report);
                }
            }
        }
        let health = report.as_ref().map_or(Health::Done, Report::health);
        Ok(match health {
            Health::Done => ExitCode::SUCCESS,
            Health::Degraded => ExitCode::from(DEGRADED),
            Health::Error => ExitCode::FAILURE,
        })
    }
}

/// This boot's report: one of an earlier boot says nothing about this one.
fn current(session: &Session) -> Option<Report> {
    let boot_id = system::boot_id(&session.host);
    report_file::read(&session.host).filter(|report| report.boot_id == boot_id)
}

fn is_over(report: &Report) -> bool {
    let last = report
        .stages
        .iter()
        .find(|stage| stage.stage == Stage::Final);
    last.is_some_and(|stage| stage.finished.is_some())
}

fn details(report: &Report) {
    let unknown = "unknown";
    table::line(&format!(
        "instance: {}",
        report.instance_id.as_deref().unwrap_or(unknown)
    ));
    table::line(&format!(
        "data source: {}",
        report.datasource.as_deref().unwrap_or(unknown)
    ));
    let mut rows = vec![table::row(["STAGE", "MODULE", "OUTCOME", "MILLISECONDS"])];
    for stage in &report.stages {
        for module in &stage.modules {
            let outcome = table::outcome_text(&module.outcome);
            let time = format!(
                "{}.{:03}",
                module.duration_us / 1000,
                module.duration_us % 1000
            );
            rows.push(table::row([
                stage.stage.as_str(),
                &module.name,
                &outcome,
                &time,
            ]));
        }
    }
    table::print(&rows);
    table::problems(report);
}
