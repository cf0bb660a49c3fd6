//! Snaps: assertions, and commands of snap(8).
//!
//! Source: cloud-init, `cloudinit/config/cc_snap.py`, `cloudinit/subp.py` (`prepend_base_command`) and
//! `cloudinit/util.py` (`wait_for_snap_seeded`); of `squashfuse_in_container` its releases up to 19.

use std::time::Duration;

use contract::effect::{Effect, Program, ToolSpec};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::{Kind, Value};
use serde::Deserialize;

use crate::fields::{self, Fields, wrong};
use crate::{command, distribution, packages, script};

const NAME: &str = "snap";

/// A new image installs its snaps at the first boot, which takes minutes.
const SEED_LIMIT: Duration = Duration::from_secs(600);

const SNAP: &[Key] = &[
    Key::new(
        "assertions",
        Shape::OneOf(&[Shape::List(&Shape::Text), Shape::Named(&Shape::Text)]),
        "assertions that snapd is to know, before the commands run",
    ),
    Key::new(
        "commands",
        Shape::OneOf(&[Shape::List(&command::SHAPE), Shape::Named(&command::SHAPE)]),
        "commands, with or without `snap` before them; of a mapping in the order of its keys",
    ),
    Key::new(
        "squashfuse_in_container",
        Shape::Switch,
        "whether squashfuse is installed where this is a container",
    )
    .or("false"),
];

/// Tells snapd of assertions, and runs commands.
pub(crate) struct Snap;

/// `snap:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    snap: Option<Value>,
}

impl Module for Snap {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "tell snapd of assertions and run commands of snap",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            NAME,
            Shape::Map(SNAP),
            "assertions and commands for snapd",
        )],
    };
    const NOTES: &'static str = include_str!("notes/snap.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(snap) = want.snap else {
            return Plan::nothing();
        };
        let mut plan = Plan::nothing();
        let problems = &mut plan.problems;
        let Some(fields) = Fields::of(NAME, &snap, problems) else {
            return plan;
        };
        let assertions = assertions(&fields, problems);
        let commands = commands(&fields, problems);
        if !(assertions.is_empty() && commands.is_empty()) {
            plan.steps.extend(seeded(ctx));
        }
        let problems = &mut plan.problems;
        let wants_squashfuse = fields.switch("squashfuse_in_container", false, problems);
        if wants_squashfuse && ctx.probe.is_container() {
            let package = packages::needed(&["squashfuse"], ctx);
            plan.push(Step::new("squashfuse", package));
        }
        if !assertions.is_empty() {
            match acknowledged(&assertions, ctx) {
                Ok(step) => plan.push(step),
                Err(problem) => plan.problems.push(problem),
            }
        }
        plan.steps.extend(commands);
        plan
    }
}

/// That the snaps of the image are installed: before that snapd refuses whatever it is asked.
/// `None` on a machine without snapd.
pub(crate) fn seeded(ctx: &Context<'_>) -> Option<Step> {
    distribution::has_program(ctx.probe, "snap").then(|| {
        let argv = ["snap", "wait", "system", "seed.loaded"];
        let mut spec = ToolSpec::new("the snaps of the image are installed", argv).live_only();
        spec.timeout = SEED_LIMIT;
        Step::new("seed", [Effect::tool(spec)])
    })
}

fn assertions(fields: &Fields<'_>, told: &mut Vec<Problem>) -> Vec<String> {
    let mut texts = Vec::new();
    for (path, value) in entries(fields, "assertions", told) {
        match value.as_str() {
            Some(text) => texts.push(text.to_owned()),
            None => told.push(wrong(&path, value, "a string")),
        }
    }
    texts
}

fn acknowledged(assertions: &[String], ctx: &Context<'_>) -> Result<Step, Problem> {
    if !distribution::has_program(ctx.probe, NAME) {
        let problem = Problem::error(None, "snap.assertions: the image has no snapd");
        return Err(problem.hint("install the package `snapd` in the image"));
    }
    let path = ctx.instance_dir.join("snapd.assertions");
    let argv = ["snap", "ack", &path.display().to_string()];
    let tell = ToolSpec::new("snapd knows the assertions", argv).live_only();
    let file = Effect::file(path.clone(), assertions.join("\n"));
    Ok(Step::new("assertions", [file, Effect::tool(tell)]))
}

