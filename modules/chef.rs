//! Chef's client: its configuration, its installation, and a run.
//!
//! Source: cloud-init, `cloudinit/config/cc_chef.py`; Chef Infra, "client.rb".

use std::path::{Path, PathBuf};

use contract::effect::{CommandSpec, Effect, Mode, Program};
use contract::machine::FileKind;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::place::Place;
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::{self, Kind, Mapping, Value};
use serde::Deserialize;

use crate::files;
use crate::script;
use crate::told::Told;

mod client_rb;
mod install;
#[cfg(test)]
mod tests;

use client_rb::ClientRb;
use install::Install;

const NAME: &str = "chef";
const PROGRAM: &str = "/usr/bin/chef-client";
const VALIDATION_KEY: &str = "/etc/chef/validation.pem";
const FIRST_BOOT: &str = "/etc/chef/firstboot.json";
const DIRECTORIES: [&str; 6] = [
    "/etc/chef",
    "/var/log/chef",
    "/var/lib/chef",
    "/var/chef/cache",
    "/var/chef/backup",
    "/var/run/chef",
];
/// As a daemon, every half hour.
const ARGUMENTS: [&str; 5] = ["-d", "-i", "1800", "-s", "20"];

const WANTED: &[Key] = &[
    Key::new("server_url", Shape::Text, "the server's address").required(),
    Key::new(
        "validation_name",
        Shape::Text,
        "the name of the key that registers clients",
    )
    .required(),
    Key::new(
        "validation_cert",
        Shape::Text,
        "that key, which only root may read; `system` is the one that is there",
    )
    .secret(),
    Key::new("validation_key", Shape::Text, "the file of that key").or(VALIDATION_KEY),
    Key::new(
        "delete_validation_post_exec",
        Shape::Switch,
        "remove that file when the client has run",
    )
    .or("false"),
    Key::new(
        "node_name",
        Shape::Scalar,
        "the node's name; by default the instance id",
    ),
    Key::new("environment", Shape::Text, "the node's environment").or("_default"),
    Key::new(
        "run_list",
        Shape::List(&Shape::Text),
        "what its first run applies",
    ),
    Key::new(
        "initial_attributes",
        Shape::Named(&Shape::Any),
        "attributes of its first run",
    )
    .secret(),
    Key::new(
        "firstboot_path",
        Shape::Text,
        "where both of them are written; nowhere if it is empty",
    )
    .or(FIRST_BOOT),
    Key::new("config_path", Shape::Text, "where client.rb is written").or("/etc/chef/client.rb"),
    Key::new(
        "directories",
        Shape::List(&Shape::Text),
        "directories that are made",
    ),
    Key::new(
        "install_type",
        Shape::Word(&["packages", "gems", "omnibus"]),
        "where the client comes from, if it is not there",
    )
    .or("packages"),
    Key::new(
        "force_install",
        Shape::Switch,
        "install it though it is there",
    )
    .or("false"),
    Key::new(
        "omnibus_url",
        Shape::Text,
        "of `omnibus`: where the installer is",
    )
    .or(install::OMNIBUS),
    Key::new(
        "omnibus_url_retries",
        Shape::Integer(0, i64::MAX),
        "of `omnibus`; it has no effect: every fetch is tried four times",
    ),
    Key::new(
        "omnibus_version",
        Shape::Scalar,
        "of `omnibus`: which version",
    ),
    Key::new("version", Shape::Scalar, "of `gems`: which version"),
    Key::new("ruby_version", Shape::Scalar, "of `gems`: of which Ruby").or("'1.8'"),
    Key::new(
        "exec",
        Shape::Switch,
        "run the client; by default only when it has been installed from `gems`",
    ),
    Key::new(
        "exec_arguments",
        Shape::OneOf(&[Shape::List(&Shape::Scalar), Shape::Text]),
        "with these arguments",
    )
    .or("[-d, -i, '1800', -s, '20']"),
    Key::new("client_key", Shape::Text, "in client.rb").or("/etc/chef/client.pem"),
    Key::new(
        "encrypted_data_bag_secret",
        Shape::Text,
        "in client.rb: a file",
    ),
    Key::new("file_backup_path", Shape::Text, "in client.rb").or("/var/chef/backup"),
    Key::new("file_cache_path", Shape::Text, "in client.rb").or("/var/chef/cache"),
    Key::new("json_attribs", Shape::Text, "in client.rb").or(FIRST_BOOT),
    Key::new("log_level", Shape::Text, "in client.rb").or("':info'"),
    Key::new("log_location", Shape::Text, "in client.rb").or("/var/log/chef/client.log"),
    Key::new("pid_file", Shape::Text, "in client.rb").or("/var/run/chef/client.pid"),
    Key::new("show_time", Shape::Switch, "in client.rb").or("true"),
    Key::new("ssl_verify_mode", Shape::Text, "in client.rb").or("':verify_none'"),
    Key::new(
        "chef_license",
        Shape::Word(&["accept", "accept-silent", "accept-no-persist"]),
        "in client.rb: the licence is accepted",
    ),
];

/// Installs, configures and runs the client, at each boot.
pub(crate) struct Chef;

/// `chef:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    chef: Option<Value>,
}

