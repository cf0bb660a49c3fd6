//! Part handlers: Python of the user data that takes other parts of it upon itself, where the image
//! lets it.
//!
//! Source: cloud-init, `cloudinit/handlers/__init__.py` (`call_begin`, `run_part`, `call_end`): the
//! arguments of each handler version, and at which boots a handler is called.

use contract::effect::{CommandSpec, Effect, Mode, Program};
use contract::module::{Context, Facts, Frequency, Module, NoKeys, Stage, Wake};
use contract::part_handler::{Calls, PartHandler};
use contract::plan::{Plan, Step};
use contract::secret::Secret;

/// What calls a handler, a Python program.
const DRIVER: &str = include_str!("part_handlers.py");

/// Calls those that are called once for an instance.
pub(crate) struct PartHandlers;
/// Calls those that are called at every boot.
pub(crate) struct PartHandlersAlways;

const fn facts(name: &'static str, summary: &'static str, frequency: Frequency) -> Facts {
    Facts {
        name,
        summary,
        stage: Stage::Identity,
        frequency,
        wake: Wake::Always,
        keys: &[],
    }
}

impl Module for PartHandlers {
    const FACTS: Facts = facts(
        "part_handlers",
        "call the part handlers of the user data, once for an instance",
        Frequency::Instance,
    );
    type Section = NoKeys;

    fn plan(_: NoKeys, ctx: &Context<'_>) -> Plan {
        of(Calls::Instance, ctx)
    }
}

impl Module for PartHandlersAlways {
    const FACTS: Facts = facts(
        "part_handlers_always",
        "call the part handlers of the user data that are called at every boot",
        Frequency::Always,
    );
    type Section = NoKeys;

    fn plan(_: NoKeys, ctx: &Context<'_>) -> Plan {
        of(Calls::Always, ctx)
    }
}

fn of(calls: Calls, ctx: &Context<'_>) -> Plan {
    let all = ctx.handlers.iter().enumerate();
    let own = all.filter(|(_, handler)| handler.calls == calls);
    own.map(|(index, handler)| step(index, handler, ctx))
        .collect()
}

/// Puts the module, its parts and what is to be called into a directory, and calls it.
fn step(index: usize, handler: &PartHandler, ctx: &Context<'_>) -> Step {
    let part = &handler.part;
    let name = match part.vendor {
        true => format!("vendor-{:03}-{}", part.number, part.name),
        false => format!("{:03}-{}", part.number, part.name),
    };
    let stem = format!("part-handler-{index:03}");
    let dir = ctx.instance_dir.join("handlers").join(&stem);
    let driver = dir.join("driver.py");
    let module = dir.join(format!("{stem}.py"));
    let job = dir.join("job.json");
    let before = ctx.probe.kind(&job).ok().flatten().is_some();
    let text = handler.job(before).into_bytes();
    let private = |path, body| Effect::secret_file(path, body, Mode::PRIVATE);

    let mut effects = vec![
        private(driver.clone(), Secret::new(DRIVER.into())),
        private(module.clone(), part.body.clone()),
    ];
    let takes = handler.takes.iter();
    effects.extend(
        takes.map(|taken| private(dir.join(PartHandler::file_of(taken)), taken.body.clone())),
    );
    effects.push(private(job.clone(), Secret::new(text.clone())));
    // No directory of a user's, and no compiled file left behind.
    let mut argv: Vec<String> = [&handler.interpreter, "-I", "-B"].map(str::to_owned).into();
    argv.extend([&driver, &module, &job].map(|path| path.display().to_string()));
    effects.push(Effect::Run(CommandSpec {
        label: part.name.clone(),
        program: Program::Argv(argv),
        env: Vec::new(),
        timeout: Some(handler.timeout),
    }));
    let mut step = Step::new(name, effects);
    // As with cloud-init, a handler that fails stops nothing.
    step.is_lenient = true;
    let bodies = handler.takes.iter().map(|taken| taken.body.expose());
    let inputs = bodies.fold(part.body.expose().clone(), |all, body| {
        [&all, body.as_slice()].concat()
    });
    step.inputs = Secret::new(inputs);
    step
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use contract::effect::{Content, FileSpec};
    use contract::testing::{FakeMachine, Setting};
    use contract::user_data::{Part, PartKind};

    use super::*;

    fn part(number: usize, kind: PartKind, body: &str) -> Part {
        Part {
            name: format!("part-{number:03}"),
            number,
            kind,
            launch_index: None,
            for_nobody: false,
            vendor: false,
            merge_type: Some("list(append)".to_owned()),
            first_line: 1,
            body: Secret::new(body.into()),
        }
    }

    fn handler(number: usize, calls: Calls, takes: Vec<Part>) -> PartHandler {
        PartHandler {
            part: part(number, PartKind::HANDLER, "#part-handler\n"),
            interpreter: "python3".to_owned(),
            timeout: Duration::from_secs(60),
            calls,
            takes,
        }
    }

    fn setting(machine: FakeMachine) -> Setting {
        let taken = part(3, PartKind::Unknown("text/x-site".to_owned()), "hunter2");
        Setting {
            machine,
            handlers: vec![
                handler(1, Calls::Instance, vec![taken.clone()]),
                handler(2, Calls::Always, vec![taken]),
                handler(4, Calls::Never, Vec::new()),
            ],
            ..Setting::default()
        }
    }

    /// The text of a secret file of a plan.
    fn secret(plan: &Plan, name: &str) -> String {
        let found = plan.effects().find_map(|effect| match effect {
            Effect::File(FileSpec {
                at,
                content: Content::Secret(text),
                ..
            }) if at.to_string().ends_with(name) => Some(text.expose().clone()),
            _ => None,
        });
        String::from_utf8(found.unwrap()).unwrap()
    }

    #[test]
    fn a_handler_is_called_with_files_that_root_alone_can_read() {
        let plan = setting(FakeMachine::default()).plan::<PartHandlers>("");
        let dir = "/var/lib/firstlight/instances/i-1/handlers/part-handler-000";
        assert_eq!(
            plan.lines(),
            [
                format!("file {dir}/driver.py (0600)"),
                format!("file {dir}/part-handler-000.py (0600)"),
                format!("file {dir}/003.part (0600)"),
                format!("file {dir}/job.json (0600)"),
                "run part-001".to_owned(),
            ]
        );
        assert!(plan.steps[0].is_lenient);
        assert_eq!(secret(&plan, "003.part"), "hunter2");
        assert!(secret(&plan, "job.json").contains("\"003.part\""));
    }

    #[test]
    fn a_handler_of_every_boot_learns_that_this_is_a_later_one() {
        let plan = setting(FakeMachine::default()).plan::<PartHandlersAlways>("");
        assert_eq!(plan.steps.len(), 1);
        assert!(secret(&plan, "job.json").contains("once-per-instance"));
        let path = "/var/lib/firstlight/instances/i-1/handlers/part-handler-001/job.json";
        let plan = setting(FakeMachine::with(&[(path, "{}")])).plan::<PartHandlersAlways>("");
        assert!(secret(&plan, "job.json").contains("\"always\""));
    }
}
