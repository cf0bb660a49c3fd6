//! Ubuntu's fan networking between containers.
//!
//! Source: cloud-init, `cloudinit/config/cc_fan.py`; fanctl(8).

use std::path::Path;

use contract::effect::{Effect, ToolSpec, UnitVerb};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::Value;
use serde::Deserialize;

use crate::fields::{Fields, wrong};
use crate::{distribution, packages};

const NAME: &str = "fan";
const FILE: &str = "/etc/network/fan";
const UNIT: &str = "ubuntu-fan.service";

const FAN: &[Key] = &[
    Key::new("config", Shape::Text, "the file's text").required(),
    Key::new("config_path", Shape::Text, "the file").or(FILE),
];

/// Writes the file of fanctl, and restarts its service when that changed.
pub(crate) struct Fan;

/// `fan:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    fan: Option<Value>,
}

impl Module for Fan {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "set up fan networking",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            NAME,
            Shape::Map(FAN),
            "fan networking between containers",
        )],
    };
    const NOTES: &'static str = include_str!("notes/fan.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(fan) = want.fan else {
            return Plan::nothing();
        };
        let mut plan = Plan::nothing();
        if let Some(fields) = Fields::of(NAME, &fan, &mut plan.problems) {
            match step(&fields, ctx) {
                Ok(step) => plan.steps.extend(step),
                Err(problem) => plan.problems.push(problem),
            }
        }
        plan
    }
}

fn step(fields: &Fields<'_>, ctx: &Context<'_>) -> Result<Option<Step>, Problem> {
    let Some(config) = fields.get("config") else {
        return Ok(None);
    };
    let text = config.as_str();
    let text = text.ok_or_else(|| wrong("fan.config", config, "a string"))?;
    if text.is_empty() {
        return Ok(None);
    }
    let path = match fields.get("config_path") {
        Some(given) => given.as_str().filter(|path| Path::new(path).is_absolute()),
        None => Some(FILE),
    };
    let path = path.ok_or_else(|| {
        let place = fields.get("config_path").map(|path| path.place.clone());
        Problem::error(
            place,
            "fan.config_path: expected the absolute path of a file",
        )
    })?;
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let mut effects = vec![Effect::file(path, format!("{text}{end}"))];
    if !distribution::has_program(ctx.probe, "fanctl") {
        effects.extend(packages::needed(&["ubuntu-fan"], ctx));
    }
    let mut step = Step::new(NAME, effects);
    let argv = ["systemctl", "enable", "ubuntu-fan"];
    let enable = ToolSpec::new(format!("{UNIT} starts at each boot"), argv).live_only();
    let restart = Effect::Unit {
        verb: UnitVerb::Restart,
        name: UNIT.to_owned(),
    };
    step.on_change = vec![Effect::tool(enable), restart];
    Ok(Some(step))
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    type Files<'a> = &'a [(&'a str, &'a str)];

    const CONFIG: &str = "
fan:
  config: |
    # fan 240
    10.0.0.0/8 eth0/16 dhcp
";

    fn plan(files: Files<'_>, config: &str) -> Plan {
        let ubuntu = [("/etc/os-release", "ID=ubuntu\n")];
        Setting {
            machine: FakeMachine::with(&[&ubuntu, files].concat()),
            ..Setting::default()
        }
        .plan::<Fan>(config)
    }

    #[test]
    fn the_service_is_restarted_with_its_file() {
        let there = [("/usr/sbin/fanctl", "")];
        const AFTER: [&str; 2] = [
            "ubuntu-fan.service starts at each boot",
            "restart ubuntu-fan.service",
        ];
        let own = "fan: {config: 'a b', config_path: /etc/fan}";
        #[rustfmt::skip]
        let table: [(Files<'_>, &str, &[&str], &str, &str); 3] = [
            (&there,  CONFIG,  &["file /etc/network/fan (0644)"],                              FILE,       "# fan 240\n10.0.0.0/8 eth0/16 dhcp\n"),
            (&[],     CONFIG,  &["file /etc/network/fan (0644)", "package ubuntu-fan (apt)"],  FILE,       "# fan 240\n10.0.0.0/8 eth0/16 dhcp\n"),
            (&there,  own,     &["file /etc/fan (0644)"],                                      "/etc/fan", "a b\n"),
        ];
        for (files, config, lines, path, text) in table {
            let plan = plan(files, config);
            assert_eq!(plan.lines(), [lines, &AFTER].concat(), "{config}");
            assert_eq!(plan.steps[0].on_change.len(), AFTER.len());
            assert_eq!(plan.text_of(path).as_deref(), Some(text));
            assert_eq!(plan.problems, []);
        }
        for nothing in [
            "fan:",
            "fan: {}",
            "fan: {config: ''}",
            "fan: {config_path: /a}",
        ] {
            assert_eq!(plan(&there, nothing), Plan::nothing(), "{nothing}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        #[rustfmt::skip]
        let table = [
            ("fan: [a]",                              "test:1:6: fan: expected a mapping, found a list"),
            ("fan: {config: [a]}",                    "test:1:15: fan.config: expected a string, found a list"),
            ("fan: {config: a, config_path: fan}",    "test:1:31: fan.config_path: expected the absolute path of a file"),
        ];
        for (config, says) in table {
            let plan = plan(&[], config);
            assert_eq!(plan.steps, [], "{config}");
            assert_eq!(plan.problems[0].to_string(), says);
        }
    }
}
