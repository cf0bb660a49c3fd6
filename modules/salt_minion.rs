//! Salt's minion: its package, its configuration and keys, and that it runs.
//!
//! Source: cloud-init, `cloudinit/config/cc_salt_minion.py`; Salt, "Configuring the Salt Minion".

use std::path::Path;

use contract::effect::{CommandSpec, Effect, Mode, Program, UnitVerb};
use contract::machine::FileKind;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::{self, Value};
use serde::Deserialize;

use crate::hidden;
use crate::packages;
use crate::script;
use crate::services;
use crate::told::Told;

const NAME: &str = "salt_minion";
const MINION: &str = "salt-minion";

const WANTED: &[Key] = &[
    Key::new("pkg_name", Shape::Text, "the package").or(MINION),
    Key::new("service_name", Shape::Text, "the service").or(MINION),
    Key::new("config_dir", Shape::Text, "where its configuration is").or("/etc/salt"),
    Key::new(
        "conf",
        Shape::Named(&Shape::Any),
        "what stands in the file `minion`; with `file_client: local` its states are applied once and no daemon runs",
    ),
    Key::new(
        "grains",
        Shape::Named(&Shape::Any),
        "what stands in the file `grains`",
    ),
    Key::new("public_key", Shape::Text, "its public key"),
    Key::new(
        "private_key",
        Shape::Text,
        "its private key, which only root may read",
    )
    .secret(),
    Key::new(
        "pki_dir",
        Shape::Text,
        "where its keys are, by default `pki/minion` below `config_dir`",
    ),
];

/// Installs and configures the minion.
pub(crate) struct SaltMinion;

/// `salt_minion:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    salt_minion: Option<Value>,
}

impl Module for SaltMinion {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "install, configure and start Salt's minion",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            NAME,
            Shape::Map(WANTED),
            "Salt's minion, once for an instance",
        )],
    };
    const NOTES: &'static str = include_str!("notes/salt_minion.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        Told::plan(NAME, want.salt_minion.as_ref(), |told| plan(told, ctx))
    }
}

fn plan(mut told: Told<'_>, ctx: &Context<'_>) -> Plan {
    let package = told.package("pkg_name");
    let package = package.unwrap_or_else(|| packages::named(MINION));
    let service = told
        .service("service_name")
        .unwrap_or_else(|| MINION.to_owned());
    let dir = told.path("config_dir");
    let dir = dir.unwrap_or_else(|| "/etc/salt".to_owned());
    let conf = told.mapping("conf");
    let grains = told.mapping("grains");

    let mut effects = Vec::new();
    effects.extend(packages::wanted(
        NAME,
        vec![package],
        false,
        ctx,
        &mut told.problems,
    ));
    effects.push(Effect::directory(dir.as_str(), Mode::PUBLIC_DIR));
    for (file, value) in [("minion", conf), ("grains", grains)] {
        let path = format!("{dir}/{file}");
        effects.extend(value.map(|value| {
            // The minion is root's.
            hidden::file(path.as_str(), yaml::to_string(value), hidden::is_in(value))
        }));
    }
    effects.extend(keys(&mut told, &dir, ctx));
    if !told.is_clear() {
        let mut plan = Plan::from(Step::new("minion", effects));
        plan.problems = told.problems;
        return plan;
    }

    let is_local = conf.and_then(|conf| conf.get("file_client")?.as_str()) == Some("local");
    let (startup, verb) = match is_local {
        true => (services::disabled(&service, ctx.probe), UnitVerb::Stop),
        false => (services::enabled(&service, ctx.probe), UnitVerb::Restart),
    };
    effects.extend(startup);
    let mut minion = Step::new("minion", effects);
    minion.on_change = vec![services::job(verb, &service, ctx.probe)];

    let mut plan = Plan::from(minion);
    if is_local {
        plan.push(Step::new("states", [Effect::Run(apply_states())]).after_previous());
    }
    plan.problems = told.problems;
    plan
}

/// Both keys; one alone is of no use.
fn keys(told: &mut Told<'_>, dir: &str, ctx: &Context<'_>) -> Vec<Effect> {
    let pair = (told.text("public_key"), told.text("private_key"));
    let (public, private) = match pair {
        (Some(public), Some(private)) => (public, Secret::new(private.into_bytes())),
        (None, None) => return Vec::new(),
        _ => {
            let given = told.get("public_key").or_else(|| told.get("private_key"));
            let place = given.map(|value| value.place.clone());
            let message = format!("{NAME}: a key is of no use without the other one");
            let problem = Problem::warning(place, message);
            let hint = "give `public_key` and `private_key`, or neither";
            told.problems.push(problem.hint(hint));
            return Vec::new();
        }
    };
    let pki = told.path("pki_dir").unwrap_or_else(|| pki_dir(dir, ctx));
    vec![
        Effect::directory(pki.as_str(), Mode::PRIVATE_EXEC),
        Effect::file(format!("{pki}/minion.pub").as_str(), public),
        Effect::secret_file(format!("{pki}/minion.pem").as_str(), private, Mode::PRIVATE),
    ]
}

/// Very old minions look one directory higher.
fn pki_dir(dir: &str, ctx: &Context<'_>) -> String {
    let is_dir = |path: &str| {
        matches!(
            ctx.probe.kind(Path::new(path)),
            Ok(Some(FileKind::Directory))
        )
    };
    let (old, new) = (format!("{dir}/pki"), format!("{dir}/pki/minion"));
    if is_dir(&old) && !is_dir(&new) {
        old
    } else {
        new
    }
}

fn apply_states() -> CommandSpec {
    let argv = ["salt-call", "--local", "state.apply"];
    let program = Program::Argv(argv.map(ToOwned::to_owned).into());
    script::command(&argv.join(" "), program)
}

#[cfg(test)]
mod tests;
