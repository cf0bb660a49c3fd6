//! The mode of SELinux, as Amazon Linux's user data sets it.
//!
//! Source: Amazon Linux 2023 User Guide, "Setting SELinux status and modes"; its
//! /etc/cloud/cloud.cfg.d/40_selinux-reboot.cfg; selinux(8).

use contract::effect::{Effect, ToolSpec};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::Value;
use serde::Deserialize;

use crate::fields::Fields;
use crate::files;

const NAME: &str = "selinux";
const CONFIG: &str = "/etc/selinux/config";
/// What the running kernel does: `1` for enforcing; not there where SELinux is off.
const RUNNING: &str = "/sys/fs/selinux/enforce";
/// For this file the `power_state` of Amazon Linux's images looks when all is done.
const REBOOT: &str = "/run/cloud-init-selinux-reboot";

const KEYS: &[Key] = &[Key::new(
    NAME,
    Shape::Map(&[
        Key::new(
            "mode",
            Shape::Word(&["enforcing", "permissive"]),
            "what happens to what the policy forbids",
        ),
        Key::new(
            "selinux_no_reboot",
            Shape::Switch,
            "change it now and without a reboot",
        )
        .or("false"),
    ]),
    "the mode of SELinux",
)];

/// Sets the mode.
pub(crate) struct Selinux;

/// `selinux:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    selinux: Option<Value>,
}

impl Module for Selinux {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "set the mode of SELinux",
        stage: Stage::Identity,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/selinux.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let told = &mut plan.problems;
        let Some(section) = want.selinux else {
            return plan;
        };
        let Some(fields) = Fields::of(NAME, &section, told) else {
            return plan;
        };
        let stays_up = fields.switch("selinux_no_reboot", false, told);
        let Some(mode) = fields.text("mode", told) else {
            return plan;
        };
        let number = match mode.value.as_str() {
            "enforcing" => "1",
            "permissive" => "0",
            _ => {
                let message = "selinux.mode: expected enforcing or permissive";
                told.push(Problem::error(Some(mode.place), message));
                return plan;
            }
        };
        let Some(now) = files::text(ctx.probe, CONFIG) else {
            let message = format!("selinux.mode: there is no {CONFIG} on this machine");
            told.push(Problem::error(Some(mode.place), message).of_machine());
            return plan;
        };
        let mut step = Step::new(NAME, [Effect::file(CONFIG, with_mode(&now, &mode.value))]);
        if !stays_up {
            if ctx.config.get("power_state").is_none() {
                let message = "selinux.mode: it counts from the next boot on";
                let hint = "give `power_state: {mode: reboot}`, or `selinux_no_reboot: true`";
                told.push(Problem::notice(Some(mode.place), message).hint(hint));
            }
            step.on_change.push(Effect::file(REBOOT, ""));
        } else if files::text(ctx.probe, RUNNING).is_some_and(|running| running.trim() != number) {
            let tool = ToolSpec::new(
                format!("SELinux {} now", mode.value),
                ["setenforce", number],
            );
            step.on_change.push(Effect::tool(tool.live_only()));
        }
        plan.push(step);
        plan
    }
}

/// The file with this mode, and everything else as it is.
fn with_mode(now: &str, mode: &str) -> String {
    let mut is_said = false;
    let mut lines = String::with_capacity(now.len());
    for line in now.lines() {
        let is_mode = line.trim_start().starts_with("SELINUX=");
        match is_mode {
            true if is_said => continue,
            true => lines.push_str(&format!("SELINUX={mode}")),
            false => lines.push_str(line),
        }
        lines.push('\n');
        is_said |= is_mode;
    }
    if !is_said {
        lines.push_str(&format!("SELINUX={mode}\n"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    const FILE: &str =
        "# SELINUX= can take one of these\nSELINUX=permissive\nSELINUXTYPE=targeted\n";

    fn machine(running: &str) -> Setting {
        Setting {
            machine: FakeMachine::with(&[(CONFIG, FILE), (RUNNING, running)]),
            ..Setting::default()
        }
    }

    #[test]
    fn the_mode_counts_after_the_reboot_that_the_image_does_or_at_once() {
        let file = "file /etc/selinux/config (0644)";
        let reboot = "file /run/cloud-init-selinux-reboot (0644)";
        #[rustfmt::skip]
        let table: [(&str, &str, &[&str]); 4] = [
            ("0", "{mode: enforcing}",                                 &[file, reboot]),
            ("0", "{mode: enforcing, selinux_no_reboot: 1}",           &[file, "SELinux enforcing now"]),
            ("1", "{mode: enforcing, selinux_no_reboot: 1}",           &[file]),
            ("0", "{selinux_no_reboot: true}",                         &[]),
        ];
        for (running, selinux, lines) in table {
            let config = format!("{{power_state: {{mode: reboot}}, selinux: {selinux}}}");
            let plan = machine(running).plan::<Selinux>(&config);
            assert_eq!(plan.lines(), lines, "{selinux}");
            assert_eq!(plan.problems, [], "{selinux}");
        }
        let plan = machine("0").plan::<Selinux>("selinux: {mode: enforcing}");
        let wanted = FILE.replace("=permissive", "=enforcing");
        assert_eq!(plan.text_of(CONFIG), Some(wanted));
        let said = plan.problems[0].to_string();
        assert!(
            said.starts_with("test:1:17: selinux.mode: it counts from the next boot on"),
            "{said}"
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        #[rustfmt::skip]
        let table = [
            ("{mode: off}",       "test:1:17: selinux.mode: expected enforcing or permissive"),
            ("{mode: [a]}",       "test:1:17: selinux.mode: expected a string, found a list"),
            ("enforcing",         "test:1:10: selinux: expected a mapping, found a string"),
        ];
        for (selinux, says) in table {
            let plan = machine("0").plan::<Selinux>(&format!("selinux: {selinux}"));
            assert!(plan.steps.is_empty(), "{selinux}");
            assert_eq!(plan.problems[0].to_string(), says, "{selinux}");
        }
        let plan = Setting::default().plan::<Selinux>("selinux: {mode: enforcing}");
        let said = plan.problems[0].to_string();
        assert_eq!(
            said,
            "test:1:17: selinux.mode: there is no /etc/selinux/config on this machine"
        );
    }
}
