//! Entropy that somebody gives the machine.
//!
//! Source: cloud-init, `cloudinit/config/cc_seed_random.py`; random(4).

use std::path::PathBuf;

use contract::effect::{
    Append, CommandSpec, Content, Effect, Keeper, Mode, Program, ToolSpec, WriteSpec,
};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::{Kind, Value};
use contract::{base64, gzip};
use serde::Deserialize;

use crate::fields::Fields;
use crate::{command, distribution, script};

const KEY: &str = "random_seed";
const DEVICE: &str = "/dev/urandom";
/// Nobody needs more, in bytes.
const LIMIT: usize = 16 * 1024 * 1024;

const KEYS: &[Key] = &[Key::new(
    KEY,
    Shape::Map(&[
        Key::new("file", Shape::Text, "where `data` goes").or(DEVICE),
        Key::new("data", Shape::Scalar, "entropy").secret(),
        Key::new(
            "encoding",
            Shape::Word(&["raw", "base64", "b64", "gzip", "gz"]),
            "how `data` is written",
        )
        .or("raw"),
        Key::new(
            "command",
            Shape::List(&Shape::Scalar),
            "a program that brings entropy, and its arguments; RANDOM_SEED_FILE is `file` for it",
        ),
        Key::new(
            "command_required",
            Shape::Switch,
            "whether it is a fault that there is no such program",
        )
        .or("false"),
    ]),
    "entropy for the kernel",
)];

/// Adds entropy.
pub(crate) struct SeedRandom;

/// `random_seed:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    random_seed: Option<Value>,
}

impl Module for SeedRandom {
    const FACTS: Facts = Facts {
        name: "seed_random",
        summary: "give the kernel entropy from the metadata and the user data",
        stage: Stage::Identity,
        frequency: Frequency::Instance,
        wake: Wake::Always,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/seed_random.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let metadata = ctx.instance.rest.get("meta-data");
        let of_cloud = metadata.and_then(|data| data.get("random_seed")?.as_str());
        let told = &mut plan.problems;
        let fields = want.random_seed.as_ref();
        let fields = fields.and_then(|section| Fields::of(KEY, section, told));
        if fields.is_none() && of_cloud.is_none() {
            return plan;
        }
        let file = fields
            .as_ref()
            .map_or_else(|| Some(DEVICE.to_owned()), |fields| file(fields, told));
        let Some(file) = file else {
            return plan;
        };
        let given = fields.as_ref().and_then(|fields| data(fields, told));
        let mut bytes = given.unwrap_or_default();
        bytes.extend(of_cloud.unwrap_or_default().bytes());
        let command = fields
            .as_ref()
            .and_then(|fields| run(fields, &file, ctx, told));
        if !bytes.is_empty() {
            plan.push(Step::new("data", [entropy(&file, bytes, ctx)]));
        }
        plan.steps.extend(command);
        plan
    }
}

fn file(fields: &Fields<'_>, told: &mut Vec<Problem>) -> Option<String> {
    if fields.get("file").is_none() {
        return Some(DEVICE.to_owned());
    }
    let file = fields.text("file", told)?;
    if file.value.starts_with('/') && !file.value.contains('\0') {
        return Some(file.value);
    }
    let message = "random_seed.file: expected an absolute path";
    told.push(Problem::error(Some(file.place), message));
    None
}

