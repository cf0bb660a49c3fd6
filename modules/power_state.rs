//! What becomes of the machine when everything is done: off, stopped, or booted anew.
//!
//! Source: cloud-init, `cloudinit/config/cc_power_state_change.py` and `shutdown_command` of
//! `cloudinit/distros/{__init__,alpine}.py`; shutdown(8).

use contract::effect::{Effect, PowerAction, PowerCondition, PowerSpec};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Kind, Value};
use serde::Deserialize;

use crate::command;
use crate::distribution::{self, Family};

const NAME: &str = "power_state_change";

const WANTED: &[Key] = &[
    Key::new(
        "mode",
        Shape::Word(&["poweroff", "reboot", "halt"]),
        "what becomes of the machine",
    )
    .required(),
    Key::new(
        "delay",
        Shape::OneOf(&[Shape::Integer(0, MAX_DELAY), Shape::Text]),
        "minutes to wait, or `now`",
    )
    .or("now"),
    Key::new(
        "message",
        Shape::Scalar,
        "what those who are logged in are told",
    ),
    Key::new(
        "timeout",
        Shape::Number,
        "cloud-init's seconds to wait for its own end; it has no effect",
    )
    .or("30"),
    Key::new(
        "condition",
        Shape::OneOf(&[Shape::Bool, command::SHAPE]),
        "whether it happens: true, false, or a command that says so with exit code 0",
    )
    .or("true"),
];

/// A year.
const MAX_DELAY: i64 = 525_600;

/// Ends the machine's run, once for an instance.
pub(crate) struct PowerState;

/// `power_state:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    power_state: Option<Value>,
}

impl Module for PowerState {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "power the machine off, halt or reboot it when everything is done",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            "power_state",
            Shape::Map(WANTED),
            "what becomes of the machine when everything is done, once for an instance",
        )],
    };
    const NOTES: &'static str = include_str!("notes/power_state.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(want) = want.power_state else {
            return Plan::nothing();
        };
        let mut plan = Plan::nothing();
        match spec(&want, ctx, &mut plan.problems) {
            Ok(Some(spec)) => {
                let name = spec.action.as_str();
                plan.push(Step::new(name, [Effect::Power(Box::new(spec))]));
            }
            Ok(None) => {}
            Err(problem) => {
                let message = format!("{}; the machine stays up", problem.message);
                plan.problems.push(Problem { message, ..problem });
            }
        }
        plan
    }
}

/// `None`: it says itself that nothing shall happen.
fn spec(
    want: &Value,
    ctx: &Context<'_>,
    odd: &mut Vec<Problem>,
) -> Result<Option<PowerSpec>, Problem> {
    if want.as_map().is_none() {
        return Err(wrong(want, "power_state", "a mapping with a `mode`"));
    }
    let field = |name: &str| want.get(name).filter(|value| !value.is_null());
    let action = action(want, field("mode"))?;
    let minutes = field("delay").map(|value| delay(value, odd)).transpose()?;
    let message = field("message").map(message).transpose()?;
    if let Some(value) = field("timeout") {
        let text = value.to_text();
        if text.is_none_or(|text| text.trim().parse::<f64>().is_err()) {
            return Err(wrong(value, "power_state.timeout", "seconds"));
        }
    }
    let condition = match field("condition") {
        None => PowerCondition::Always,
        Some(value) => match (value.as_bool(), command::program(value)) {
            (Some(true), _) => PowerCondition::Always,
            (Some(false), _) => return Ok(None),
            (None, Some(program)) => PowerCondition::Command(program),
            (None, None) => {
                let wanted = "true, false, a command line, or a list of words";
                return Err(wrong(value, "power_state.condition", wanted));
            }
        },
    };
    let argv = match distribution::family(ctx.probe) {
        Family::Alpine => busybox(action, minutes.flatten()),
        _ => shutdown(action, minutes.flatten(), message.flatten()),
    };
    Ok(Some(PowerSpec {
        asked_by: NAME,
        action,
        argv,
        condition,
        ends_run: false,
    }))
}

fn action(want: &Value, mode: Option<&Value>) -> Result<PowerAction, Problem> {
    match mode.and_then(Value::as_str) {
        Some("poweroff") => Ok(PowerAction::Poweroff),
        Some("halt") => Ok(PowerAction::Halt),
        Some("reboot") => Ok(PowerAction::Reboot),
        _ => {
            let value = mode.unwrap_or(want);
            let message = "power_state.mode: expected `poweroff`, `halt` or `reboot`";
            Err(Problem::error(Some(value.place.clone()), message))
        }
    }
}

/// Minutes; `None` is now.
fn delay(value: &Value, odd: &mut Vec<Problem>) -> Result<Option<u32>, Problem> {
    let expected = || wrong(value, "power_state.delay", "`now`, or minutes from 0");
    let minutes = match &value.kind {
        Kind::String(text) if text == "now" => return Ok(None),
        Kind::String(text) => {
            let digits = text.trim();
            let digits = digits.strip_prefix('+').unwrap_or(digits);
            let minutes = digits.parse::<u32>().map_err(|_| expected())?;
            let message = "power_state.delay: minutes in quotes are an old spelling";
            let problem = Problem::notice(Some(value.place.clone()), message);
            odd.push(problem.hint(format!("write `delay: {minutes}`")));
            i128::from(minutes)
        }
        _ => value.as_int().ok_or_else(expected)?,
    };
    let minutes = u32::try_from(minutes).ok();
    let minutes = minutes.filter(|minutes| i64::from(*minutes) <= MAX_DELAY);
    minutes.map(Some).ok_or_else(expected)
}