/// Each command is a step of its own: one that fails does not keep the others from being run.
fn commands(fields: &Fields<'_>, told: &mut Vec<Problem>) -> Vec<Step> {
    let entries = entries(fields, "commands", told);
    let mut steps = Vec::new();
    for (index, (path, value)) in entries.into_iter().enumerate() {
        let Some(program) = program(value) else {
            let message = format!("{path}: {}", command::EXPECTED);
            told.push(Problem::error(Some(value.place.clone()), message));
            continue;
        };
        let is_other = matches!(&program, Program::Shell(line) if !line.starts_with("snap "));
        if is_other {
            let message = format!("{path}: it does not begin with `snap`, and is run as it is");
            let problem = Problem::warning(Some(value.place.clone()), message);
            told.push(problem.hint("`snap` is where commands for snapd stand"));
        }
        let name = format!("command-{}", index + 1);
        let inputs = match &program {
            Program::Argv(words) => words.join("\0"),
            Program::Shell(line) => line.clone(),
            _ => String::new(),
        };
        let run = script::command(&format!("snap's {name}"), program);
        let mut step = Step::new(name, [Effect::Run(run)]);
        step.inputs = Secret::new(inputs.into_bytes());
        steps.push(step);
    }
    steps
}

/// A list of words is a command of snap, whether it says so or not; one that begins with null is
/// somebody else's.
fn program(value: &Value) -> Option<Program> {
    let Some(words) = value.as_list() else {
        return command::program(value);
    };
    let (first, rest) = words.split_first()?;
    let words = if first.is_null() { rest } else { words };
    let words: Option<Vec<String>> = words.iter().map(Value::to_text).collect();
    let mut words = words.filter(|words| !words.is_empty())?;
    if !first.is_null() && words.first().is_some_and(|word| word != NAME) {
        words.insert(0, NAME.to_owned());
    }
    Some(Program::Argv(words))
}