fn data(fields: &Fields<'_>, told: &mut Vec<Problem>) -> Option<Vec<u8>> {
    let value = fields.get("data")?;
    let encoding = fields.text("encoding", told);
    let bytes = match (&value.kind, fields.get("encoding").is_some(), &encoding) {
        // Data of an encoding that nobody understood is not what was meant.
        (_, true, None) => return None,
        (Kind::Bytes(bytes), ..) => bytes.clone(),
        _ => fields.text("data", told)?.value.into_bytes(),
    };
    let word = encoding
        .as_ref()
        .map(|word| word.value.to_ascii_lowercase());
    let decoded = match word.as_deref() {
        None | Some("" | "raw") => Ok(bytes),
        Some("base64" | "b64") => {
            let decoded = std::str::from_utf8(&bytes).ok().and_then(base64::decode);
            decoded.ok_or_else(|| "it is not base64".to_owned())
        }
        Some("gzip" | "gz") => gzip::gunzip(&bytes, LIMIT).map_err(|error| error.to_string()),
        Some(_) => {
            let place = encoding.map(|encoding| encoding.place);
            let message = "random_seed.encoding: expected raw, base64, b64, gzip or gz";
            told.push(Problem::error(place, message));
            return None;
        }
    };
    decoded
        .map_err(|error| {
            let message = format!("random_seed.data: {error}");
            told.push(Problem::error(Some(value.place.clone()), message));
        })
        .ok()
}

/// What is written to a device is mixed in; a file gets it behind what is in it already.
fn entropy(file: &str, bytes: Vec<u8>, ctx: &Context<'_>) -> Effect {
    if file.starts_with("/dev/") {
        let what = format!("{} bytes of entropy for {file}", bytes.len());
        let argv = ["sh", "-c", "cat >>\"$0\"", file];
        return Effect::tool(
            ToolSpec::new(what, argv)
                .stdin(Secret::new(bytes))
                .live_only(),
        );
    }
    Effect::Write(Box::new(WriteSpec {
        path: PathBuf::from(file),
        content: Some(Content::Secret(Secret::new(bytes))),
        source: None,
        append: Some(Append {
            records: ctx.instance_dir.join("appended"),
            nth: 1,
        }),
        mode: Mode::PRIVATE,
        owner: Keeper::default(),
        hint: "",
    }))
}

