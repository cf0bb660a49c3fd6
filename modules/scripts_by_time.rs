//! Scripts that say how often they run: at each boot, once for an instance, once for a machine; and
//! the vendor's.
//!
//! The first three stand in directories of the machine, not of the instance, where an image may have
//! scripts of its own. Source: cloud-init, `cloudinit/config/cc_scripts_per_boot.py`,
//! `cc_scripts_per_instance.py`, `cc_scripts_per_once.py`, `cc_scripts_vendor.py`,
//! `cloudinit/handlers/shell_script_by_frequency.py`, `cloudinit/subp.py` (`runparts`).

use std::collections::BTreeMap;
use std::path::Path;

use contract::effect::{Effect, Program};
use contract::machine::FileKind;
use contract::module::{Context, Facts, Frequency, Module, NoKeys, Stage, Wake};
use contract::place::Place;
use contract::plan::{Plan, Problem, Step};
use contract::secret::Secret;
use contract::user_data::PartKind;
use contract::yaml::Value;

use crate::script;

const SCRIPTS: &str = "/var/lib/cloud/scripts";

/// Those of each boot.
pub(crate) struct PerBoot;
/// Those of each instance.
pub(crate) struct PerInstance;
/// Those of the machine's whole life.
pub(crate) struct PerOnce;
/// Those of the vendor data.
pub(crate) struct Vendor;

const fn facts(name: &'static str, summary: &'static str, frequency: Frequency) -> Facts {
    Facts {
        name,
        summary,
        stage: Stage::Final,
        frequency,
        wake: Wake::Always,
        keys: &[],
    }
}

impl Module for PerBoot {
    const FACTS: Facts = facts(
        "scripts_per_boot",
        "run the scripts of each boot, of image and user data",
        Frequency::Always,
    );
    type Section = NoKeys;

    fn plan(_: NoKeys, ctx: &Context<'_>) -> Plan {
        in_directory("per-boot", &PartKind::PerBoot, ctx)
    }
}

impl Module for PerInstance {
    const FACTS: Facts = facts(
        "scripts_per_instance",
        "run the scripts of each instance, of image and user data",
        Frequency::Instance,
    );
    type Section = NoKeys;

    fn plan(_: NoKeys, ctx: &Context<'_>) -> Plan {
        in_directory("per-instance", &PartKind::PerInstance, ctx)
    }
}

impl Module for PerOnce {
    const FACTS: Facts = facts(
        "scripts_per_once",
        "run the scripts that run once, of image and user data",
        Frequency::Once,
    );
    type Section = NoKeys;

    fn plan(_: NoKeys, ctx: &Context<'_>) -> Plan {
        in_directory("per-once", &PartKind::PerOnce, ctx)
    }
}

impl Module for Vendor {
    const FACTS: Facts = facts(
        "scripts_vendor",
        "run the scripts of the vendor data",
        Frequency::Instance,
    );
    type Section = NoKeys;

    fn plan(_: NoKeys, ctx: &Context<'_>) -> Plan {
        let dir = ctx.scripts_dir.join("vendor");
        let scripts = of_kind(&PartKind::Script, true, ctx);
        if scripts.is_empty() {
            return Plan::nothing();
        }
        let section = ctx.config.get("vendor_data");
        let prefix = match prefix(section.and_then(|section| section.get("prefix"))) {
            Ok(prefix) => prefix,
            Err(problem) => return Plan::problem(problem),
        };
        scripts
            .into_iter()
            .map(|(name, body)| step(&dir, name, Some(body), &prefix))
            .collect()
    }
}

/// What stands before each script of the vendor: a program, and its arguments.
fn prefix(value: Option<&Value>) -> Result<Vec<String>, Problem> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(Vec::new());
    };
    if let Some(program) = value.as_str() {
        return Ok(vec![program.to_owned()]);
    }
    let words = value.as_list().unwrap_or_default().iter();
    let words: Option<Vec<String>> = words.map(Value::to_text).collect();
    words
        .filter(|words| !words.is_empty() || value.as_list().is_some())
        .ok_or_else(|| {
            let message = "vendor_data.prefix: expected a program, or a list of words; no script of the vendor is run";
            Problem::error(Some(value.place.clone()), message)
        })
}

/// The parts of one kind; of two of one name the later one is the file.
fn of_kind(kind: &PartKind, vendor: bool, ctx: &Context<'_>) -> BTreeMap<String, Secret<Vec<u8>>> {
    let parts = ctx.scripts.iter();
    let parts = parts.filter(|part| part.kind == *kind && part.vendor == vendor);
    parts
        .map(|part| (part.name.clone(), part.body.clone()))
        .collect()
}

