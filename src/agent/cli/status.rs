//! `firstlight status`

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use contract::effect::ItemsSpec;
use contract::items::ItemReport;
use contract::machine::Probe;
use contract::module::Stage;
use contract::report::{Health, Report};
use engine::semaphore::Record;
use engine::store::Store;
use serde_json::json;

use super::table;
use crate::boot;
use crate::session::{self, Known, Session, Target};

/// Show how far the boot is and how it went.
///
/// Exit code 0: done, still running or not started; 2: degraded (something was ignored, guessed or
/// interrupted); 1: a module or script failed.
#[derive(Debug, clap::Args)]
pub(super) struct Status {
    /// Wait until the final stage is over.
    #[arg(long)]
    wait: bool,
    /// What each process used, and, for root, what became of each item of `runcmd`, with the last
    /// lines of its output.
    #[arg(long)]
    long: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: StatusFormat,
}

/// How the status is printed.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum StatusFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For programs that would rather read YAML.
    Yaml,
}

/// How often a waiting `status` looks: as often as cloud-init's does.
const POLL: Duration = Duration::from_millis(250);

/// Something was ignored, guessed or interrupted.
const DEGRADED: u8 = 2;

impl Status {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        let mut session = Session::look(target)?;
        let off = boot::switched_off(&session);
        let mut report = boot::so_far(&session);
        let stuck = |report: &Option<Report>| {
            let goes_on = off.is_none() && !report.as_ref().is_some_and(is_over);
            goes_on && boot::is_stuck(&session.host)
        };
        let mut is_stuck = stuck(&report);
        while self.wait && off.is_none() && !is_stuck && !report.as_ref().is_some_and(is_over) {
            thread::sleep(POLL);
            report = boot::so_far(&session);
            is_stuck = stuck(&report);
        }
        let word = match (&report, &off) {
            _ if is_stuck => table::health_word(Health::Error),
            (None, Some(_)) => "disabled",
            (None, None) => "not started",
            (Some(report), _) if !is_over(report) => "running",
            (Some(report), _) => table::health_word(report.health()),
        };
        match self.format {
            StatusFormat::Json => {
                table::json(&self.whole(word, off, report.as_ref(), &mut session))?;
            }
            StatusFormat::Yaml => {
                table::yaml(&self.whole(word, off, report.as_ref(), &mut session))?;
            }
            StatusFormat::Text => {
                table::line(&format!("status: {word}"));
                if is_stuck {
                    table::complain(&format!("error: {}", boot::STUCK));
                }
                if let Some(why) = off {
                    table::line(&format!("switched off: {why}"));
                }
                if let Some(report) = &report {
                    details(report, &mut session);
                    if self.long {
                        let used = report.used.iter();
                        used.for_each(|used| table::line(&format!("used: {used}")));
                        items(&mut session).iter().for_each(show_item);
                    }
                }
            }
        }
        let health = report.as_ref().map_or(Health::Done, Report::health);
        Ok(match health {
            _ if is_stuck => ExitCode::FAILURE,
            Health::Done => ExitCode::SUCCESS,
            Health::Degraded => ExitCode::from(DEGRADED),
            Health::Error => ExitCode::FAILURE,
        })
    }
}

impl Status {
    fn whole(
        &self,
        word: &str,
        off: Option<String>,
        report: Option<&Report>,
        session: &mut Session,
    ) -> serde_json::Value {
        let mut whole = json!({"status": word, "report": report, "switched_off": off});
        if self.long {
            let items = json!(items(session));
            if let Some(map) = whole.as_object_mut() {
                map.insert("runcmd".to_owned(), items);
            }
        }
        whole
    }
}

/// What became of the items of `runcmd`; nothing for whoever may not read that.
fn items(session: &mut Session) -> Vec<ItemReport> {
    let Some(known) = session.recall().ok().flatten() else {
        return Vec::new();
    };
    let dir = ItemsSpec::directory(&Store::dir_of(&known.metadata.instance_id));
    let record = session.host.read(&ItemsSpec::record(&dir)).ok().flatten();
    let items = record.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    items.unwrap_or_default()
}

fn show_item(item: &ItemReport) {
    let took = item
        .seconds
        .map_or_else(String::new, |seconds| format!(" in {seconds:.2} s"));
    table::line(&format!(
        "runcmd item {} ({}): exit code {}{took}",
        item.item, item.place, item.code
    ));
    let lines = item.output.iter().flatten();
    lines.for_each(|line| table::line(&table::visible(&format!("  | {line}"))));
}

fn is_over(report: &Report) -> bool {
    let last = report
        .stages
        .iter()
        .find(|stage| stage.stage == Stage::Final);
    last.is_some_and(|stage| stage.finished.is_some())
}

fn details(report: &Report, session: &mut Session) {
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
    running(session).iter().for_each(|line| table::line(line));
    table::problems(report);
}

/// What has been begun and has not ended, and how long it has been running: whoever holds the run
/// lock is at it.
fn running(session: &mut Session) -> Vec<String> {
    let held = system::RunLock::is_held(&session.host);
    let Some(known) = session.recall().ok().flatten().filter(|_| held) else {
        return Vec::new();
    };
    let Ok(semaphores) = session.semaphores(&known) else {
        return Vec::new();
    };
    let now = session::now();
    let begun = semaphores.iter().filter_map(|(name, record)| match record {
        Record::Started { at } => Some((name, Duration::from_secs(*at).as_secs_f64())),
        _ => None,
    });
    begun
        .map(|(name, at)| {
            let at = format!("running: {name}, for {:.0} s", (now - at).max(0.0));
            match name {
                "scripts_user/runcmd" => format!("{at}{}", at_item(session, &known)),
                _ => at,
            }
        })
        .collect()
}

/// At which of its items `runcmd` is, if it has marks.
fn at_item(session: &Session, known: &Known) -> String {
    let dir = ItemsSpec::directory(&Store::dir_of(&known.metadata.instance_id));
    let marks = session.host.read(&ItemsSpec::marks(&dir)).ok().flatten();
    let marks = String::from_utf8_lossy(&marks.unwrap_or_default()).into_owned();
    let last = marks.lines().next_back();
    let number = last.and_then(|line| line.split(' ').next()?.parse::<usize>().ok());
    number.map_or_else(String::new, |done| format!(", at item {}", done + 1))
}
