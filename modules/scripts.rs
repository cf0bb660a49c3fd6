//! The owner's own code: scripts of the user data, and `runcmd`.
//!
//! Source: cloud-init, `cloudinit/config/cc_runcmd.py`, `cc_scripts_user.py` and
//! `cloudinit/util.py` (`shellify`): runcmd is one script of /bin/sh, run with the other scripts in
//! the order of their names; a failing line does not end it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use contract::effect::{Effect, ItemsSpec, Mode, Program};
use contract::module::{Context, Facts, Frequency, Module, NoKeys, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::user_data::{Part, PartKind};
use contract::yaml::Value;
use serde::Deserialize;

use crate::shell_script::{Item, shellify};
use crate::{command, script, shell_items, shell_script};

const RUNCMD: &str = "runcmd";

const KEYS: &[Key] = &[Key::new(
    RUNCMD,
    Shape::List(&command::SHAPE),
    "commands, run in order as one script of /bin/sh, once for an instance",
)];

/// Writes runcmd's script.
pub(crate) struct Runcmd;

/// Runs all scripts, each once.
pub(crate) struct ScriptsUser;

/// `runcmd:`, a list of lines and of lists of words.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    runcmd: Option<Value>,
}

impl Module for Runcmd {
    const FACTS: Facts = Facts {
        name: "runcmd",
        summary: "write the script of `runcmd`, which scripts_user runs",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/runcmd.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(items) = want.runcmd else {
            return Plan::nothing();
        };
        match shellify(RUNCMD, &items) {
            Ok(text) => {
                let script = Secret::new(text.into_bytes());
                let path = path(RUNCMD, ctx);
                let file = Effect::secret_file(path, script, Mode::PRIVATE_EXEC);
                Step::new(RUNCMD, [file]).into()
            }
            Err(problem) => Plan::problem(problem),
        }
    }
}

impl Module for ScriptsUser {
    const FACTS: Facts = Facts {
        name: "scripts_user",
        summary: "run the scripts of the user data, then runcmd, each once",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::Always,
        keys: &[],
    };
    const NOTES: &'static str = include_str!("notes/scripts_user.md");
    type Section = NoKeys;

    fn plan(_: NoKeys, ctx: &Context<'_>) -> Plan {
        // Of two scripts of one name the later one is the file, as in cloud-init.
        let own = |part: &&Part| part.kind == PartKind::Script && !part.vendor;
        let mut scripts: BTreeMap<String, Secret<Vec<u8>>> = ctx
            .scripts
            .iter()
            .filter(own)
            .map(|part| (part.name.clone(), part.body.clone()))
            .collect();
        // runcmd's own problems are told by the module that writes it.
        let list = ctx.config.get(RUNCMD);
        let items = list.and_then(|list| shell_script::items(RUNCMD, list).ok());
        if let Some(items) = &items {
            let text = shell_script::script(items);
            scripts.insert(RUNCMD.to_owned(), Secret::new(text.into_bytes()));
        }
        let mut plan = Plan::nothing();
        for (name, body) in scripts {
            let of_items = items.as_deref().filter(|_| name == RUNCMD);
            let step = match of_items {
                Some(items) => runcmd(items, body, ctx),
                None => Ok(step(name, body, ctx)),
            };
            match step {
                Ok(step) => plan.push(step),
                Err(problem) => plan.problems.push(problem),
            }
        }
        plan
    }
}

