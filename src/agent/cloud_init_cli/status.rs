//! `cloud-init status`

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use contract::calendar::Utc;
use contract::machine::Probe;
use contract::yaml;
use engine::cloud_init::stages::Stages;
use serde_json::{Map, Value, json};
use system::Host;

use super::now::{Now, Phase};
use crate::boot;
use crate::cli::table;
use crate::session;

/// Show how far this boot is, and how it went.
///
/// Exit code 0: well, so far; 1: something failed; 2: something was ignored, guessed or interrupted.
#[derive(Debug, clap::Args)]
pub(super) struct Status {
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Tell what went wrong, and when something last happened.
    #[arg(short, long)]
    long: bool,
    /// Wait for the end of the boot.
    #[arg(short, long)]
    wait: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Json,
    #[default]
    Tabular,
    Yaml,
}

/// How often a waiting status looks, as cloud-init's does.
const POLL: Duration = Duration::from_millis(250);

/// Something was ignored, guessed or interrupted.
const DEGRADED: u8 = 2;

impl Status {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let session = super::machine()?;
        let mut now = Now::look(&session);
        while self.wait && matches!(now.phase(), Phase::NotStarted | Phase::Running) {
            if self.format == Format::Tabular {
                table::bytes(b".");
            }
            thread::sleep(POLL);
            now = Now::look(&session);
        }
        let told = Told::of(&now, &session.host);
        match self.format {
            Format::Tabular => told.print(self.long),
            Format::Json => table::json(&told.fields)?,
            Format::Yaml => print_yaml(&told.fields)?,
        }
        Ok(match told.condition {
            Condition::Error => ExitCode::FAILURE,
            Condition::Degraded => ExitCode::from(DEGRADED),
            Condition::Healthy => ExitCode::SUCCESS,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Healthy,
    Degraded,
    Error,
}

/// What a status tells.
struct Told {
    condition: Condition,
    /// By their names in JSON.
    fields: Map<String, Value>,
}

impl Told {
    fn of(now: &Now, host: &Host) -> Self {
        let stages = now.stages.as_ref();
        let mut errors = stages.map(Stages::errors).unwrap_or_default();
        let recoverable = stages.map(Stages::recoverable_errors).unwrap_or_default();
        if now.is_stuck {
            errors.push(boot::STUCK.to_owned());
        }
        let condition = match (errors.is_empty(), recoverable.is_empty()) {
            (false, _) => Condition::Error,
            (true, false) => Condition::Degraded,
            (true, true) => Condition::Healthy,
        };
        let (status, extended) = words(now.phase(), condition);
        let class = stages.and_then(|stages| stages.datasource.clone());
        let short = class.as_deref().map(str::to_lowercase).unwrap_or_default();
        let detail = match (&class, stages.and_then(|stages| stages.stage)) {
            _ if now.is_stuck => boot::STUCK.to_owned(),
            (Some(class), _) => class.clone(),
            (None, Some(stage)) => format!("Running in stage: {stage}"),
            (None, None) => now.why.detail.clone(),
        };
        let mut fields = stages.map_or_else(Map::new, |stages| stages.v1(booted(host)));
        let last_update = stages.and_then(Stages::last_update).map(wall_clock);
        let own = [
            ("boot_status_code", json!(now.why.code)),
            ("datasource", json!(short.replace("datasource", ""))),
            ("detail", json!(detail)),
            ("errors", json!(errors)),
            ("extended_status", json!(extended)),
            ("last_update", json!(last_update.unwrap_or_default())),
            ("recoverable_errors", json!(recoverable)),
            ("status", json!(status)),
        ];
        fields.extend(own.map(|(name, value)| (name.to_owned(), value)));
        Self { condition, fields }
    }

    fn print(&self, is_long: bool) {
        table::line(&format!("status: {}", self.text("status")));
        if !is_long {
            return;
        }
        for name in [
            "extended_status",
            "boot_status_code",
            "last_update",
            "detail",
        ] {
            let value = self.text(name);
            if !(name == "last_update" && value.is_empty()) {
                table::line(&format!("{name}: {value}"));
            }
        }
        let errors = self.fields.get("errors").map(items).unwrap_or_default();
        let errors = match errors.as_slice() {
            [] => " []".to_owned(),
            some => format!("\n\t- {}", some.join("\n\t- ")),
        };
        table::line(&format!("errors:{errors}"));
        let levels = self.fields.get("recoverable_errors");
        let levels = levels.and_then(Value::as_object);
        let levels: Vec<String> = levels
            .into_iter()
            .flatten()
            .map(|(level, own)| {
                let own: Vec<String> = items(own)
                    .iter()
                    .map(|own| own.replace('\n', " "))
                    .collect();
                format!("{level}:\n\t- {}", own.join("\n\t- "))
            })
            .collect();
        let levels = match levels.as_slice() {
            [] => " {}".to_owned(),
            some => format!("\n{}", some.join("\n")),
        };
        table::line(&format!("recoverable_errors:{levels}"));
    }

    fn text(&self, field: &str) -> &str {
        self.fields
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

fn items(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten();
    texts.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The status, and the status that tells more. Source: `cloudinit/cmd/status.py`
/// (`translate_status`).
fn words(running: Phase, condition: Condition) -> (String, String) {
    let word = running.word();
    let extended = match (condition, running) {
        (Condition::Error, _) => return ("error".to_owned(), format!("error - {word}")),
        (Condition::Degraded, Phase::Done | Phase::Running) => format!("degraded {word}"),
        _ => word.to_owned(),
    };
    (word.to_owned(), extended)
}

/// As PyYAML writes a document with its marks.
fn print_yaml(fields: &Map<String, Value>) -> anyhow::Result<()> {
    let json = serde_json::to_string(fields)?;
    let document = yaml::parse(&json, "status", &yaml::Limits::default())
        .map_err(|error| anyhow::anyhow!("{}", error.message))?;
    let text = yaml::to_string(&document.value);
    table::line(&format!("---\n{text}...\n"));
    Ok(())
}

/// When the kernel began, in Unix time.
fn booted(host: &Host) -> f64 {
    let text = host.read("/proc/uptime".as_ref()).ok().flatten();
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    let uptime = text.split_whitespace().next();
    let uptime = uptime.and_then(|word| word.parse::<f64>().ok());
    uptime.map_or(0.0, |uptime| session::now() - uptime)
}

/// cloud-init takes the uptime for the time here, which shows a day in 1970; the form is the same.
fn wall_clock(time: f64) -> String {
    let time = Duration::try_from_secs_f64(time).unwrap_or_default();
    Utc::at(time.as_secs()).rfc2822()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_in_cloud_inits_words() {
        use Condition::{Degraded, Error, Healthy};
        #[rustfmt::skip]
        let table = [
            (Phase::NotStarted, Healthy,  "not started", "not started"),
            (Phase::Running,    Healthy,  "running",     "running"),
            (Phase::Done,       Healthy,  "done",        "done"),
            (Phase::Running,    Degraded, "running",     "degraded running"),
            (Phase::Done,       Degraded, "done",        "degraded done"),
            (Phase::Disabled,   Degraded, "disabled",    "disabled"),
            (Phase::Running,    Error,    "error",       "error - running"),
            (Phase::Done,       Error,    "error",       "error - done"),
        ];
        for (running, condition, status, extended) in table {
            let told = words(running, condition);
            assert_eq!(told, (status.to_owned(), extended.to_owned()));
        }
    }

    #[test]
    fn the_last_update_is_the_time_of_day_in_utc() {
        assert_eq!(wall_clock(951_827_696.9), "Tue, 29 Feb 2000 12:34:56 +0000");
    }
}