/// What stands in the directory and what the user data puts there, in the order of the names.
fn in_directory(name: &str, kind: &PartKind, ctx: &Context<'_>) -> Plan {
    let dir = Path::new(SCRIPTS).join(name);
    let mut plan = Plan::nothing();
    let mut scripts: BTreeMap<String, Option<Secret<Vec<u8>>>> = BTreeMap::new();
    for vendor in [false, true] {
        let parts = of_kind(kind, vendor, ctx).into_iter();
        scripts.extend(parts.map(|(name, body)| (name, Some(body))));
    }
    for name in ctx.probe.list(&dir).ok().flatten().unwrap_or_default() {
        let path = dir.join(&name);
        let directory = matches!(ctx.probe.kind(&path), Ok(Some(FileKind::Directory)));
        if ctx.probe.is_executable(&path).unwrap_or(false) {
            scripts.entry(name).or_insert(None);
        } else if !directory && !scripts.contains_key(&name) {
            let place = Place::whole(path.display().to_string());
            let problem = Problem::warning(Some(place), "not run: it is not executable");
            plan.problems
                .push(problem.hint("chmod +x, or take it away"));
        }
    }
    for (name, body) in scripts {
        plan.push(step(&dir, name, body, &[]));
    }
    plan
}

fn step(dir: &Path, name: String, body: Option<Secret<Vec<u8>>>, prefix: &[String]) -> Step {
    let path = dir.join(&name);
    let program = if prefix.is_empty() {
        Program::Script(path.clone())
    } else {
        let script = path.display().to_string();
        Program::Argv(prefix.iter().cloned().chain([script]).collect())
    };
    let run = script::command(&name, program);
    match body {
        Some(body) => script::step(name, path, body, run),
        None => Step::new(name, [Effect::Run(run)]),
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};
    use contract::user_data::Part;

    use super::*;

    fn part(name: &str, kind: PartKind, vendor: bool) -> Part {
        Part {
            name: name.into(),
            number: 1,
            kind,
            launch_index: None,
            for_nobody: false,
            vendor,
            merge_type: None,
            first_line: 1,
            body: Secret::new(b"#!/bin/sh\n".to_vec()),
        }
    }

    #[test]
    fn the_images_scripts_and_those_of_the_user_data_run_in_the_order_of_their_names() {
        let machine = FakeMachine::with(&[
            ("/var/lib/cloud/scripts/per-boot/20-image", "#!/bin/sh\n"),
            (
                "/var/lib/cloud/scripts/per-boot/part-001",
                "#!/bin/sh\nof the last boot\n",
            ),
            ("/var/lib/cloud/scripts/per-once/once", "#!/bin/sh\n"),
        ]);
        let setting = Setting {
            machine,
            scripts: vec![
                part("part-001", PartKind::PerBoot, false),
                part("10-user", PartKind::PerBoot, false),
                part("part-003", PartKind::PerInstance, false),
                part("part-004", PartKind::Script, false),
            ],
            ..Setting::default()
        };
        assert_eq!(
            setting.plan::<PerBoot>("").lines(),
            [
                "file /var/lib/cloud/scripts/per-boot/10-user (0700)",
                "run 10-user",
                "run 20-image",
                "file /var/lib/cloud/scripts/per-boot/part-001 (0700)",
                "run part-001",
            ]
        );
        let of_instance = [
            "file /var/lib/cloud/scripts/per-instance/part-003 (0700)",
            "run part-003",
        ];
        assert_eq!(setting.plan::<PerInstance>("").lines(), of_instance);
        assert_eq!(setting.plan::<PerOnce>("").lines(), ["run once"]);
    }

    #[test]
    fn the_vendors_scripts_have_their_prefix() {
        let setting = || Setting {
            scripts: vec![
                part("b", PartKind::Script, true),
                part("a", PartKind::Script, true),
                part("mine", PartKind::Script, false),
            ],
            ..Setting::default()
        };
        let plan = setting().plan::<Vendor>("");
        let names: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        let path = |name: &str| format!("/var/lib/firstlight/instances/i-1/scripts/vendor/{name}");
        #[rustfmt::skip]
        let table: [(&str, &[&str]); 2] = [
            ("vendor_data: {prefix: /bin/log}",           &["/bin/log"]),
            ("vendor_data: {prefix: [/bin/log, -n, 3]}",  &["/bin/log", "-n", "3"]),
        ];
        for (config, words) in table {
            let plan = setting().plan::<Vendor>(config);
            let first = plan.effects().find_map(|effect| match effect {
                Effect::Run(command) => Some(command.program.clone()),
                _ => None,
            });
            let mut argv: Vec<String> = words.iter().map(ToString::to_string).collect();
            argv.push(path("a"));
            assert!(first == Some(Program::Argv(argv)), "{config}");
        }
        let plan = setting().plan::<Vendor>("vendor_data: {prefix: {a: b}}");
        assert!(plan.steps.is_empty());
        let said = plan.problems[0].to_string();
        assert!(
            said.starts_with("test:1:23: vendor_data.prefix: expected"),
            "{said}"
        );
    }
}
