//! The role of this instance among those of its launch: index 0 leads, the others follow.
//!
//! A launch index is only as unique as one RunInstances call: a replaced instance or an Auto
//! Scaling group has many zeros. Where two leaders would do harm, this is not enough.
//! Source: EC2 User Guide, "Example: AMI launch index value".

use contract::effect::{CommandSpec, Effect, UnitVerb};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Each, Placed, Text, Value};
use serde::Deserialize;

use crate::{command, services};

const ROLE_ENV: &str = "/run/firstlight/role.env";

const KEYS: &[Key] = &[Key::new(
    "election",
    Shape::Strict(WANTED),
    "the role of this instance among those of its launch",
)];

const WANTED: &[Key] = &[
    Key::new(
        "group",
        Shape::Scalar,
        "what the launch is called; by default its reservation",
    ),
    Key::new(
        "by",
        Shape::Word(&["launch-index"]),
        "what decides: index 0 leads, the others follow",
    )
    .or("launch-index"),
    Key::new("lease", Shape::Text, "not done by this version"),
    Key::new("leader", Shape::Strict(ROLE), "what the leader does"),
    Key::new("follower", Shape::Strict(ROLE), "what the others do"),
];

const ROLE: &[Key] = &[
    Key::new(
        "units",
        Shape::List(&Shape::Text),
        "units to start at every boot",
    ),
    Key::new(
        "run",
        Shape::List(&command::SHAPE),
        "commands to run once for an instance",
    ),
];

/// Writes the role down.
pub(crate) struct Election;

/// Starts the role's units, once systemd may be asked.
pub(crate) struct ElectionUnits;

/// Runs the role's commands.
pub(crate) struct ElectionRun;

/// `election:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    election: Option<Wanted>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    group: Option<Text>,
    by: Option<Placed<String>>,
    lease: Option<Placed<String>>,
    #[serde(default)]
    leader: Role,
    #[serde(default)]
    follower: Role,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Role {
    units: Option<Each<String>>,
    run: Option<Each<Value>>,
}

/// What an instance with a launch index is.
struct Elected {
    role: &'static str,
    env: Vec<(String, String)>,
}

impl Module for Election {
    const FACTS: Facts = Facts {
        name: "election",
        summary: "write this instance's launch index and role",
        stage: Stage::Identity,
        frequency: Frequency::Always,
        wake: Wake::Always,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/election.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let want = want.election.unwrap_or_default();
        let mut plan = Plan::nothing();
        plan.problems.extend(unsupported(&want));
        if !plan.problems.is_empty() {
            return plan;
        }
        if let Some(elected) = elect(&want, ctx) {
            let lines = elected
                .env
                .iter()
                .map(|(name, value)| format!("{name}={value}\n"));
            let text: String = lines.collect();
            plan.push(Step::new("role", [Effect::file(ROLE_ENV, text)]));
        }
        plan
    }
}

impl Module for ElectionUnits {
    const FACTS: Facts = Facts {
        name: "election_units",
        summary: "start the units of this instance's role",
        stage: Stage::Config,
        frequency: Frequency::Always,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/election.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let want = want.election.unwrap_or_default();
        let Some((_, role)) = role(&want, ctx) else {
            return Plan::nothing();
        };
        let mut plan = Plan::nothing();
        for (place, unit) in role.units.iter().flat_map(Each::iter_with_places) {
            match unit.map_err(Problem::from) {
                Ok(name) if is_unit(&name) => {
                    let start = services::job(UnitVerb::Start, &name, ctx.probe);
                    plan.push(Step::new(name, [start]));
                }
                Ok(_) => plan.problems.push(Problem::error(
                    Some(place.clone()),
                    "election: expected the name of a unit, such as `db-primary.service`",
                )),
                Err(problem) => plan.problems.push(problem),
            }
        }
        plan
    }
}

impl Module for ElectionRun {
    const FACTS: Facts = Facts {
        name: "election_run",
        summary: "run the commands of this instance's role",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/election.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let want = want.election.unwrap_or_default();
        let Some((elected, role)) = role(&want, ctx) else {
            return Plan::nothing();
        };
        let mut plan = Plan::nothing();
        for (number, command) in role.run.iter().flat_map(Each::values).enumerate() {
            let Some(program) = command::program(command) else {
                let message = format!("election: run: {}", command::EXPECTED);
                let problem = Problem::error(Some(command.place.clone()), message);
                plan.problems.push(problem);
                continue;
            };
            let name = format!("{}-{:03}", elected.role, number + 1);
            let label = format!("{} command {}", elected.role, number + 1);
            let command = CommandSpec {
                label,
                program,
                env: elected.env.clone(),
                timeout: None,
            };
            plan.push(Step::new(name, [Effect::Run(command)]));
        }
        plan
    }
}

