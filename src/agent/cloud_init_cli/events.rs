//! What happened in a boot, as cloud-init's log tells it: starts and ends of stages and modules.
//!
//! Source: cloud-init 25.1.4, `cloudinit/analyze/dump.py` and `cloudinit/analyze/show.py`.

use contract::module::Stage;
use contract::report::{ModuleReport, Outcome, Report};
use serde::{Deserialize, Serialize};

/// A start or an end. The fields are in the order in which cloud-init writes them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Event {
    description: String,
    event_type: Type,
    name: String,
    #[serde(default)]
    origin: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    /// Unix time, in seconds.
    timestamp: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Start,
    Finish,
}

impl Event {
    fn new(event_type: Type, name: &str, description: &str, timestamp: f64) -> Self {
        Self {
            description: description.to_owned(),
            event_type,
            name: name.to_owned(),
            origin: "cloudinit".to_owned(),
            result: None,
            timestamp,
        }
    }
}

/// The events of a report. Modules run one after the other, so each begins where the one before it
/// ended.
pub(super) fn of(report: &Report) -> Vec<Event> {
    let mut events = Vec::new();
    for stage in &report.stages {
        let (name, description) = words(stage.stage);
        events.push(Event::new(Type::Start, name, description, stage.started));
        let mut at = stage.started;
        for module in &stage.modules {
            let took = seconds(module.duration_us);
            events.extend(of_module(name, module, at, at + took));
            at += took;
        }
        if let Some(finished) = stage.finished {
            let end = Event::new(Type::Finish, name, description, finished);
            let failed = stage.modules.iter().any(failed);
            events.push(ended(end, failed));
        }
    }
    events
}

fn of_module(stage: &str, module: &ModuleReport, start: f64, end: f64) -> [Event; 2] {
    let what = format!("config-{}", module.name);
    let name = format!("{stage}/{what}");
    let begun = Event::new(Type::Start, &name, &format!("running {what}"), start);
    let failed = failed(module);
    let how = if failed { "failed" } else { "ran" };
    let end = Event::new(Type::Finish, &name, &format!("{what} {how}"), end);
    [begun, ended(end, failed)]
}

fn ended(event: Event, failed: bool) -> Event {
    let result = if failed { "FAIL" } else { "SUCCESS" };
    Event {
        result: Some(result.to_owned()),
        ..event
    }
}

fn failed(module: &ModuleReport) -> bool {
    module.outcome == Outcome::Failed
}

/// cloud-init's name of a stage in its log, and what it does.
const fn words(stage: Stage) -> (&'static str, &'static str) {
    match stage {
        Stage::Early => ("init-local", "what the image says"),
        Stage::Identity => ("init-network", "who this machine is"),
        Stage::Config => ("modules-config", "what needs no other service"),
        Stage::Final => ("modules-final", "packages and scripts"),
    }
}

pub(super) fn seconds(microseconds: u64) -> f64 {
    std::time::Duration::from_micros(microseconds).as_secs_f64()
}

/// A line of a record: what it says, and whether it is a module's.
pub(super) struct Line {
    pub(super) text: String,
    pub(super) is_module: bool,
}

/// The lines of a boot, each module's in this format: `%d` how long it took, `%D` what it is, `%E`
/// when it began after the boot did, `%I` an indent, `%n` its name, `%o` who says so, `%r` how it
/// went, `%t` the time.
pub(super) fn lines(events: &[Event], format: &str) -> Vec<Line> {
    let begun = events.iter().map(|event| event.timestamp).reduce(f64::min);
    let begun = begun.unwrap_or_default();
    let plain = |text: String| Line {
        text,
        is_module: false,
    };
    let mut lines = Vec::new();
    let mut open: Vec<&Event> = Vec::new();
    let mut total = 0.0;
    for event in events {
        if event.event_type == Type::Start {
            open.push(event);
            if !event.name.contains('/') {
                lines.push(plain(format!("Starting stage: {}", event.name)));
            }
            continue;
        }
        let at = open.iter().rposition(|start| start.name == event.name);
        let Some(start) = at.map(|at| open.remove(at)) else {
            continue;
        };
        let took = event.timestamp - start.timestamp;
        if event.name.contains('/') {
            lines.push(Line {
                text: formatted(format, event, took, start.timestamp - begun),
                is_module: true,
            });
        } else {
            total += took;
            let name = &event.name;
            lines.push(plain(format!(
                "Finished stage: ({name}) {took:08.5} seconds\n"
            )));
        }
    }
    lines.push(plain(format!("Total Time: {total:.5} seconds\n")));
    lines
}

fn formatted(format: &str, event: &Event, took: f64, elapsed: f64) -> String {
    let depth = event.name.matches('/').count().saturating_sub(1);
    let mut text = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('d') => text.push_str(&format!("{took:08.5}")),
            Some('D') => text.push_str(&event.description),
            Some('E') => text.push_str(&format!("{elapsed:08.5}")),
            Some('e') => text.push_str("finish"),
            Some('I') => text.push_str(&format!("|{}`->", " ".repeat(depth))),
            Some('n') => text.push_str(&event.name),
            Some('o') => text.push_str(&event.origin),
            Some('r') => text.push_str(event.result.as_deref().unwrap_or_default()),
            Some('t') => text.push_str(&format!("{:08.5}", event.timestamp)),
            Some(other) => text.extend(['%', other]),
            None => text.push('%'),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use contract::report::StageReport;

    use super::*;

    fn report() -> Report {
        let module = |name: &str, duration_us, outcome| ModuleReport {
            name: name.to_owned(),
            outcome,
            duration_us,
            steps: Vec::new(),
            problems: Vec::new(),
        };
        let stage = |stage, started, finished, modules| StageReport {
            stage,
            started,
            finished,
            programs_us: 0,
            modules,
        };
        let mut report = Report::new();
        report.stages = vec![
            stage(
                Stage::Identity,
                100.0,
                Some(100.5),
                vec![
                    module("users_groups", 250_000, Outcome::Changed),
                    module("ssh", 125_000, Outcome::Failed),
                ],
            ),
            stage(Stage::Final, 102.0, None, Vec::new()),
        ];
        report
    }

    #[test]
    fn a_boot_is_told_stage_by_stage() {
        let lines = lines(&of(&report()), "%I%D @%Es +%ds");
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "Starting stage: init-network",
                "|`->config-users_groups ran @00.00000s +00.25000s",
                "|`->config-ssh failed @00.25000s +00.12500s",
                "Finished stage: (init-network) 00.50000 seconds\n",
                "Starting stage: modules-final",
                "Total Time: 0.50000 seconds\n",
            ]
        );
    }

    #[test]
    fn events_that_were_dumped_are_read_again() {
        let events = of(&report());
        let text = serde_json::to_string(&events).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Event>>(&text).unwrap(), events);
        assert_eq!(events[2].result.as_deref(), Some("SUCCESS"));
        assert_eq!(events[4].result.as_deref(), Some("FAIL"));
    }
}
