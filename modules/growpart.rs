//! Partitions that grow to the room behind them.
//!
//! Source: cloud-init, `cloudinit/config/cc_growpart.py`.

use std::path::Path;

use contract::effect::{Effect, ToolSpec, Wait};
use contract::machine::Probe;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::place::Place;
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::{Kind, Mapping, Value};
use serde::Deserialize;

use crate::disk::{self, Device, Part};
use crate::fields::wrong;
use crate::switch;

/// Turns growing off on an image that initramfs tools were told not to grow.
const DISABLED: &str = "/etc/growroot-disabled";
/// Where systemd-repart(8) is told what to grow.
const DEFINITIONS: &str = "/run/firstlight/repart.d";
/// Where programs are.
const PATH: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

const FIELDS: &[Key] = &[
    Key::new(
        "mode",
        Shape::OneOf(&[
            Shape::Bool,
            Shape::Word(&[
                "auto",
                "growpart",
                "sfdisk",
                "systemd-repart",
                "gpart",
                "growfs",
                "off",
            ]),
        ]),
        "which tool grows partitions; `off` leaves them as they are",
    )
    .or("auto"),
    Key::new(
        "devices",
        Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]),
        "mount points or devices whose partitions grow",
    )
    .or("[/]"),
    Key::new(
        "ignore_growroot_disabled",
        Shape::Switch,
        "grow them although there is /etc/growroot-disabled",
    )
    .or("false"),
];

const KEYS: &[Key] = &[GROWPART];

/// The key, for everybody who reads it.
pub(crate) const GROWPART: Key = Key::new(
    "growpart",
    Shape::Map(FIELDS),
    "grow partitions to the size of their disk, at every boot",
);

/// Grows partitions.
pub(crate) struct GrowPart;

/// `growpart:`.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    growpart: Option<Value>,
}

impl Module for GrowPart {
    const FACTS: Facts = Facts {
        name: "growpart",
        summary: "grow the root partition to the size of its disk",
        stage: Stage::Identity,
        frequency: Frequency::Always,
        wake: Wake::Always,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/growpart.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let Some(wanted) = wanted(want.growpart.as_ref(), ctx.probe, &mut plan.problems) else {
            return plan;
        };
        for entry in &wanted.devices {
            match find(entry, ctx.probe) {
                Ok(Some((device, part))) if part.has_room => match tool(wanted.mode, ctx.probe) {
                    Some(tool) => plan.push(grow(tool, &device, &part, ctx.probe)),
                    None => plan.problems.push(no_tool(&wanted, &device)),
                },
                Ok(_) => {}
                Err(problem) => plan.problems.push(problem),
            }
        }
        plan
    }
}

/// Whether the partition of `device` is about to grow, so that what is on it can.
pub(crate) fn will_grow(given: Option<&Value>, device: &Device, probe: &dyn Probe) -> bool {
    let has_room = device.part.as_ref().is_some_and(|part| part.has_room);
    let Some(wanted) = wanted(given, probe, &mut Vec::new()).filter(|_| has_room) else {
        return false;
    };
    let is_it = |entry: &Value| {
        let found = find(entry, probe).ok().flatten();
        found.is_some_and(|(found, _)| found.name == device.name)
    };
    wanted.devices.iter().any(is_it) && tool(wanted.mode, probe).is_some()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Growpart,
    Sfdisk,
    Repart,
}

impl Tool {
    /// In the order in which they are preferred.
    const ALL: [Self; 3] = [Self::Growpart, Self::Sfdisk, Self::Repart];

    const fn name(self) -> &'static str {
        match self {
            Self::Growpart => "growpart",
            Self::Sfdisk => "sfdisk",
            Self::Repart => "systemd-repart",
        }
    }
}

struct Wanted {
    /// `None`: whichever the image has.
    mode: Option<Tool>,
    mode_at: Option<Value>,
    devices: Vec<Value>,
}

