//! What becomes of the system's messages, as rsyslogd(8) is told.
//!
//! Source: cloud-init, `cloudinit/config/cc_rsyslog.py`.

use std::path::{Path, PathBuf};

use contract::effect::{CommandSpec, Effect, UnitVerb};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Kind, Mapping, Value};
use serde::Deserialize;

use crate::fields::{self, Fields, wrong};
use crate::{command, distribution, packages, script, services};

mod remotes;
#[cfg(test)]
mod tests;

const NAME: &str = "rsyslog";
const DIR: &str = "/etc/rsyslog.d";
const FILE: &str = "20-cloud-config.conf";

const FIELDS: &[Key] = &[
    Key::new(
        "configs",
        CONFIGS,
        "lines of configuration; `filename` is the file of `config_dir` that they go to",
    ),
    Key::new(
        "remotes",
        Shape::Named(&Shape::Text),
        "where messages are sent, by name: `*.* @@HOST:514`",
    ),
    Key::new("config_dir", Shape::Text, "where the files are").or(DIR),
    Key::new(
        "config_filename",
        Shape::Text,
        "the file of those that name none",
    )
    .or(FILE),
    Key::new(
        "service_reload_command",
        command::SHAPE,
        "the command that makes it read them; `auto` is the service's own way",
    )
    .or("auto"),
    Key::new(
        "install_rsyslog",
        Shape::Switch,
        "install it if it is not there",
    )
    .or("false"),
    Key::new(
        "check_exe",
        Shape::Text,
        "the program that is there when it is",
    )
    .or("rsyslogd"),
    Key::new("packages", Shape::List(&Shape::Text), "what is installed").or("[rsyslog]"),
];

const CONFIGS: Shape = Shape::List(&Shape::OneOf(&[
    Shape::Text,
    Shape::Map(&[
        Key::new("filename", Shape::Text, "its file"),
        Key::new("content", Shape::Text, "its lines").required(),
    ]),
]));

/// Writes rsyslogd's configuration.
pub(crate) struct Rsyslog;

/// `rsyslog:`, which was a list once; then the two others belonged to it.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    rsyslog: Option<Value>,
    rsyslog_dir: Option<Value>,
    rsyslog_filename: Option<Value>,
}

impl Module for Rsyslog {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "say what becomes of the system's messages",
        stage: Stage::Identity,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[
            Key::new(
                NAME,
                Shape::OneOf(&[Shape::Map(FIELDS), CONFIGS]),
                "what rsyslogd does with messages",
            ),
            Key::new(
                "rsyslog_dir",
                Shape::Text,
                "`config_dir` of an `rsyslog` that is a list",
            ),
            Key::new(
                "rsyslog_filename",
                Shape::Text,
                "`config_filename` of an `rsyslog` that is a list",
            ),
        ],
    };
    const NOTES: &'static str = include_str!("notes/rsyslog.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let Some(section) = want.rsyslog else {
            return plan;
        };
        let section = match &section.kind {
            Kind::List(_) => {
                let message = "rsyslog: a list is an old form";
                let problem = Problem::notice(Some(section.place.clone()), message);
                plan.problems
                    .push(problem.hint("write it as `configs` of a mapping"));
                of_list(section, want.rsyslog_dir, want.rsyslog_filename)
            }
            _ => section,
        };
        if let Some(fields) = Fields::of(NAME, &section, &mut plan.problems) {
            let step = step(&fields, ctx, &mut plan.problems);
            plan.push(step);
        }
        plan
    }
}

/// The mapping that an old list stands for.
fn of_list(configs: Value, dir: Option<Value>, file: Option<Value>) -> Value {
    let place = configs.place.clone();
    let name = |text: &str| Value::new(Kind::String(text.to_owned()), place.clone());
    let mut map = Mapping::new();
    for (key, value) in [
        ("configs", Some(configs)),
        ("config_dir", dir),
        ("config_filename", file),
    ] {
        if let Some(value) = value {
            map.insert(name(key), value);
        }
    }
    Value::new(Kind::Map(map), place)
}

fn step(fields: &Fields<'_>, ctx: &Context<'_>, told: &mut Vec<Problem>) -> Step {
    let mut step = Step::new(NAME, []);
    let program = fields.text("check_exe", told);
    let program = program.map_or("rsyslogd".to_owned(), |program| program.value);
    let installs = fields.switch("install_rsyslog", false, told);
    if installs && !distribution::is_program(ctx.probe, &program) {
        let names = fields.texts("packages", told).map(fields::plain);
        let names = names.unwrap_or_else(|| vec!["rsyslog".to_owned()]);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        if names.iter().all(|name| packages::is_name(name)) {
            step.effects.extend(packages::needed(&names, ctx));
        } else {
            let place = fields.get("packages").map(|value| value.place.clone());
            let message = "rsyslog.packages: expected names of packages";
            told.push(Problem::error(place, message));
        }
    }
    let files = Files::of(fields, told);
    if files.0.is_empty() {
        return step;
    }
    let texts = files.0.into_iter();
    step.effects
        .extend(texts.map(|(path, text)| Effect::file(path, text)));
    step.on_change.extend(reload(fields, ctx, told));
    step
}

