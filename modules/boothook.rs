//! Boothooks: parts of the user data that run at every boot, before anything else is done.
//!
//! Source: cloud-init, `cloudinit/handlers/boot_hook.py`: they alone and `bootcmd` learn the
//! instance's id; one that fails is warned of.

use contract::effect::Program;
use contract::module::{Context, Facts, Frequency, Module, NoKeys, Stage, Wake};
use contract::plan::{Plan, Step};
use contract::user_data::{Part, PartKind};

use crate::script;

/// Runs the boothooks, in the order of the parts.
pub(crate) struct BootHook;

impl Module for BootHook {
    const FACTS: Facts = Facts {
        name: "boothook",
        summary: "run the boothooks of the user data, before anything else",
        stage: Stage::Identity,
        frequency: Frequency::Always,
        wake: Wake::Always,
        keys: &[],
    };
    type Section = NoKeys;

    fn plan(_: NoKeys, ctx: &Context<'_>) -> Plan {
        let hooks = ctx.scripts.iter();
        let hooks = hooks.filter(|part| part.kind == PartKind::BootHook);
        hooks.map(|part| step(part, ctx)).collect()
    }
}

fn step(part: &Part, ctx: &Context<'_>) -> Step {
    let path = ctx.instance_dir.join("boothooks").join(&part.name);
    // Two parts may have one name: the later one is the file, and each is run where it stands.
    let name = match part.vendor {
        true => format!("vendor-{:03}-{}", part.number, part.name),
        false => format!("{:03}-{}", part.number, part.name),
    };
    let mut command = script::command(&part.name, Program::Script(path.clone()));
    let id = ctx.instance.instance_id.to_string();
    command.env.push(("INSTANCE_ID".to_owned(), id));
    let mut step = script::step(name, path, part.body.clone(), command);
    step.is_lenient = true;
    step
}

#[cfg(test)]
mod tests {
    use contract::effect::Effect;
    use contract::secret::Secret;
    use contract::testing::Setting;

    use super::*;

    #[test]
    fn boothooks_run_in_the_order_of_the_parts_and_know_the_instance() {
        let part = |number: usize, name: &str, kind: PartKind| Part {
            name: name.into(),
            number,
            kind,
            launch_index: None,
            for_nobody: false,
            vendor: false,
            merge_type: None,
            first_line: 1,
            body: Secret::new(b"#!/bin/sh\n".to_vec()),
        };
        let scripts = vec![
            part(1, "zeta", PartKind::BootHook),
            part(2, "script", PartKind::Script),
            part(3, "alpha", PartKind::BootHook),
        ];
        let setting = Setting {
            scripts,
            ..Setting::default()
        };
        let plan = setting.plan::<BootHook>("");
        assert_eq!(
            plan.lines(),
            [
                "file /var/lib/firstlight/instances/i-1/boothooks/zeta (0700)",
                "run zeta",
                "file /var/lib/firstlight/instances/i-1/boothooks/alpha (0700)",
                "run alpha",
            ]
        );
        let knows = plan.effects().filter_map(|effect| match effect {
            Effect::Run(command) => Some(&command.env),
            _ => None,
        });
        for env in knows {
            assert_eq!(*env, [("INSTANCE_ID".to_owned(), "i-1".to_owned())]);
        }
    }
}