/// `None`: nothing is to grow.
fn wanted(given: Option<&Value>, probe: &dyn Probe, problems: &mut Vec<Problem>) -> Option<Wanted> {
    let empty = Mapping::default();
    let section = match given.map(|value| (&value.kind, value)) {
        None | Some((Kind::Null, _)) => &empty,
        Some((Kind::Map(section), _)) => section,
        Some((_, value)) => {
            let message = format!(
                "growpart: expected a mapping, found {}; no partition is grown",
                value.kind.name()
            );
            problems.push(Problem::warning(Some(value.place.clone()), message));
            return None;
        }
    };
    let mode = section.get("mode").filter(|mode| mode.kind != Kind::Null);
    if mode.and_then(switch::read) == Some(false) {
        return None;
    }
    let ignores = section.get("ignore_growroot_disabled");
    let ignores = ignores.and_then(switch::read) == Some(true);
    let is_disabled = || {
        probe
            .kind(Path::new(DISABLED))
            .is_ok_and(|kind| kind.is_some())
    };
    if !ignores && is_disabled() {
        return None;
    }
    let tool = match mode.map(|mode| (mode, mode.as_str())) {
        None | Some((_, Some("auto"))) => None,
        Some((mode, word)) => {
            let tool = Tool::ALL.into_iter().find(|tool| word == Some(tool.name()));
            if tool.is_none() {
                problems.push(bad_mode(mode));
                return None;
            }
            tool
        }
    };
    let root = || Value::new(Kind::String("/".to_owned()), Place::whole("growpart"));
    let devices = match section.get("devices") {
        None => vec![root()],
        Some(value) if value.kind == Kind::Null => vec![root()],
        Some(value) => match value.as_list() {
            Some(list) => list.to_vec(),
            None => vec![value.clone()],
        },
    };
    Some(Wanted {
        mode: tool,
        mode_at: mode.cloned(),
        devices,
    })
}

fn bad_mode(mode: &Value) -> Problem {
    let place = Some(mode.place.clone());
    let message = match mode.as_str() {
        Some("gpart" | "growfs") => "growpart.mode: this one is of FreeBSD",
        _ => "growpart.mode: expected auto, growpart, sfdisk, systemd-repart or off",
    };
    Problem::error(place, message).hint("leave it out for whichever the image has")
}

/// The partition that an entry of `devices` speaks of; `None` if there is nothing to grow there.
fn find(entry: &Value, probe: &dyn Probe) -> Result<Option<(Device, Part)>, Problem> {
    let Some(text) = entry.as_str() else {
        let wanted = "a mount point or a device";
        return Err(wrong("growpart.devices", entry, wanted));
    };
    let device = match text.strip_prefix("/dev/") {
        Some(name) => disk::device(probe, name),
        None => disk::mounted(probe, text).and_then(|there| disk::device_of(probe, &there)),
    };
    Ok(device.and_then(|device| {
        let part = device.part.clone()?;
        Some((device, part))
    }))
}

fn tool(mode: Option<Tool>, probe: &dyn Probe) -> Option<Tool> {
    let is_there = |tool: &Tool| {
        let name = tool.name();
        let there = |dir: &str| probe.is_executable(&Path::new(dir).join(name));
        PATH.iter().any(|dir| there(dir).unwrap_or(false))
    };
    match mode {
        Some(tool) => Some(tool).filter(is_there),
        None => Tool::ALL.into_iter().find(is_there),
    }
}

fn no_tool(wanted: &Wanted, device: &Device) -> Problem {
    let place = wanted.mode_at.as_ref().map(|mode| mode.place.clone());
    let name = &device.name;
    match wanted.mode {
        Some(tool) => {
            let message = format!("growpart.mode: the image has no {}", tool.name());
            Problem::error(place, message)
        }
        None => Problem::notice(
            place,
            format!("growpart: {name} could grow, and the image has no tool for it"),
        ),
    }
    .hint("install growpart (cloud-guest-utils, cloud-utils-growpart) in the image")
}

