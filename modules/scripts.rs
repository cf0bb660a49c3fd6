//! The owner's own code: scripts of the user data, and `runcmd`.
//!
//! Source: cloud-init, `cloudinit/config/cc_runcmd.py`, `cc_scripts_user.py` and
//! `cloudinit/util.py` (`shellify`): runcmd is one script of /bin/sh, run with the other scripts in
//! the order of their names; a failing line does not end it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use contract::effect::{Effect, Mode, Program};
use contract::module::{Context, Facts, Frequency, Module, NoKeys, Stage, Wake};
use contract::plan::{Plan, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::user_data::{Part, PartKind};
use contract::yaml::Value;
use serde::Deserialize;

use crate::shell_script::shellify;
use crate::{command, script};

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
        if let Some(text) = ctx
            .config
            .get(RUNCMD)
            .and_then(|items| shellify(RUNCMD, items).ok())
        {
            scripts.insert(RUNCMD.to_owned(), Secret::new(text.into_bytes()));
        }
        scripts
            .into_iter()
            .map(|(name, body)| step(name, body, ctx))
            .collect()
    }
}

fn step(name: String, body: Secret<Vec<u8>>, ctx: &Context<'_>) -> Step {
    let path = path(&name, ctx);
    let command = script::command(&name, Program::Script(path.clone()));
    script::step(name, path, body, command)
}

fn path(name: &str, ctx: &Context<'_>) -> PathBuf {
    ctx.instance_dir.join("scripts").join(name)
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
