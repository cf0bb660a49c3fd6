//! /var/log/cloud-init.log, and the lines by which cloud-init says in both logs where it is.
//!
//! Source of the form: cloud-init, `cloudinit/log/loggers.py` (`DEFAULT_LOG_FORMAT`),
//! `cloudinit/cmd/main.py` (`welcome_format`), `config/cloud.cfg.d/05_logging.cfg`; in the place of
//! the name of a Python file stands that of the module, or `firstlight`.

use std::path::Path;

use contract::calendar::Utc;
use contract::effect::{Content, Effect, FileSpec, Mode, Owner};
use contract::machine::Probe;
use contract::module::Stage;
use contract::plan::Severity;
use contract::report::{ModuleReport, Outcome, ProblemReport};

use super::clock;

/// Where cloud-init logs.
pub const LOG: &str = "/var/log/cloud-init.log";

/// Where it puts what scripts and commands say.
pub const OUTPUT_LOG: &str = "/var/log/cloud-init-output.log";

/// Where firstlight puts that otherwise.
const OWN_OUTPUT_LOG: &str = "/var/log/firstlight-output.log";

/// Both logs, for administrators and nobody else, from the beginning: people wait for lines in them.
pub(super) fn files(probe: &dyn Probe) -> Vec<Effect> {
    let is_missing = |path: &str| matches!(probe.kind(Path::new(path)), Ok(None));
    let has_group = matches!(probe.group("adm"), Ok(Some(_)));
    let owner = || match has_group {
        true => Owner::Named {
            user: "0".to_owned(),
            group: Some("adm".to_owned()),
        },
        false => Owner::Root,
    };
    let missing = [LOG, OUTPUT_LOG]
        .into_iter()
        .filter(|path| is_missing(path));
    let files = missing.map(|path| {
        Effect::File(FileSpec {
            at: path.into(),
            content: Content::Plain(Vec::new()),
            mode: Mode::new(0o640),
            owner: owner(),
        })
    });
    let mut effects: Vec<Effect> = files.collect();
    if is_missing(OWN_OUTPUT_LOG) {
        effects.push(Effect::Link {
            at: OWN_OUTPUT_LOG.into(),
            to: "cloud-init-output.log".into(),
        });
    }
    effects
}

/// That a stage begins, for both logs; `None` is cloud-init's first one, which asks who the
/// instance is. A stage that cloud-init has not has no line.
#[must_use]
pub fn begins(probe: &dyn Probe, stage: Option<Stage>) -> Option<String> {
    let name = match stage {
        None => "init-local",
        Some(Stage::Identity) => "init",
        Some(Stage::Config) => "modules:config",
        Some(Stage::Final) => "modules:final",
        Some(Stage::Early) => return None,
    };
    Some(said(probe, &format!("running '{name}'")))
}

/// That everything is over, as cloud-init's log has it whatever `final_message` says.
#[must_use]
pub fn ended(probe: &dyn Probe) -> String {
    said(probe, "finished")
}

fn said(probe: &dyn Probe, what: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let (time, uptime) = (clock::letter(), clock::uptime(probe));
    format!("Cloud-init v. firstlight-{version} {what} at {time}. Up {uptime:.2} seconds.")
}

/// A line of the log with its time.
#[must_use]
pub fn line(level: &str, source: &str, text: &str) -> String {
    let now = clock::now();
    let (utc, millis) = (Utc::at(now.as_secs()), now.subsec_millis());
    let Utc {
        year,
        month,
        day,
        hour,
        minute,
        second,
        ..
    } = utc;
    let text: Vec<&str> = text.lines().collect();
    let text = text.join(" ");
    format!(
        "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02},{millis:03} - {source}[{level}]: {text}\n"
    )
}

/// What became of a module, in lines.
#[must_use]
pub fn of_module(module: &ModuleReport) -> String {
    let name = module.name.as_str();
    let milliseconds = module.duration_us / 1000;
    let (level, word) = match &module.outcome {
        Outcome::Changed => ("INFO", "changed".to_owned()),
        Outcome::Unchanged => ("INFO", "unchanged".to_owned()),
        Outcome::WouldChange => ("INFO", "would change".to_owned()),
        Outcome::Skipped(why) => ("DEBUG", format!("skipped: {why}")),
        Outcome::Failed => ("ERROR", "failed".to_owned()),
        Outcome::FailedBefore(why) => ("WARNING", format!("failed before: {why}")),
        Outcome::Interrupted(why) => ("WARNING", format!("interrupted: {why}")),
    };
    let mut lines = line(level, name, &format!("{word} ({milliseconds} ms)"));
    lines.push_str(&of_problems(name, &module.problems));
    for step in &module.steps {
        if let Some(error) = &step.error {
            let text = format!("{}: {}", step.name, error.message);
            lines.push_str(&line("ERROR", name, &text));
        }
    }
    lines
}

/// What is wrong, in lines.
#[must_use]
pub fn of_problems(source: &str, problems: &[ProblemReport]) -> String {
    let lines = problems.iter().map(|problem| {
        let level = match problem.severity {
            Severity::Notice => "INFO",
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
        };
        line(level, source, &problem.to_string())
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use contract::testing::FakeMachine;

    use super::*;

    #[test]
    fn a_line_has_the_form_of_cloud_inits() {
        let text = line("WARNING", "users_groups", "one\ntwo");
        let (time, rest) = text.split_at("2026-11-25 16:43:59,556".len());
        assert_eq!(rest, " - users_groups[WARNING]: one two\n");
        let digits: String = time
            .chars()
            .map(|c| if c.is_ascii_digit() { '9' } else { c })
            .collect();
        assert_eq!(digits, "9999-99-99 99:99:99,999");
    }

    #[test]
    fn a_log_that_is_there_stays_as_it_is() {
        type Row<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
        #[rustfmt::skip]
        let table: [Row<'_>; 3] = [
            (&[],                                                   &["file /var/log/cloud-init.log (0640)", "file /var/log/cloud-init-output.log (0640)", "link /var/log/firstlight-output.log -> cloud-init-output.log"]),
            (&[("/etc/group", "adm:x:4:\n"), (LOG, "before\n")],    &["file /var/log/cloud-init-output.log (0640 0:adm)", "link /var/log/firstlight-output.log -> cloud-init-output.log"]),
            (&[(LOG, ""), (OUTPUT_LOG, ""), (OWN_OUTPUT_LOG, "")],  &[]),
        ];
        for (there, wanted) in table {
            let machine = FakeMachine::with(there);
            let lines: Vec<String> = files(&machine).iter().map(ToString::to_string).collect();
            assert_eq!(lines, wanted, "{there:?}");
        }
    }

    #[test]
    fn stages_begin_as_tools_look_for_it() {
        let machine = FakeMachine::with(&[("/proc/uptime", "12.5 1.0\n")]);
        let text = begins(&machine, Some(Stage::Final)).unwrap();
        assert!(text.starts_with("Cloud-init v. firstlight-"), "{text}");
        assert!(text.contains(" running 'modules:final' at "), "{text}");
        assert!(text.ends_with(". Up 12.50 seconds."), "{text}");
        assert_eq!(begins(&machine, Some(Stage::Early)), None);
        assert!(ended(&machine).contains(" finished at "));
    }
}
