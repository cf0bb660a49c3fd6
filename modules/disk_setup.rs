//! Partitions and file systems on disks other than the root disk.
//!
//! What is on a disk already is read from the disk, so that one that is as it shall be costs no
//! process, and one that holds something else is not touched unless somebody says `overwrite`.
//!
//! Source: cloud-init, `cloudinit/config/cc_disk_setup.py`.

use contract::effect::{Effect, ToolSpec};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::{Kind, Value};
use serde::Deserialize;

use crate::disk::names::{Names, shown};
use crate::disk::table::{self, Label};
use crate::disk::{self, Device, kernel_name, signature};
use crate::{distribution, switch};

mod filesystem;
mod layout;
mod view;

use filesystem::{Made, Wanted};
use layout::{Layout, wrong};
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

/// A disk whose partitions will be other ones than they are.
pub(crate) struct Fresh {
    /// `xvdb`.
    pub(crate) name: String,
    /// How many.
    pub(crate) parts: usize,
    /// What makes them, and then what is put on them: if those fail, nothing is put anywhere.
    effects: Vec<Effect>,
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
            given,
            "disk_setup",
            "a mapping from disks to their tables",
        ));
        return Vec::new();
    };
    let mut fresh: Vec<Fresh> = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for (key, definition) in all.iter().take(ENTRIES_MAX) {
        let name = key.to_text().unwrap_or_default();
        let path = format!("disk_setup.{}", shown(&name));
        if definition.as_map().is_none() {
            problems.push(wrong(definition, &path, "a mapping"));
            continue;
        }
        let found = match names.find(&name) {
            Ok(found) => found,
            Err(unknown) => {
                problems.push(unknown.problem(key.place.clone(), &path, &name));
                continue;
            }
        };
        let kernel = kernel_name(ctx.probe, &found).unwrap_or_default();
        let disk = disk::device(ctx.probe, &kernel).filter(|disk| disk.part.is_none());
        let Some(disk) = disk else {
            let message = format!("{path}: {} is no disk", shown(&found));
            problems.push(Problem::error(Some(key.place.clone()), message));
            continue;
        };
        if seen.contains(&disk.name) {
            let message = format!(
                "{path}: the disk {} has a table already in this mapping",
                disk.name
            );
            problems.push(Problem::error(Some(key.place.clone()), message));
            continue;
        }
        seen.push(disk.name.clone());
        match partitions(definition, &path, &disk, ctx, problems) {
            Ok(Some(disk)) => fresh.push(disk),
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    fresh
}

/// What makes a disk's partitions; `None` if they are so, or are nobody's business.
fn partitions(
    given: &Value,
    path: &str,
    disk: &Device,
    ctx: &Context<'_>,
    problems: &mut Vec<Problem>,
) -> Result<Option<Fresh>, Problem> {
    let field = |name: &str| given.get(name).filter(|value| !value.is_null());
    let label = match field("table_type").map(|value| (value, value.as_str())) {
        None | Some((_, Some("mbr"))) => Label::Mbr,
        Some((_, Some("gpt"))) => Label::Gpt,
        Some((value, _)) => {
            return Err(wrong(
                value,
                &format!("{path}.table_type"),
                "`mbr` or `gpt`",
            ));
        }
    };
    let key = format!("{path}.overwrite");
    let overwrite = switch::or(false, &key, field("overwrite"), problems);
    let Some(wanted) = field("layout") else {
        return Ok(None);
    };
    let table = table::of(ctx.probe, disk);
    let parts = match Layout::read(wanted, label, &format!("{path}.layout"))? {
        Layout::AsItIs => return Ok(None),
        Layout::Nothing => {
            let is_so = table.is_none() && signature::on(ctx.probe, &disk.name).is_none();
            return if is_so {
                Ok(None)
            } else {
                purge(path, given, disk, ctx).map(Some)
            };
        }
        Layout::Parts(parts) => parts,
    };
    if layout::is_so(table.as_ref(), label, wanted, &parts) {
        return Ok(None);
    }
    let stays = |why: String, hint: &str| {
        let message = format!("{path}: /dev/{} stays as it is: {why}", disk.name);
        Err(Problem::warning(Some(wanted.place.clone()), message).hint(hint))
    };
    if let Some(user) = disk::user(ctx.probe, &disk.name) {
        return stays(user, "a disk that is in use gets no other partitions");
    }
    let may = "say `overwrite: true` if what is on it may be lost";
    let has_parts = table.as_ref().is_some_and(|table| !table.types.is_empty());
    if !overwrite && (has_parts || !disk::parts(ctx.probe, &disk.name).is_empty()) {
        return stays("it has other partitions".to_owned(), may);
    }
    if !overwrite && let Some(holds) = signature::on(ctx.probe, &disk.name) {
        return stays(format!("it holds {}", shown(&holds.kind)), may);
    }
    if !distribution::has_program(ctx.probe, "sfdisk") {
        let message = format!("{path}: the image has no sfdisk");
        let problem = Problem::error(Some(wanted.place.clone()), message);
        return Err(problem.hint("install fdisk (util-linux) in the image"));
    }
    let sectors = disk.size / disk::sector_size(ctx.probe, &disk.name);
    let script = layout::script(label, sectors, &parts);
    let path = disk.path();
    // What was in the place of a partition before is no file system of the new one's.
    let wipe = if overwrite { "always" } else { "never" };
    let argv = [
        "sfdisk",
        "--wipe",
        "always",
        "--wipe-partitions",
        wipe,
        &path,
    ];
    let count = match parts.len() {
        1 => "1 partition".to_owned(),
        count => format!("{count} partitions"),
    };
    let what = format!("{} table with {count} on {path}", label.name());
    let make = ToolSpec::new(what, argv).stdin(Secret::new(script.into_bytes()));
    let mut effects = vec![Effect::tool(make)];
    effects.extend(settled(ctx));
    Ok(Some(Fresh {
        name: disk.name.clone(),
        parts: parts.len(),
        effects,
    }))
}

/// Takes the table away, and what is in its partitions first.
fn purge(path: &str, given: &Value, disk: &Device, ctx: &Context<'_>) -> Result<Fresh, Problem> {
    if let Some(user) = disk::user(ctx.probe, &disk.name) {
        let message = format!("{path}: /dev/{} stays as it is: {user}", disk.name);
        return Err(Problem::error(Some(given.place.clone()), message));
    }
    let parts = disk::parts(ctx.probe, &disk.name).into_iter();
    let wipe = |name: &str, options: &[&str]| {
        let path = format!("/dev/{name}");
        let argv = [&["wipefs", "--all"], options, &[path.as_str()]].concat();
        Effect::tool(ToolSpec::new(format!("nothing on {path}"), argv))
    };
    let mut effects: Vec<Effect> = parts.map(|(_, name)| wipe(&name, &[])).collect();
    // A table is not taken away without it.
    effects.push(wipe(&disk.name, &["--force"]));
    effects.extend(settled(ctx));
    Ok(Fresh {
        name: disk.name.clone(),
        parts: 0,
        effects,
    })
}

/// Lets udev(7) make the links to what is new before somebody looks for them.
fn settled(ctx: &Context<'_>) -> Option<Effect> {
    let argv = ["udevadm", "settle", "--timeout=30"];
    let spec = || ToolSpec::new("udev knows the partitions", argv).live_only();
    distribution::has_program(ctx.probe, "udevadm").then(|| Effect::tool(spec()))
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
        problems.push(wrong(given, "fs_setup", "a list"));
        return;
    };
    let mut made = Vec::new();
    for (index, entry) in entries.iter().take(ENTRIES_MAX).enumerate() {
        let path = format!("fs_setup[{index}]");
        let place = match place(entry, &path, names, ctx) {
            Ok(place) => place,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let fresh = disks.iter_mut().find(|disk| disk.name == place.disk);
        let parts = fresh.as_ref().map(|disk| disk.parts);
        let view = View::new(ctx.probe, &place.disk, parts, &made);
        let wanted = Wanted::read(entry, &path, place.number, problems);
        match wanted.and_then(|wanted| wanted.plan(&view)) {
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

/// Where an entry of `fs_setup` puts its file system.
struct On<'v> {
    /// `xvdb`, or a partition.
    disk: String,
    /// The partition that the device's name ends with.
    number: Option<&'v str>,
}

fn place<'v>(
    entry: &'v Value,
    path: &str,
    names: &Names<'_>,
    ctx: &Context<'_>,
) -> Result<On<'v>, Problem> {
    if !matches!(entry.kind, Kind::Map(_)) {
        return Err(wrong(entry, path, "a mapping"));
    }
    let device = entry.get("device").filter(|value| !value.is_null());
    let Some(device) = device else {
        let message = format!("{path}: expected a `device`");
        return Err(Problem::error(Some(entry.place.clone()), message));
    };
    let key = format!("{path}.device");
    let expected = || wrong(device, &key, "the name of a disk or a partition");
    let name = device.as_str().filter(|name| !name.is_empty());
    let name = name.ok_or_else(expected)?;
    let (base, number) = match name.rsplit_once('.') {
        Some((base, number)) => (base, Some(number)),
        None => (name, None),
    };
    let found = names.find(base);
    let found = found.map_err(|unknown| unknown.problem(device.place.clone(), &key, base))?;
    let disk = kernel_name(ctx.probe, &found).unwrap_or_default();
    if disk::device(ctx.probe, &disk).is_none() {
        let message = format!("{key}: {} is no disk and no partition", shown(&found));
        return Err(Problem::error(Some(device.place.clone()), message));
    }
    Ok(On { disk, number })
}

#[cfg(test)]
mod tests;
