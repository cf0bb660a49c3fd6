//! The root file system, which grows to the size of its partition.
//!
//! Source: cloud-init, `cloudinit/config/cc_resizefs.py`.

use std::time::Duration;

use contract::effect::{Effect, ToolSpec, Wait};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Kind, Value};
use serde::Deserialize;

use crate::{disk, growpart, switch};

/// What a file system may leave of its partition: an end that is too small for a group of blocks.
const SLACK: u64 = 4 * 1024 * 1024;
/// A file system of many terabytes takes minutes.
const TIMEOUT: Duration = Duration::from_secs(3600);

const KEYS: &[Key] = &[
    Key::new(
        "resize_rootfs",
        Shape::OneOf(&[Shape::Bool, Shape::Word(&["noblock"])]),
        "grow the root file system to the size of its partition; with `noblock` nothing waits for it",
    )
    .or("true"),
    growpart::GROWPART,
];

/// Grows the root file system.
pub(crate) struct ResizeFs;

/// `resize_rootfs:`, and what decides whether the partition below it grows first.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    resize_rootfs: Option<Value>,
    growpart: Option<Value>,
}

impl Module for ResizeFs {
    const FACTS: Facts = Facts {
        name: "resizefs",
        summary: "grow the root file system to the size of its partition",
        stage: Stage::Identity,
        frequency: Frequency::Always,
        wake: Wake::Always,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/resizefs.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let wait = match wait(want.resize_rootfs.as_ref()) {
            Ok(Some(wait)) => wait,
            Ok(None) => return Plan::nothing(),
            Err(problem) => return Plan::problem(problem),
        };
        let root = disk::mounted(ctx.probe, "/");
        let found = root.and_then(|root| Some((disk::device_of(ctx.probe, &root)?, root)));
        // In a container there is none.
        let Some((device, root)) = found else {
            return Plan::nothing();
        };
        let path = device.path();
        let Some(argv) = argv(&root.kind, &path) else {
            let message = format!("resize_rootfs: no tool is known that grows {}", root.kind);
            let problem = Problem::warning(want.resize_rootfs.map(|value| value.place), message);
            return Plan::problem(problem.hint("say `resize_rootfs: false`"));
        };
        let size = disk::file_system_size(ctx.probe, &path, &root.kind);
        let fits = size.is_some_and(|size| size.saturating_add(SLACK) > device.size);
        if fits && !growpart::will_grow(want.growpart.as_ref(), &device, ctx.probe) {
            return Plan::nothing();
        }
        let what = format!("root file system as large as {}", device.name);
        let mut spec = ToolSpec::new(what, argv).live_only();
        spec.timeout = TIMEOUT;
        spec.wait = wait;
        Step::new("root", [Effect::tool(spec)]).into()
    }
}

/// `None`: it is not to grow.
fn wait(given: Option<&Value>) -> Result<Option<Wait>, Problem> {
    let Some(given) = given.filter(|value| value.kind != Kind::Null) else {
        return Ok(Some(Wait::Stage));
    };
    match (switch::read(given), given.as_str()) {
        (Some(true), _) => Ok(Some(Wait::Stage)),
        (Some(false), _) => Ok(None),
        (None, Some("noblock")) => Ok(Some(Wait::Never)),
        (None, _) => Err(Problem::error(
            Some(given.place.clone()),
            "resize_rootfs: expected true, false or noblock; the file system is not grown",
        )),
    }
}

fn argv(kind: &str, device: &str) -> Option<Vec<String>> {
    let argv: &[&str] = match kind {
        "xfs" => &["xfs_growfs", "/"],
        "btrfs" => &["btrfs", "filesystem", "resize", "max", "/"],
        "bcachefs" => &["bcachefs", "device", "resize", device],
        _ if kind.starts_with("ext") => &["resize2fs", device],
        _ => return None,
    };
    Some(argv.iter().map(ToString::to_string).collect())
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;
    use crate::disk::fake::{ROOMY, TIGHT, machine, with_ext4};

    fn plan(machine: FakeMachine, config: &str) -> Plan {
        let setting = Setting {
            machine,
            ..Setting::default()
        };
        setting.plan::<ResizeFs>(config)
    }

    #[test]
    fn the_file_system_grows_when_its_partition_is_larger_or_will_be() {
        let full = 524_288;
        let without_devices = |machine: FakeMachine| {
            let mut files = machine.files.borrow_mut();
            files.retain(|path, _| !path.starts_with("/dev"));
            drop(files);
            machine
        };
        let with_tool = |machine: FakeMachine| {
            let path = "/usr/bin/growpart".into();
            machine.files.borrow_mut().insert(path, Vec::new());
            machine
        };
        #[rustfmt::skip]
        let table = [
            // machine                                      configuration               grows
            (with_ext4(TIGHT, full),                        "{}",                       false),
            (with_ext4(TIGHT, full - 512),                  "{}",                       false),
            (with_ext4(TIGHT, full / 2),                    "{}",                       true),
            (with_ext4(TIGHT, full / 2),                    "resize_rootfs: no",        false),
            (with_ext4(TIGHT, full / 2),                    "resize_rootfs:",           true),
            (with_tool(with_ext4(ROOMY, full)),             "{}",                       true),
            (with_ext4(ROOMY, full),                        "{}",                       false),
            (with_tool(with_ext4(ROOMY, full)),             "growpart: {mode: off}",    false),
            // A file system that cannot be seen is left to the tool.
            (machine(TIGHT),                                "{}",                       true),
            // As in containers: one with a root of its own, one on its host's disk.
            (FakeMachine::default(),                        "{}",                       false),
            (without_devices(machine(TIGHT)),               "{}",                       false),
        ];
        for (row, (machine, config, grows)) in table.into_iter().enumerate() {
            let plan = plan(machine, config);
            assert_eq!(!plan.steps.is_empty(), grows, "row {row}: {config}");
            assert!(plan.problems.is_empty(), "row {row}: {:?}", plan.problems);
        }
    }

    #[test]
    fn each_file_system_has_its_tool_and_noblock_waits_for_nothing() {
        #[rustfmt::skip]
        let table = [
            ("ext4",    Some("resize2fs /dev/nvme0n1p1")),
            ("xfs",     Some("xfs_growfs /")),
            ("btrfs",   Some("btrfs filesystem resize max /")),
            ("zfs",     None),
        ];
        for (kind, wanted) in table {
            let machine = machine(TIGHT);
            let path = std::path::PathBuf::from("/proc/self/mountinfo");
            let mounts = machine.text("/proc/self/mountinfo").unwrap();
            let mounts = mounts.replace("- ext4", &format!("- {kind}"));
            machine.files.borrow_mut().insert(path, mounts.into_bytes());
            let plan = plan(machine, "resize_rootfs: noblock");
            let tool = plan.effects().find_map(|effect| match effect {
                Effect::Tool(tool) => Some((tool.argv.join(" "), tool.wait)),
                _ => None,
            });
            let wanted = wanted.map(|argv| (argv.to_owned(), Wait::Never));
            assert_eq!(tool, wanted, "{kind}");
            assert_eq!(plan.problems.is_empty(), tool.is_some(), "{kind}");
        }
    }

    #[test]
    fn a_word_that_means_nothing_is_told_with_its_place() {
        let plan = plan(machine(TIGHT), "resize_rootfs: later");
        let said = plan.problems[0].to_string();
        assert!(
            said.starts_with("test:1:16: resize_rootfs: expected true"),
            "{said}"
        );
    }
}