/// The values of a list, or of a mapping in the order of its keys, each with its path.
fn entries<'v>(
    fields: &Fields<'v>,
    name: &str,
    told: &mut Vec<Problem>,
) -> Vec<(String, &'v Value)> {
    let path = fields.name(name);
    let Some(value) = fields.get(name) else {
        return Vec::new();
    };
    match &value.kind {
        Kind::List(entries) => {
            let each = entries.iter().enumerate();
            each.map(|(index, entry)| (format!("{path}[{index}]"), entry))
                .collect()
        }
        Kind::Map(map) => {
            let key = |key: &Value| key.to_text().unwrap_or_default();
            let each = fields::sorted(map).into_iter();
            each.map(|(name, entry)| (format!("{path}.{}", key(name)), entry))
                .collect()
        }
        _ => {
            told.push(wrong(&path, value, "a list or a mapping"));
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    fn setting(files: &[(&str, &str)]) -> Setting {
        Setting {
            machine: FakeMachine::with(files),
            ..Setting::default()
        }
    }

    fn plan(config: &str) -> Plan {
        let files = [("/usr/bin/snap", ""), ("/etc/os-release", "ID=ubuntu\n")];
        setting(&files).plan::<Snap>(config)
    }

    fn commands(plan: &Plan) -> Vec<String> {
        let line = |effect: &Effect| match effect {
            Effect::Run(run) => match &run.program {
                Program::Argv(words) => words.join(" "),
                Program::Shell(line) => format!("sh: {line}"),
                _ => String::new(),
            },
            Effect::Tool(tool) => tool.argv.join(" "),
            other => other.to_string(),
        };
        plan.effects().map(line).collect()
    }

    const SEED: &str = "snap wait system seed.loaded";

    #[test]
    fn commands_are_run_in_their_order_when_the_images_snaps_are_there() {
        #[rustfmt::skip]
        let table: [(&str, &[&str]); 5] = [
            ("snap: {commands: [snap install vlc, [snap, install, lxd], [install, hello, --edge], [null, echo, 7]]}",
             &[SEED, "sh: snap install vlc", "snap install lxd", "snap install hello --edge", "echo 7"]),
            ("snap: {commands: {'02': [install, b], '01': snap install a, 3: [refresh]}}",
             &[SEED, "sh: snap install a", "snap install b", "snap refresh"]),
            ("snap: {commands: []}", &[]),
            ("snap: {}", &[]),
            ("snap:", &[]),
        ];
        for (config, wanted) in table {
            let plan = plan(config);
            assert_eq!(commands(&plan), wanted, "{config}");
            assert_eq!(plan.problems, [], "{config}");
        }
        let names: Vec<_> = plan("snap: {commands: [snap refresh, [a]]}").steps;
        let names: Vec<_> = names.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["seed", "command-1", "command-2"]);
    }

    #[test]
    fn assertions_are_one_file_that_snapd_is_told_of() {
        const FILE: &str = "/var/lib/firstlight/instances/i-1/snapd.assertions";
        for config in [
            "snap: {assertions: [\"type: a\\nb\", 'type: c'], commands: [[refresh]]}",
            "snap: {assertions: {'02': 'type: c', '01': \"type: a\\nb\"}, commands: [[refresh]]}",
        ] {
            let plan = plan(config);
            let file = format!("file {FILE} (0644)");
            let ack = format!("snap ack {FILE}");
            assert_eq!(
                commands(&plan),
                [SEED, &file, &ack, "snap refresh"],
                "{config}"
            );
            assert_eq!(plan.text_of(FILE).as_deref(), Some("type: a\nb\ntype: c"));
        }
    }

    #[test]
    fn nobody_is_waited_for_without_snapd_and_squashfuse_is_for_containers() {
        let plan = setting(&[]).plan::<Snap>("snap: {commands: [[null, apt-get, install, snapd]]}");
        assert_eq!(commands(&plan), ["apt-get install snapd"]);
        let plan = setting(&[]).plan::<Snap>("snap: {assertions: [a]}");
        assert_eq!(plan.steps, []);
        let said = plan.problems[0].to_string();
        assert_eq!(
            said,
            "snap.assertions: the image has no snapd (install the package `snapd` in the image)"
        );
        const CONFIG: &str = "snap: {squashfuse_in_container: true}";
        assert_eq!(self::plan(CONFIG), Plan::nothing());
        let files = [
            ("/run/systemd/container", "lxc"),
            ("/etc/os-release", "ID=ubuntu\n"),
        ];
        let plan = setting(&files).plan::<Snap>(CONFIG);
        assert_eq!(commands(&plan), ["package squashfuse (apt)"]);
    }

    #[test]
    fn what_is_wrong_costs_itself_alone() {
        #[rustfmt::skip]
        let table = [
            ("commands: [[refresh], 7]",               "test:1:30: snap.commands[1]: expected a command line, or a list of words"),
            ("commands: [[refresh], []]",              "test:1:30: snap.commands[1]: expected a command line, or a list of words"),
            ("commands: [[refresh], [null]]",          "test:1:30: snap.commands[1]: expected a command line, or a list of words"),
            ("commands: [[refresh]], assertions: a",   "test:1:43: snap.assertions: expected a list or a mapping, found a string"),
            ("commands: [[refresh]], assertions: [7]", "test:1:44: snap.assertions[0]: expected a string, found an integer"),
        ];
        for (config, says) in table {
            let plan = plan(&format!("snap: {{{config}}}"));
            assert_eq!(plan.problems[0].to_string(), says, "{config}");
            assert_eq!(commands(&plan), [SEED, "snap refresh"], "{config}");
        }
        let told = plan("snap: [a]").problems;
        assert_eq!(
            told[0].to_string(),
            "test:1:7: snap: expected a mapping, found a list"
        );
        let told = plan("snap: {commands: ['TOKEN=hunter2 snap login']}").problems;
        assert_eq!(
            told[0].to_string(),
            "test:1:19: snap.commands[0]: it does not begin with `snap`, and is run as it is \
             (`snap` is where commands for snapd stand)"
        );
    }
}