impl Module for Chef {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "install, configure and run Chef's client",
        stage: Stage::Final,
        frequency: Frequency::Always,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            NAME,
            Shape::Map(WANTED),
            "Chef's client, at each boot",
        )],
    };
    const NOTES: &'static str = include_str!("notes/chef.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        Told::plan(NAME, want.chef.as_ref(), |told| plan(told, ctx))
    }
}

fn plan(mut told: Told<'_>, ctx: &Context<'_>) -> Plan {
    let key = told.path("validation_key");
    let key = key.unwrap_or_else(|| VALIDATION_KEY.to_owned());
    let client = ClientRb::of(&mut told, &key, ctx);
    let mut effects = directories(&mut told, client.as_ref(), ctx);
    effects.extend(validation(&mut told, &key, ctx));
    let configuration = client.and_then(|client| client.file(&mut told, ctx));
    // Without a server's address there is nothing that a client could do.
    let is_configured = configuration.is_some();
    effects.extend(configuration);
    if is_configured {
        effects.extend(first_boot(&mut told));
    }
    let mut plan = Plan::from(Step::new("files", effects));

    let install = Install::of(&mut told, ctx);
    let runs_anyway = matches!(install, Install::Gems { .. });
    if is_configured && let Some(step) = install.step(&mut told.problems, ctx) {
        plan.push(step.after_previous());
    }
    if told.switch("exec", runs_anyway) {
        let removes = told.switch("delete_validation_post_exec", false);
        let gone = removes.then(|| Effect::Absent {
            at: PathBuf::from(key).into(),
        });
        let run = Effect::Run(run(&mut told));
        let step = Step::new("run", [run].into_iter().chain(gone));
        if told.is_clear() {
            plan.push(step.after_previous());
        }
    }
    plan.problems = told.problems;
    plan
}

/// Those that are asked for, and those in which client.rb wants files.
fn directories(told: &mut Told<'_>, client: Option<&ClientRb>, ctx: &Context<'_>) -> Vec<Effect> {
    let asked = told
        .get("directories")
        .and_then(|_| told.words("directories"));
    let asked = asked.filter(|asked| !asked.is_empty());
    let mut paths = asked.unwrap_or_else(|| DIRECTORIES.map(ToOwned::to_owned).into());
    paths.push("/etc/chef".to_owned());
    paths.extend(client.into_iter().flat_map(ClientRb::directories));
    let mut seen: Vec<String> = Vec::new();
    for path in paths {
        if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
            let place = told.get("directories").map(|value| value.place.clone());
            let message = "chef.directories: expected absolute paths";
            told.problems.push(Problem::error(place, message));
        } else if !seen.contains(&path) {
            seen.push(path);
        }
    }
    // One that is there keeps its mode and its owner.
    seen.retain(|path| {
        let kind = ctx.probe.kind(Path::new(path));
        !matches!(kind, Ok(Some(FileKind::Directory | FileKind::Link)))
    });
    let made = seen.iter().map(String::as_str);
    made.map(|path| Effect::directory(path, Mode::PUBLIC_DIR))
        .collect()
}

fn validation(told: &mut Told<'_>, key: &str, ctx: &Context<'_>) -> Option<Effect> {
    let pem = told.text("validation_cert").filter(|pem| !pem.is_empty())?;
    if pem != "system" {
        let bytes = Secret::new(pem.into_bytes());
        return Some(Effect::secret_file(key, bytes, Mode::PRIVATE));
    }
    if !files::exists(ctx.probe, key) {
        let place = told.get("validation_cert").map(|value| value.place.clone());
        let message = format!("chef.validation_cert: `system` is said, and there is no {key}");
        let problem = Problem::warning(place, message).of_machine();
        told.problems.push(problem);
    }
    None
}

/// Attributes may be passwords, so that only root may read them.
fn first_boot(told: &mut Told<'_>) -> Option<Effect> {
    let is_off = |value: &Value| value.as_str() == Some("");
    if told.get("firstboot_path").is_some_and(is_off) {
        return None;
    }
    let path = told.path("firstboot_path");
    let path = path.unwrap_or_else(|| FIRST_BOOT.to_owned());
    let mut first = Mapping::default();
    if let Some(list) = told.get("run_list") {
        told.words("run_list")?;
        let name = Value {
            kind: Kind::String("run_list".to_owned()),
            place: list.place.clone(),
        };
        first.insert(name, list.clone());
    }
    let attributes = told.mapping("initial_attributes").and_then(Value::as_map);
    for (name, value) in attributes.into_iter().flat_map(Mapping::iter) {
        first.insert(name.clone(), value.clone());
    }
    let first = Value {
        kind: Kind::Map(first),
        place: Place::whole(NAME),
    };
    let Some(text) = yaml::to_json(&first) else {
        told.problems.push(Problem::error(
            None,
            "chef.initial_attributes: that cannot be said in JSON",
        ));
        return None;
    };
    let bytes = Secret::new(text.into_bytes());
    Some(Effect::secret_file(path.as_str(), bytes, Mode::PRIVATE))
}

fn run(told: &mut Told<'_>) -> CommandSpec {
    let arguments = told.words("exec_arguments");
    let arguments = arguments.unwrap_or_else(|| ARGUMENTS.map(ToOwned::to_owned).into());
    let mut argv = vec![PROGRAM.to_owned()];
    argv.extend(arguments);
    script::command("chef-client", Program::Argv(argv))
}
