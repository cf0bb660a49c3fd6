//! Partitions and file systems on disks other than the root disk.
//!
//! What is on a disk already is read from the disk, so that one that is as it shall be costs no
//! process, and one that holds something else is not touched unless somebody says `overwrite`.
//!
//! Source: cloud-init, `cloudinit/config/cc_disk_setup.py`.

use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::place::Place;
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::Value;
use serde::Deserialize;

use crate::disk::names::{Names, shown};
use crate::disk::{self, Device, kernel_name};
use crate::fields::wrong;

mod filesystem;
mod layout;
mod partitions;
mod view;

use filesystem::{Made, Wanted};
use partitions::Definition;
pub(crate) use partitions::Fresh;
use view::View;

/// More entries than this are a mistake.
const ENTRIES_MAX: usize = 256;

const DISK: &[Key] = &[
    Key::new(
        "table_type",
        Shape::Word(&["mbr", "gpt"]),
        "the kind of partition table",
    )
    .or("mbr"),
    Key::new(
        "layout",
        Shape::OneOf(&[
            Shape::Bool,
            Shape::Word(&["remove"]),
            Shape::List(&Shape::OneOf(&[
                Shape::Number,
                Shape::Text,
                Shape::List(&Shape::Scalar),
            ])),
        ]),
        "`true` for one partition, a list of shares in per cent or [share, type], of which the last one \
         takes the rest, or `remove` for no table; `false` leaves the disk as it is",
    )
    .or("false"),
    Key::new(
        "overwrite",
        Shape::Switch,
        "whether what is on the disk may be lost",
    )
    .or("false"),
];

const FILE_SYSTEM: &[Key] = &[
    Key::new("device", Shape::Text, "the disk or partition, `DISK.N` for its partition N").required(),
    Key::new("filesystem", Shape::Text, "`ext4`, `xfs`, `swap`: what there is a mkfs.NAME or mkNAME for"),
    Key::new("label", Shape::Scalar, "its label"),
    Key::new(
        "partition",
        Shape::OneOf(&[Shape::Integer(1, 256), Shape::Text]),
        "the number of a partition; `auto`: the first one that holds a file system of this kind and label, or \
         is free; `any`: the same whatever the label; `none`: the device itself",
    )
    .or("any"),
    Key::new("overwrite", Shape::Switch, "whether what is there may be lost").or("false"),
    Key::new("replace_fs", Shape::Scalar, "with `any`: a kind of file system that may be replaced"),
    Key::new(
        "extra_opts",
        Shape::OneOf(&[Shape::List(&Shape::Scalar), Shape::Text]),
        "more options for mkfs",
    ),
    Key::new(
        "cmd",
        Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Scalar)]),
        "what makes it instead of mkfs, with %(device)s, %(filesystem)s and %(label)s in it",
    ),
];

/// The keys that say what a disk will look like, for everybody who reads them.
pub(crate) const DISK_SETUP: Key = Key::new(
    "disk_setup",
    Shape::Named(&Shape::Map(DISK)),
    "partition tables, by the names of their disks",
);
/// See [`DISK_SETUP`].
pub(crate) const ALIASES: Key = Key::new(
    "device_aliases",
    Shape::Named(&Shape::Text),
    "names for disks, for `disk_setup`, `fs_setup` and `mounts`",
);

/// Makes partitions and file systems.
pub(crate) struct DiskSetup;

/// The keys, each read by itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    disk_setup: Option<Value>,
    fs_setup: Option<Value>,
    device_aliases: Option<Value>,
}

impl Module for DiskSetup {
    const FACTS: Facts = Facts {
        name: "disk_setup",
        summary: "make partitions and file systems on disks",
        stage: Stage::Identity,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[
            DISK_SETUP,
            Key::new(
                "fs_setup",
                Shape::List(&Shape::Map(FILE_SYSTEM)),
                "file systems",
            ),
            ALIASES,
        ],
    };
    const NOTES: &'static str = include_str!("notes/disk_setup.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let names = Names::new(ctx, want.device_aliases.as_ref());
        let mut disks = disks(want.disk_setup.as_ref(), &names, ctx, &mut plan.problems);
        let mut steps = Vec::new();
        if let Some(list) = &want.fs_setup {
            file_systems(
                list,
                &names,
                ctx,
                &mut disks,
                &mut steps,
                &mut plan.problems,
            );
        }
        let disks = disks
            .into_iter()
            .map(|disk| Step::new(disk.name, disk.effects));
        disks.chain(steps).for_each(|step| plan.push(step));
        plan
    }
}

/// The disks whose partitions will be other ones than they are.
pub(crate) fn fresh(given: &Value, names: &Names<'_>, ctx: &Context<'_>) -> Vec<Fresh> {
    disks(Some(given), names, ctx, &mut Vec::new())
}