fn grow(tool: Tool, device: &Device, part: &Part, probe: &dyn Probe) -> Step {
    let disk = format!("/dev/{}", part.disk);
    let number = part.number.to_string();
    let what = format!("partition {} as large as its disk lets it", device.name);
    let run = |what: String, argv: &[&str]| {
        let mut spec = ToolSpec::new(what, argv.iter().copied()).live_only();
        spec.wait = Wait::Stage;
        spec
    };
    let effects = match tool {
        Tool::Growpart => {
            let mut spec = run(what, &["growpart", &disk, &number]);
            spec.env = vec![("LANG".to_owned(), "C".to_owned())];
            // It says NOCHANGE.
            spec.unchanged = &[1];
            vec![Effect::tool(spec)]
        }
        Tool::Sfdisk => {
            let argv = ["sfdisk", "--no-reread", "--force", "-N", &number, &disk];
            let grow = run(what, &argv).stdin(Secret::new(b", +\n".to_vec()));
            let known = format!("the kernel knows the size of {}", device.name);
            let tell = run(known, &["partx", "--update", "--nr", &number, &disk]);
            vec![Effect::tool(grow), Effect::tool(tell)]
        }
        Tool::Repart => {
            let kind = disk::part_type(probe, device).unwrap_or_else(|| "root".to_owned());
            let definition = format!("[Partition]\nType={kind}\n");
            let definitions = format!("--definitions={DEFINITIONS}");
            let argv = ["systemd-repart", "--dry-run=no", &definitions, &disk];
            let file = Path::new(DEFINITIONS).join("10-grow.conf");
            vec![
                Effect::file(file, definition),
                Effect::tool(run(what, &argv)),
            ]
        }
    };
    Step::new(device.name.clone(), effects)
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;
    use crate::disk::fake::{ROOMY, TIGHT, machine};

    type Files = &'static [(&'static str, &'static str)];

    fn setting(files: &[(&str, &str)], tools: &[&str]) -> Setting {
        let machine: FakeMachine = machine(files);
        for tool in tools {
            let path = Path::new("/usr/bin").join(tool);
            machine.files.borrow_mut().insert(path, Vec::new());
        }
        Setting {
            machine,
            ..Setting::default()
        }
    }

    fn commands(plan: &Plan) -> Vec<String> {
        let argv = |effect: &Effect| match effect {
            Effect::Tool(tool) => tool.argv.join(" "),
            other => other.to_string(),
        };
        plan.effects().map(argv).collect()
    }

    #[test]
    fn a_partition_with_room_behind_it_grows_with_the_tool_that_the_image_has() {
        #[rustfmt::skip]
        let table: [(&str, &[&str], &[&str]); 5] = [
            ("{}", &["growpart", "sfdisk"], &["growpart /dev/nvme0n1 1"]),
            ("{}", &["sfdisk", "systemd-repart"], &[
                "sfdisk --no-reread --force -N 1 /dev/nvme0n1",
                "partx --update --nr 1 /dev/nvme0n1",
            ]),
            ("{}", &["systemd-repart"], &[
                "file /run/firstlight/repart.d/10-grow.conf (0644)",
                "systemd-repart --dry-run=no --definitions=/run/firstlight/repart.d /dev/nvme0n1",
            ]),
            ("growpart: {mode: sfdisk, devices: /dev/nvme0n1p1}", &["growpart", "sfdisk"], &[
                "sfdisk --no-reread --force -N 1 /dev/nvme0n1",
                "partx --update --nr 1 /dev/nvme0n1",
            ]),
            ("growpart: {devices: [/dev/nvme0n1p15, /nowhere, overlay]}", &["growpart"], &[]),
        ];
        for (config, tools, wanted) in table {
            let plan = setting(ROOMY, tools).plan::<GrowPart>(config);
            assert_eq!(commands(&plan), wanted, "{config} {tools:?}");
            assert!(plan.problems.is_empty(), "{:?}", plan.problems);
        }
    }

    #[test]
    fn nothing_is_started_when_there_is_no_room_or_growing_is_off() {
        const OFF: Files = &[("/etc/growroot-disabled", "")];
        #[rustfmt::skip]
        let table: [(&str, Files, bool, usize); 9] = [
            // configuration                                    more files  room    effects
            ("{}",                                              &[],        true,   1),
            ("{}",                                              &[],        false,  0),
            ("growpart: {mode: off}",                           &[],        true,   0),
            ("growpart: {mode: 'off'}",                         &[],        true,   0),
            ("growpart: {mode: false}",                         &[],        true,   0),
            ("growpart: {devices: []}",                         &[],        true,   0),
            ("{}",                                              OFF,        true,   0),
            ("growpart: {ignore_growroot_disabled: true}",      OFF,        true,   1),
            ("growpart:",                                       &[],        true,   1),
        ];
        for (config, more, has_room, effects) in table {
            let disk = if has_room { ROOMY } else { TIGHT };
            let files = [disk, more].concat();
            let plan = setting(&files, &["growpart"]).plan::<GrowPart>(config);
            assert_eq!(
                plan.effects().count(),
                effects,
                "{config} {more:?} {has_room}"
            );
            assert!(plan.problems.is_empty(), "{:?}", plan.problems);
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        #[rustfmt::skip]
        let table = [
            ("growpart: [auto]",             "test:1:11: growpart: expected a mapping, found a list"),
            ("growpart: {mode: quick}",      "test:1:18: growpart.mode: expected auto, growpart, sfdisk"),
            ("growpart: {mode: gpart}",      "test:1:18: growpart.mode: this one is of FreeBSD"),
            ("growpart: {mode: sfdisk}",     "test:1:18: growpart.mode: the image has no sfdisk"),
            ("growpart: {devices: [[1]]}",   "test:1:22: growpart.devices: expected a mount point or a device"),
            ("growpart: {devices: [/, 7]}",  "test:1:25: growpart.devices: expected a mount point or a device"),
        ];
        for (config, says) in table {
            let plan = setting(ROOMY, &["growpart"]).plan::<GrowPart>(config);
            let said = plan.problems[0].to_string();
            assert!(said.starts_with(says), "{config}: {said}");
        }
        let plan = setting(ROOMY, &[]).plan::<GrowPart>("{}");
        let said = &plan.problems[0];
        assert_eq!(said.severity, contract::plan::Severity::Notice, "{said}");
    }
}