/// runcmd's script, each of whose items is told of where that is possible.
fn runcmd(items: &[Item], body: Secret<Vec<u8>>, ctx: &Context<'_>) -> Result<Step, Problem> {
    let is_strict = ctx
        .config
        .get("firstlight")
        .and_then(|section| section.get(RUNCMD)?.as_str())
        == Some("strict");
    let directory = ItemsSpec::directory(ctx.instance_dir);
    let marked = match shell_items::marked(items, &ItemsSpec::marks(&directory), is_strict) {
        Ok(marked) => marked,
        Err(at) if is_strict => {
            let place = items.get(at).map(|item| item.place.clone());
            let message = "runcmd: in strict mode each item stands for itself, and this one leaves a quote, a here-document or a line open; nothing of runcmd is run";
            let hint = "write what belongs together as one item, or as a script in `write_files`";
            return Err(Problem::error(place, message).hint(hint));
        }
        Err(_) => return Ok(step(RUNCMD.to_owned(), body, ctx)),
    };
    let script = path(RUNCMD, ctx);
    let spec = ItemsSpec {
        script: script.clone(),
        marked: directory.join(RUNCMD),
        check: Secret::new(marked.check.into_bytes()),
        places: items.iter().map(|item| item.place.clone()).collect(),
        is_strict,
        keeps_output: marked.keeps_output,
    };
    let text = Secret::new(marked.text.into_bytes());
    let file = Effect::secret_file(spec.marked.clone(), text, Mode::PRIVATE_EXEC);
    let command = script::command(RUNCMD, Program::Items(Box::new(spec)));
    let mut step = script::step(RUNCMD.to_owned(), script, body, command);
    step.effects.insert(1, file);
    Ok(step)
}

fn step(name: String, body: Secret<Vec<u8>>, ctx: &Context<'_>) -> Step {
    let path = path(&name, ctx);
    let command = script::command(&name, Program::Script(path.clone()));
    script::step(name, path, body, command)
}

fn path(name: &str, ctx: &Context<'_>) -> PathBuf {
    ctx.scripts_dir.join(name)
}

#[cfg(test)]
mod tests {
    use contract::testing::Setting;

    use super::*;

    #[test]
    fn one_item_that_is_no_command_stops_all_of_runcmd() {
        let plan = Setting::default().plan::<Runcmd>("runcmd:\n  - ls\n  - false\n");
        assert!(plan.steps.is_empty());
        let said = plan.problems[0].to_string();
        assert!(
            said.starts_with("test:3:5: runcmd: expected a line or a list of words"),
            "{said}"
        );
    }

    #[test]
    fn runcmd_has_marks_unless_they_could_be_seen_and_strict_insists() {
        const PLAIN: [&str; 2] = [
            "file /var/lib/firstlight/instances/i-1/scripts/runcmd (0700)",
            "run runcmd",
        ];
        const MARKED: [&str; 3] = [
            PLAIN[0],
            "file /var/lib/firstlight/instances/i-1/runcmd-items/runcmd (0700)",
            PLAIN[1],
        ];
        #[rustfmt::skip]
        let table: [(&str, &[&str], &str); 5] = [
            ("runcmd: [ls, [echo, hi]]",                                      &MARKED, ""),
            ("runcmd: [ls, 'trap x EXIT']",                                   &PLAIN,  ""),
            ("{runcmd: [ls, 'trap x EXIT'], firstlight: {runcmd: strict}}",   &MARKED, ""),
            ("{runcmd: [ls, \"echo 'a\", \"b'\"], firstlight: {runcmd: strict}}", &[],    "test:1:15: runcmd: in strict mode each item stands for itself"),
            ("{runcmd: [ls, \"echo 'a\", \"b'\"], firstlight: {runcmd: lenient}}", &PLAIN, ""),
        ];
        for (config, lines, says) in table {
            let plan = Setting::default().plan::<ScriptsUser>(config);
            assert_eq!(plan.lines(), lines, "{config}");
            let told = plan.problems.first().map(ToString::to_string);
            assert!(
                told.unwrap_or_default().starts_with(says),
                "{config}: {plan:?}"
            );
            assert_eq!(plan.problems.is_empty(), says.is_empty(), "{config}");
        }
    }

    #[test]
    fn scripts_run_in_the_order_of_their_names_and_runcmd_is_one_of_them() {
        let part = |number: usize, name: &str| Part {
            name: name.into(),
            number,
            kind: PartKind::Script,
            launch_index: None,
            for_nobody: false,
            vendor: false,
            merge_type: None,
            first_line: 1,
            body: Secret::new(b"#!/bin/sh\n".to_vec()),
        };
        let scripts = vec![part(1, "zeta.sh"), part(2, "part-002"), part(3, "part-003")];
        let plan = Setting {
            scripts,
            ..Setting::default()
        }
        .plan::<ScriptsUser>("runcmd: [ls]");
        let names: Vec<_> = plan.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["part-002", "part-003", "runcmd", "zeta.sh"]);
        assert!(plan.steps.iter().all(Step::runs_code));
    }
}