fn run(
    fields: &Fields<'_>,
    file: &str,
    ctx: &Context<'_>,
    told: &mut Vec<Problem>,
) -> Option<Step> {
    let is_required = fields.switch("command_required", false, told);
    let Some(given) = fields.get("command") else {
        if is_required {
            let place = fields
                .get("command_required")
                .map(|value| value.place.clone());
            let message = "random_seed.command: it is required, and there is none";
            told.push(Problem::error(place, message));
        }
        return None;
    };
    let program = command::program(given);
    let Some(Program::Argv(argv)) = program else {
        let message = "random_seed.command: expected a program and its arguments, as a list";
        told.push(Problem::error(Some(given.place.clone()), message));
        return None;
    };
    let name = argv.first().map(String::as_str).unwrap_or_default();
    if !distribution::is_program(ctx.probe, name) {
        let message = format!("random_seed.command: there is no program `{name}` on this machine");
        let place = Some(given.place.clone());
        let problem = match is_required {
            true => Problem::error(place, message),
            false => Problem::notice(place, message),
        };
        told.push(problem.of_machine());
        return None;
    }
    let env = ("RANDOM_SEED_FILE".to_owned(), file.to_owned());
    let spec = CommandSpec {
        env: vec![env],
        ..script::command("random_seed.command", Program::Argv(argv))
    };
    Some(Step::new("command", [Effect::Run(spec)]))
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};
    use serde_json::json;

    use super::*;

    fn setting() -> Setting {
        Setting {
            machine: FakeMachine::with(&[("/usr/bin/pollinate", "")]),
            ..Setting::default()
        }
    }

    /// What goes where.
    fn given(plan: &Plan) -> Vec<(String, String)> {
        let of = |effect: &Effect| {
            let bytes = match effect {
                Effect::Tool(tool) => tool.stdin.expose().clone(),
                Effect::Write(file) => file.content.as_ref()?.bytes().to_vec(),
                _ => return None,
            };
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Some((effect.to_string(), text))
        };
        plan.effects().filter_map(of).collect()
    }

    #[test]
    fn entropy_goes_to_the_kernel_or_behind_what_is_in_a_file() {
        let device = |n: usize| format!("{n} bytes of entropy for /dev/urandom");
        let file = "append to /var/lib/seed (0600)".to_owned();
        #[rustfmt::skip]
        let table = [
            // of random_seed                                       where       what
            ("{data: abc}",                                         device(3),  "abc"),
            ("{data: abc, encoding: raw}",                          device(3),  "abc"),
            ("{data: 'YWJj', encoding: base64}",                    device(3),  "abc"),
            ("{data: 'YWJj', encoding: B64}",                       device(3),  "abc"),
            ("{data: !!binary YWJj}",                               device(3),  "abc"),
            ("{data: 123}",                                         device(3),  "123"),
            ("{data: abc, file: /var/lib/seed}",                    file,       "abc"),
        ];
        for (seed, place, text) in table {
            let plan = setting().plan::<SeedRandom>(&format!("random_seed: {seed}"));
            assert_eq!(given(&plan), [(place, text.to_owned())], "{seed}");
            assert_eq!(plan.problems, [], "{seed}");
        }
    }

    #[test]
    fn what_the_cloud_gives_comes_behind_it() {
        let mut setting = setting();
        setting.instance.rest = json!({"meta-data": {"random_seed": "cloud"}});
        let plan = setting.plan::<SeedRandom>("random_seed: {data: abc}");
        assert_eq!(given(&plan)[0].1, "abccloud");
        let plan = setting.plan::<SeedRandom>("{}");
        assert_eq!(plan.lines(), ["5 bytes of entropy for /dev/urandom"]);
        let plan = Setting::default().plan::<SeedRandom>("{}");
        assert_eq!(plan, Plan::nothing());
    }

    #[test]
    fn a_command_knows_the_file_and_is_run_if_it_is_there() {
        let config = "random_seed: {file: /var/lib/seed, command: [pollinate, -r, 2]}";
        let plan = setting().plan::<SeedRandom>(config);
        let spec = plan.effects().find_map(|effect| match effect {
            Effect::Run(spec) => Some(spec),
            _ => None,
        });
        let spec = spec.unwrap();
        let env = ("RANDOM_SEED_FILE".to_owned(), "/var/lib/seed".to_owned());
        assert_eq!(spec.env, [env]);
        let argv = ["pollinate", "-r", "2"].map(ToOwned::to_owned);
        assert!(spec.program == Program::Argv(argv.to_vec()));
    }

    #[test]
    fn what_is_wrong_costs_itself_alone() {
        #[rustfmt::skip]
        let table = [
            // of random_seed                                       effects  says
            ("[abc]",                                               0,       "test:1:14: random_seed: expected a mapping, found a list"),
            ("{data: [a], command: [pollinate]}",                   1,       "test:1:21: random_seed.data: expected a string, found a list"),
            ("{data: a, encoding: hex, command: [pollinate]}",      1,       "test:1:34: random_seed.encoding: expected raw, base64, b64, gzip or gz"),
            ("{data: a, encoding: gz}",                             0,       "test:1:21: random_seed.data: it is not gzip, or not whole"),
            ("{data: abc, encoding: b64}",                          0,       "test:1:21: random_seed.data: it is not base64"),
            ("{data: a, file: seed}",                               0,       "test:1:30: random_seed.file: expected an absolute path"),
            ("{data: a, command: pollinate}",                       1,       "test:1:33: random_seed.command: expected a program and its arguments, as a list"),
            ("{data: a, command: [rngd]}",                          1,       "test:1:33: random_seed.command: there is no program `rngd` on this machine"),
            ("{data: a, command: [rngd], command_required: true}",  1,       "test:1:33: random_seed.command: there is no program `rngd` on this machine"),
            ("{command_required: true}",                            0,       "test:1:33: random_seed.command: it is required, and there is none"),
        ];
        for (seed, count, says) in table {
            let plan = setting().plan::<SeedRandom>(&format!("random_seed: {seed}"));
            assert_eq!(plan.effects().count(), count, "{seed}");
            let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
            assert_eq!(said, [says], "{seed}");
        }
    }
}