fn unsupported(want: &Wanted) -> Option<Problem> {
    let hint = "leave it out, and let `by: launch-index` decide";
    if let Some(by) = want.by.as_ref().filter(|by| by.value != "launch-index") {
        let message = "election: by: this version elects by launch-index only";
        return Some(Problem::error(Some(by.place.clone()), message).hint(hint));
    }
    let lease = want.lease.as_ref()?;
    let message = "election: lease: this version keeps no lease";
    Some(Problem::error(Some(lease.place.clone()), message).hint(hint))
}

fn elect(want: &Wanted, ctx: &Context<'_>) -> Option<Elected> {
    let index = ctx.instance.launch_index?;
    let role = if index.is_first() {
        "leader"
    } else {
        "follower"
    };
    let group = want
        .group
        .as_ref()
        .map(|group| group.0.clone())
        .or_else(|| ctx.instance.reservation_id.clone());
    let mut env = vec![
        ("FIRSTLIGHT_ROLE".to_owned(), role.to_owned()),
        ("FIRSTLIGHT_LAUNCH_INDEX".to_owned(), index.0.to_string()),
    ];
    // A line feed would begin another variable.
    if let Some(group) = group.filter(|group| !group.contains(char::is_control)) {
        env.push(("FIRSTLIGHT_GROUP".to_owned(), group));
    }
    Some(Elected { role, env })
}

fn role<'a>(want: &'a Wanted, ctx: &Context<'_>) -> Option<(Elected, &'a Role)> {
    if unsupported(want).is_some() {
        return None;
    }
    let elected = elect(want, ctx)?;
    let role = if elected.role == "leader" {
        &want.leader
    } else {
        &want.follower
    };
    Some((elected, role))
}

/// Source: systemd.unit(5): letters, digits and `:-_.\@`, with a suffix.
fn is_unit(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b);
    name.contains('.') && !name.starts_with('-') && name.len() < 256 && name.bytes().all(good)
}

#[cfg(test)]
mod tests {
    use contract::testing::{Setting, assert_described};

    use super::*;

    fn launched(index: Option<&str>) -> Setting {
        let mut setting = Setting::default();
        setting.instance.launch_index = index.map(|text| text.parse().unwrap());
        setting
    }

    #[test]
    fn the_schema_has_the_fields_that_are_read() {
        assert_described::<Wanted>(WANTED);
        assert_described::<Role>(ROLE);
    }

    #[test]
    fn the_role_follows_the_launch_index() {
        #[rustfmt::skip]
        let table = [
            // launch index   role written
            (None,            None),
            (Some("0"),       Some("FIRSTLIGHT_ROLE=leader")),
            (Some("1"),       Some("FIRSTLIGHT_ROLE=follower")),
            (Some("10"),      Some("FIRSTLIGHT_ROLE=follower")), // ends in 0, and is not 0
        ];
        for (index, line) in table {
            let text = launched(index).plan::<Election>("{}").text_of(ROLE_ENV);
            assert_eq!(
                text.as_deref().and_then(|text| text.lines().next()),
                line,
                "launch index {index:?}"
            );
        }
    }

    #[test]
    fn each_role_has_units_and_commands_of_its_own() {
        let config =
            "election: {leader: {units: [a.service], run: ['x']}, follower: {units: [b.service]}}";
        assert_eq!(
            launched(Some("0")).plan::<ElectionUnits>(config).lines(),
            ["start a.service"]
        );
        assert_eq!(
            launched(Some("1")).plan::<ElectionUnits>(config).lines(),
            ["start b.service"]
        );
        assert_eq!(
            launched(Some("0")).plan::<ElectionRun>(config).lines(),
            ["run leader command 1"]
        );
        assert!(
            launched(Some("1"))
                .plan::<ElectionRun>(config)
                .steps
                .is_empty()
        );
        assert!(
            launched(None)
                .plan::<ElectionUnits>(config)
                .steps
                .is_empty()
        );
    }

    #[test]
    fn what_would_need_a_lease_elects_nobody() {
        for config in ["election: {by: s3-lease}", "election: {lease: 's3://b/x'}"] {
            let plan = launched(Some("0")).plan::<Election>(config);
            assert!(
                plan.steps.is_empty() && plan.problems.len() == 1,
                "{config}: {plan:?}"
            );
        }
    }
}