fn disks(
    given: Option<&Value>,
    names: &Names<'_>,
    ctx: &Context<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Fresh> {
    let Some(given) = given else {
        return Vec::new();
    };
    let Some(all) = given.as_map() else {
        problems.push(wrong(
            "disk_setup",
            given,
            "a mapping from disks to their tables",
        ));
        return Vec::new();
    };
    let mut fresh: Vec<Fresh> = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for (key, definition) in all.iter().take(ENTRIES_MAX) {
        let name = key.to_text().unwrap_or_default();
        let path = format!("disk_setup.{}", shown(&name));
        let place = &key.place;
        let planned = Definition::read(definition, &path, place, problems).and_then(|wanted| {
            let disk = disk(&name, &path, place, names, ctx)?;
            if seen.contains(&disk.name) {
                let message = format!(
                    "{path}: /dev/{} has a table in this mapping already",
                    disk.name
                );
                return Err(Problem::error(Some(place.clone()), message).of_machine());
            }
            seen.push(disk.name.clone());
            wanted.plan(&disk, ctx)
        });
        match planned {
            Ok(Some(disk)) => fresh.push(disk),
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    fresh
}

/// The disk of this name. That there is none is about the machine: another one has other disks.
fn disk(
    name: &str,
    path: &str,
    place: &Place,
    names: &Names<'_>,
    ctx: &Context<'_>,
) -> Result<Device, Problem> {
    let found = names.find_late(name);
    let found = found.map_err(|unknown| unknown.problem(path, name, place))?;
    let kernel = kernel_name(ctx.probe, &found).unwrap_or_default();
    let disk = disk::device(ctx.probe, &kernel).filter(|disk| disk.part.is_none());
    disk.ok_or_else(|| {
        let message = format!("{path}: {} is no disk", shown(&found));
        Problem::error(Some(place.clone()), message).of_machine()
    })
}

fn file_systems(
    given: &Value,
    names: &Names<'_>,
    ctx: &Context<'_>,
    disks: &mut [Fresh],
    steps: &mut Vec<Step>,
    problems: &mut Vec<Problem>,
) {
    let Some(entries) = given.as_list() else {
        problems.push(wrong("fs_setup", given, "a list"));
        return;
    };
    let mut made = Vec::new();
    for (index, entry) in entries.iter().take(ENTRIES_MAX).enumerate() {
        let path = format!("fs_setup[{index}]");
        let wanted = Wanted::read(entry, &path, problems);
        let found = wanted.and_then(|wanted| {
            let (disk, part) = device(&wanted, names, disks, ctx)?;
            Ok((wanted.on_part(part)?, disk))
        });
        let (wanted, disk) = match found {
            Ok(found) => found,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let fresh = disks.iter_mut().find(|fresh| fresh.name == disk);
        let parts = fresh.as_ref().map(|fresh| fresh.parts);
        match wanted.plan(&View::new(ctx.probe, &disk, parts, &made)) {
            Ok(None) => {}
            Ok(Some(Made { effect, on, holds })) => {
                made.push((on, holds));
                match fresh {
                    // Somebody's own command is a step of its own: it is begun once.
                    Some(fresh) if !effect.runs_code() => fresh.effects.push(effect),
                    _ => steps.push(Step::new(path, [effect])),
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
}

/// The disk or partition that an entry of `fs_setup` is about: `xvdb`. One whose disk is about to get
/// other partitions is a number on that disk, and what is there now says nothing about it.
fn device(
    wanted: &Wanted<'_>,
    names: &Names<'_>,
    disks: &[Fresh],
    ctx: &Context<'_>,
) -> Result<(String, Option<usize>), Problem> {
    let key = format!("{}.device", wanted.path);
    let is_fresh = |name: &String| disks.iter().any(|disk| disk.name == *name);
    let whole = names
        .disk_and_number(wanted.device)
        .and_then(|(disk, number)| {
            let path = names.find(&disk).ok()?;
            let disk = kernel_name(ctx.probe, &path).filter(is_fresh)?;
            Some((disk, Some(number)))
        });
    if let Some(whole) = whole {
        return Ok(whole);
    }
    let found = names.find_late(wanted.device);
    let found =
        found.map_err(|unknown| unknown.problem(&key, wanted.device, wanted.place("device")))?;
    let kernel = kernel_name(ctx.probe, &found).unwrap_or_default();
    let Some(device) = disk::device(ctx.probe, &kernel) else {
        let message = format!("{key}: {} is no disk and no partition", shown(&found));
        let place = wanted.place("device").clone();
        return Err(Problem::error(Some(place), message).of_machine());
    };
    Ok(match device.part {
        // By a link to it that has another name.
        Some(part) if is_fresh(&part.disk) => (part.disk, usize::try_from(part.number).ok()),
        _ => (kernel, None),
    })
}

#[cfg(test)]
mod tests;