/// Files with their text, in the order in which they were named first.
struct Files(Vec<(PathBuf, String)>);

impl Files {
    fn of(fields: &Fields<'_>, told: &mut Vec<Problem>) -> Self {
        let mut files = Self(Vec::new());
        let dir = fields.text("config_dir", told);
        if let Some(dir) = dir.as_ref().filter(|dir| !dir.value.starts_with('/')) {
            let message = "rsyslog.config_dir: expected an absolute path";
            told.push(Problem::error(Some(dir.place.clone()), message));
            return files;
        }
        let dir = dir.map_or_else(|| PathBuf::from(DIR), |dir| PathBuf::from(dir.value));
        let file = fields.text("config_filename", told);
        let file = file.map_or_else(|| FILE.to_owned(), |file| file.value);
        if let Some(configs) = fields.get("configs") {
            match configs.as_list() {
                Some(entries) => {
                    for (index, entry) in entries.iter().enumerate() {
                        let name = format!("rsyslog.configs[{index}]");
                        match config(&name, entry, &file) {
                            Ok((file, text)) => files.add(&dir, file, text),
                            Err(problem) => told.push(problem),
                        }
                    }
                }
                None => told.push(wrong("rsyslog.configs", configs, "a list")),
            }
        }
        if let Some(lines) = remotes(fields, told) {
            files.add(&dir, &file, &lines);
        }
        files
    }

    /// What goes to one file stands there in its order.
    fn add(&mut self, dir: &Path, file: &str, text: &str) {
        let path = dir.join(file.trim());
        let known = self.0.iter_mut().find(|(own, _)| *own == path);
        let all = match known {
            Some((_, all)) => all,
            None => {
                self.0.push((path, String::new()));
                match self.0.last_mut() {
                    Some((_, all)) => all,
                    None => return,
                }
            }
        };
        all.push_str(text);
        if !text.ends_with('\n') {
            all.push('\n');
        }
    }
}

/// The file and the lines of an entry.
fn config<'a>(name: &str, entry: &'a Value, file: &'a str) -> Result<(&'a str, &'a str), Problem> {
    let (file, content) = match &entry.kind {
        Kind::String(content) => (file, content.as_str()),
        Kind::Map(map) => {
            let content = map.get("content").ok_or_else(|| {
                let message = format!("{name}: it has no `content`");
                Problem::error(Some(entry.place.clone()), message)
            })?;
            let text = content.as_str();
            let text =
                text.ok_or_else(|| wrong(&format!("{name}.content"), content, "a string"))?;
            let file = match map.get("filename").filter(|file| !file.is_null()) {
                Some(file) => file
                    .as_str()
                    .ok_or_else(|| wrong(&format!("{name}.filename"), file, "a string"))?,
                None => file,
            };
            (file, text)
        }
        _ => return Err(wrong(name, entry, "a string, or a mapping")),
    };
    if file.trim().is_empty() || file.contains(char::is_control) {
        let message = format!("{name}.filename: expected the name of a file");
        return Err(Problem::error(Some(entry.place.clone()), message));
    }
    Ok((file, content))
}

/// The lines of all remotes, between two that say so.
fn remotes(fields: &Fields<'_>, told: &mut Vec<Problem>) -> Option<String> {
    let given = fields.get("remotes")?;
    let Kind::Map(map) = &given.kind else {
        told.push(wrong("rsyslog.remotes", given, "a mapping"));
        return None;
    };
    if map.is_empty() {
        return None;
    }
    let mut text = "# begin remotes\n".to_owned();
    let pairs = fields::sorted(map).into_iter();
    for (name, value) in pairs.filter(|(_, value)| !value.is_null()) {
        let name = name.to_text().unwrap_or_default();
        let shown = name.replace(char::is_control, "\u{fffd}");
        let line = match value.as_str() {
            Some("") => continue,
            Some(line) => remotes::line(&name, line),
            None => Err("expected a string"),
        };
        match line {
            Ok(line) => {
                text.push_str(&line);
                text.push('\n');
            }
            Err(reason) => {
                let message = format!("rsyslog.remotes.{shown}: {reason}");
                told.push(Problem::error(Some(value.place.clone()), message));
            }
        }
    }
    text.push_str("# end remotes\n");
    Some(text)
}

fn reload(fields: &Fields<'_>, ctx: &Context<'_>, told: &mut Vec<Problem>) -> Option<Effect> {
    let given = fields.get("service_reload_command");
    let given = given.filter(|given| given.as_str() != Some("auto"));
    let Some(given) = given else {
        let system = ctx.config.get("system_info");
        let service = system.and_then(|system| system.get("rsyslog_svcname")?.as_str());
        let service = service.filter(|name| services::is_name(name));
        let service = service.unwrap_or(NAME);
        return Some(services::job(UnitVerb::Reload, service, ctx.probe));
    };
    let program = command::program(given);
    if program.is_none() {
        let message = format!("rsyslog.service_reload_command: {}", command::EXPECTED);
        told.push(Problem::error(Some(given.place.clone()), message));
    }
    let spec: CommandSpec = script::command("rsyslog.service_reload_command", program?);
    Some(Effect::Run(spec))
}