/// What shutdown(8) would take for an option is none.
fn message(value: &Value) -> Result<Option<String>, Problem> {
    let expected = || {
        wrong(
            value,
            "power_state.message",
            "a text that begins with no `-`",
        )
    };
    let text = value.to_text().ok_or_else(expected)?;
    if text.starts_with('-') || text.contains('\0') {
        return Err(expected());
    }
    Ok((!text.is_empty()).then_some(text))
}

fn shutdown(action: PowerAction, minutes: Option<u32>, message: Option<String>) -> Vec<String> {
    let option = match action {
        PowerAction::Poweroff => "-P",
        PowerAction::Halt => "-H",
        PowerAction::Reboot => "-r",
    };
    let when = minutes.map_or_else(|| "now".to_owned(), |minutes| format!("+{minutes}"));
    let mut argv = vec!["shutdown".to_owned(), option.to_owned(), when];
    argv.extend(message);
    argv
}

/// Alpine Linux's own programs count seconds, and have no message.
fn busybox(action: PowerAction, minutes: Option<u32>) -> Vec<String> {
    let seconds = u64::from(minutes.unwrap_or(0)) * 60;
    vec![
        action.as_str().to_owned(),
        "-d".to_owned(),
        seconds.to_string(),
    ]
}

fn wrong(value: &Value, path: &str, wanted: &str) -> Problem {
    let message = format!("{path}: expected {wanted}");
    Problem::error(Some(value.place.clone()), message)
}

#[cfg(test)]
mod tests {
    use contract::effect::Program;
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    fn plan(release: &str, config: &str) -> Plan {
        Setting {
            machine: FakeMachine::with(&[("/etc/os-release", release)]),
            ..Setting::default()
        }
        .plan::<PowerState>(config)
    }

    fn power(plan: &Plan) -> Option<&PowerSpec> {
        plan.effects().find_map(|effect| match effect {
            Effect::Power(spec) => Some(&**spec),
            _ => None,
        })
    }

    #[test]
    fn the_command_is_that_of_cloud_init() {
        #[rustfmt::skip]
        let table = [
            ("ID=debian", "{mode: poweroff}",                              "shutdown -P now"),
            ("ID=debian", "{mode: poweroff, message: bye}",                "shutdown -P now bye"),
            ("ID=debian", "{mode: reboot, delay: now, timeout: 2.5}",      "shutdown -r now"),
            ("ID=amzn",   "{mode: reboot, delay: 5}",                      "shutdown -r +5"),
            ("ID=amzn",   "{mode: reboot, delay: +5}",                     "shutdown -r +5"),
            ("ID=amzn",   "{mode: halt, delay: '+0', message: 42}",        "shutdown -H +0 42"),
            ("ID=alpine", "{mode: reboot, delay: 2, message: bye}",        "reboot -d 120"),
            ("ID=alpine", "{mode: halt}",                                  "halt -d 0"),
        ];
        for (release, config, argv) in table {
            let plan = plan(release, &format!("power_state: {config}"));
            assert_eq!(power(&plan).unwrap().argv.join(" "), argv, "{config}");
            assert!(
                plan.problems.iter().all(|problem| problem.hint.is_some()),
                "{config}"
            );
        }
    }

    #[test]
    fn a_condition_decides_at_the_end() {
        let argv = |words: &[&str]| Program::Argv(words.iter().map(ToString::to_string).collect());
        #[rustfmt::skip]
        let table = [
            ("true",               Some(PowerCondition::Always)),
            ("false",              None),
            ("test -e /done",      Some(PowerCondition::Command(Program::Shell("test -e /done".into())))),
            ("[test, -e, /done]",  Some(PowerCondition::Command(argv(&["test", "-e", "/done"])))),
        ];
        for (condition, wanted) in table {
            let text = format!("power_state: {{mode: reboot, condition: {condition}}}");
            let plan = plan("", &text);
            assert!(
                power(&plan).map(|spec| spec.condition.clone()) == wanted,
                "{condition}"
            );
            assert_eq!(plan.problems, [], "{condition}");
        }
    }

    #[test]
    fn what_is_not_clear_leaves_the_machine_up() {
        #[rustfmt::skip]
        let table = [
            ("[reboot]",                            "test:1:14: power_state: expected a mapping with a `mode`; the machine stays up"),
            ("{delay: 5}",                          "test:1:14: power_state.mode: expected `poweroff`, `halt` or `reboot`; the machine"),
            ("{mode: restart}",                     "test:1:21: power_state.mode: expected `poweroff`"),
            ("{mode: halt, delay: soon}",           "test:1:34: power_state.delay: expected `now`, or minutes from 0; the machine"),
            ("{mode: halt, delay: -5}",             "test:1:34: power_state.delay: expected"),
            ("{mode: halt, delay: 1e9}",            "test:1:34: power_state.delay: expected"),
            ("{mode: halt, timeout: soon}",         "test:1:36: power_state.timeout: expected seconds"),
            ("{mode: halt, message: -r}",           "test:1:36: power_state.message: expected a text"),
            ("{mode: halt, condition: 7}",          "test:1:38: power_state.condition: expected true, false"),
            ("{mode: halt, condition: []}",         "test:1:38: power_state.condition: expected"),
        ];
        for (config, says) in table {
            let plan = plan("ID=debian", &format!("power_state: {config}"));
            assert!(plan.steps.is_empty(), "{config}");
            let said = plan.problems[0].to_string();
            assert!(said.starts_with(says), "{config}: {said}");
        }
    }

    #[test]
    fn an_old_spelling_still_works_and_is_told() {
        let plan = plan("", "power_state: {mode: reboot, delay: '+5'}");
        assert_eq!(power(&plan).unwrap().argv.join(" "), "shutdown -r +5");
        let said = plan.problems[0].to_string();
        assert!(said.ends_with("(write `delay: 5`)"), "{said}");
    }
}
