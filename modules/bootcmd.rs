//! Commands early in each boot.
//!
//! Source: cloud-init, `cloudinit/config/cc_bootcmd.py`: they and the boothooks alone learn the
//! instance's id, and the exit code is that of the last one.

use contract::effect::Program;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::Plan;
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::Value;
use serde::Deserialize;

use crate::command;
use crate::script;
use crate::shell_script::shellify;

const NAME: &str = "bootcmd";

const KEYS: &[Key] = &[Key::new(
    NAME,
    Shape::List(&command::SHAPE),
    "commands, run in order as one script of /bin/sh, early in each boot",
)];

/// Runs `bootcmd`.
pub(crate) struct Bootcmd;

/// `bootcmd:`, a list of lines and of lists of words.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    bootcmd: Option<Value>,
}

impl Module for Bootcmd {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "run the commands of `bootcmd`, at each boot",
        stage: Stage::Identity,
        frequency: Frequency::Always,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/bootcmd.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(items) = want.bootcmd else {
            return Plan::nothing();
        };
        let body = match shellify(NAME, &items) {
            Ok(text) => Secret::new(text.into_bytes()),
            Err(problem) => return Plan::problem(problem),
        };
        let path = ctx.instance_dir.join(NAME);
        let argv = ["/bin/sh".to_owned(), path.display().to_string()];
        let mut run = script::command(NAME, Program::Argv(argv.to_vec()));
        let id = ctx.instance.instance_id.to_string();
        run.env.push(("INSTANCE_ID".to_owned(), id));
        script::step(NAME.to_owned(), path, body, run).into()
    }
}

#[cfg(test)]
mod tests {
    use contract::effect::Effect;
    use contract::testing::Setting;

    use super::*;

    #[test]
    fn bootcmd_is_a_script_that_knows_the_instance() {
        let plan = Setting::default().plan::<Bootcmd>("bootcmd: [ls, [echo, a b]]");
        let path = "/var/lib/firstlight/instances/i-1/bootcmd";
        assert_eq!(
            plan.lines(),
            [format!("file {path} (0700)"), "run bootcmd".into()]
        );
        let run = plan.effects().find_map(|effect| match effect {
            Effect::Run(command) => Some(command),
            _ => None,
        });
        let run = run.unwrap();
        assert_eq!(run.env, [("INSTANCE_ID".to_owned(), "i-1".to_owned())]);
        assert!(run.program == Program::Argv(vec!["/bin/sh".into(), path.into()]));
        let text = String::from_utf8_lossy(plan.steps[0].inputs.expose()).into_owned();
        assert_eq!(text, "#!/bin/sh\nls\n'echo' 'a b'\n");
    }

    #[test]
    fn one_item_that_is_no_command_stops_all_of_it() {
        let plan = Setting::default().plan::<Bootcmd>("bootcmd: [ls, {a: b}]");
        assert!(plan.steps.is_empty());
        let said = plan.problems[0].to_string();
        assert!(
            said.starts_with("test:1:15: bootcmd: expected a line or a list"),
            "{said}"
        );
    }
}
