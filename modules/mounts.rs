//! Lines of /etc/fstab, their mount points, and a swap file.
//!
//! Source: cloud-init, `cloudinit/config/cc_mounts.py`; fstab(5).

use std::path::Path;
use std::time::Duration;

use contract::effect::{Effect, Mode, ToolSpec, Wait};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::Value;
use serde::Deserialize;

use crate::disk;
use crate::disk::names::Names;
use crate::disk_setup;

mod entry;
mod fstab;
mod source;
mod swap;

use entry::{Defaults, Entry};
use fstab::Fstab;
use source::Sources;

/// A server that does not answer is asked for some minutes (nfs(5)).
const MOUNT_TIMEOUT: Duration = Duration::from_mins(10);

const FIELD: Shape = Shape::List(&Shape::Scalar);

const SWAP: &[Key] = &[
    Key::new("filename", Shape::Text, "the swap file").or("/swap.img"),
    Key::new(
        "size",
        Shape::OneOf(&[Shape::Integer(0, i64::MAX), Shape::Text]),
        "its size in bytes, with a unit (`2G`, `512MiB`), or `auto` for one that fits the memory; 0 makes none",
    )
    .or("0"),
    Key::new(
        "maxsize",
        Shape::OneOf(&[Shape::Integer(0, i64::MAX), Shape::Text]),
        "the most that `auto` makes",
    ),
];

/// Writes /etc/fstab and mounts what it says.
pub(crate) struct Mounts;

/// The keys, each read by itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    mounts: Option<Value>,
    mount_default_fields: Option<Value>,
    swap: Option<Value>,
    device_aliases: Option<Value>,
    disk_setup: Option<Value>,
}

impl Module for Mounts {
    const FACTS: Facts = Facts {
        name: "mounts",
        summary: "write /etc/fstab, make mount points and a swap file, and mount them",
        stage: Stage::Identity,
        frequency: Frequency::Instance,
        // What the metadata or an alias calls `ephemeral0` is mounted though nobody asks for it.
        wake: Wake::Always,
        keys: &[
            Key::new(
                "mounts",
                Shape::List(&FIELD),
                "lines of /etc/fstab, field by field; a mount point that is null leaves the device out",
            ),
            Key::new(
                "mount_default_fields",
                FIELD,
                "what fields hold that an entry of `mounts` leaves out",
            )
            .or("[null, null, auto, 'defaults,nofail,x-systemd.after=firstlight.service,_netdev', '0', '2']"),
            Key::new("swap", Shape::Map(SWAP), "a swap file"),
            disk_setup::ALIASES,
            disk_setup::DISK_SETUP,
        ],
    };
    const NOTES: &'static str = include_str!("notes/mounts.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let is_asked = want.mounts.is_some() || want.swap.is_some();
        let has_names = want.device_aliases.is_some() || Names::has_told(ctx.instance);
        if !is_asked && !has_names {
            return Plan::nothing();
        }
        let names = Names::new(ctx, want.device_aliases.as_ref());
        let told = ["ephemeral0", "swap"].map(|name| (name, names.unasked(name)));
        if !is_asked && told.iter().all(|(_, device)| device.is_none()) {
            return Plan::nothing();
        }
        let mut plan = Plan::nothing();
        let fresh = want.disk_setup.as_ref();
        let fresh = fresh.map_or_else(Vec::new, |given| disk_setup::fresh(given, &names, ctx));
        let sources = Sources::new(ctx.probe, &names, &fresh);
        let table = match Fstab::read(ctx.probe) {
            Ok(table) => table,
            Err(problem) => {
                plan.problems.push(problem);
                return plan;
            }
        };
        let defaults = Defaults::read(
            want.mount_default_fields.as_ref(),
            ctx.probe,
            &mut plan.problems,
        );
        let mut entries = match &want.mounts {
            Some(given) => entry::all(given, &defaults, &sources, &table, &mut plan.problems),
            None => Vec::new(),
        };
        for (name, device) in told {
            let source = device.and_then(|device| sources.of_path(&device));
            let is_known = |source: &String| {
                table.has(source) || entries.iter().any(|entry| entry.source == *source)
            };
            if let Some(source) = source.filter(|source| !is_known(source)) {
                entries.push(defaults.told(name, source));
            }
        }
        let entries = entry::with_mount_points(entries);
        let swap = want.swap.as_ref().and_then(|given| {
            let swap = swap::read(given, ctx.probe, &mut plan.problems)?;
            let covers = |entry: &&Entry| {
                let point = entry.directory();
                point.is_some_and(|point| {
                    Path::new(&swap.file).starts_with(&point) && is_due(entry, ctx)
                })
            };
            let Some(entry) = entries
                .iter()
                .find(covers)
                .filter(|_| !swap.effects.is_empty())
            else {
                return Some(swap);
            };
            // What is there cannot be seen yet, nor how much room there is.
            let point = entry.directory().unwrap_or_default();
            let message = format!(
                "swap: {} is not made, for {point} is not mounted yet",
                swap.file
            );
            let hint =
                "put it on the root file system, or run `firstlight run mounts --force` later";
            let place = &given.get("filename").unwrap_or(given).place;
            let problem = Problem::error(Some(place.clone()), message).of_machine();
            plan.problems.push(problem.hint(hint));
            None
        });
        let swap_line = swap.as_ref().map(swap::Swap::line);
        if !entries.is_empty() {
            plan.push(mounted(&entries, &table, swap_line.as_deref(), ctx));
        }
        if let Some((swap, line)) = swap.zip(swap_line) {
            // The other lines were told with it, if it was there.
            let is_told = table.has_line(&line) && !entries.is_empty();
            let text = Some(table.with(entries.iter().map(Entry::line), Some(&line)));
            let text = text.filter(|text| !is_told && table.text != *text);
            let file = text.map(|text| table.file(text));
            plan.push(swapped(swap, file, ctx));
        }
        plan
    }
}

/// Whether `mount -a` has to mount an entry.
fn is_due(entry: &Entry, ctx: &Context<'_>) -> bool {
    let point = entry.directory().filter(|_| entry.is_wanted_now(ctx.probe));
    point.is_some_and(|point| disk::mounted(ctx.probe, &fstab::escaped(&point)).is_none())
}

/// The lines of /etc/fstab, and what makes them so. A swap file that is to be made has no line yet.
fn mounted(entries: &[Entry], table: &Fstab, swap: Option<&str>, ctx: &Context<'_>) -> Step {
    let mut effects = Vec::new();
    let points = entries.iter().filter_map(Entry::directory);
    for point in points {
        // One that is there keeps its mode.
        if let Ok(None) = ctx.probe.kind(Path::new(&point)) {
            effects.push(Effect::directory(point.as_str(), Mode::PUBLIC_DIR));
        }
    }
    let text = table.with(
        entries.iter().map(Entry::line),
        swap.filter(|line| table.has_line(line)),
    );
    let is_new = table.text != text;
    if is_new {
        effects.push(table.file(text));
    }
    let swaps = disk::swaps(ctx.probe);
    let is_used = |source: &str| {
        let source = fstab::device(source);
        let name = disk::kernel_name(ctx.probe, &source);
        let name = name.map(|name| format!("/dev/{name}"));
        swaps
            .iter()
            .any(|swap| *swap == source || name.as_ref() == Some(swap))
    };
    if entries
        .iter()
        .any(|entry| entry.is_swap() && !is_used(&entry.source))
    {
        effects.push(swapon());
    }
    if is_new || entries.iter().any(|entry| is_due(entry, ctx)) {
        let what = "everything in /etc/fstab mounted";
        let mut mount = ToolSpec::new(what, ["mount", "-a"]).live_only();
        mount.timeout = MOUNT_TIMEOUT;
        effects.push(Effect::tool(mount));
        effects.extend(reload(ctx));
    }
    Step::new("fstab", effects)
}

/// The swap file, and then its line: one without the other would fail at every boot.
fn swapped(swap: swap::Swap, file: Option<Effect>, ctx: &Context<'_>) -> Step {
    let is_used = disk::swaps(ctx.probe).contains(&swap.file);
    let mut effects = swap.effects;
    let is_new = file.is_some();
    effects.extend(file);
    if !is_used {
        effects.push(swapon());
    }
    if is_new {
        effects.extend(reload(ctx));
    }
    Step::new("swap", effects)
}

fn swapon() -> Effect {
    Effect::tool(ToolSpec::new("swap space in use", ["swapon", "-a"]).live_only())
}

/// systemd makes units of the lines; nothing has to wait for that.
fn reload(ctx: &Context<'_>) -> Option<Effect> {
    let mut spec =
        ToolSpec::new("systemd knows /etc/fstab", ["systemctl", "daemon-reload"]).live_only();
    spec.wait = Wait::Stage;
    entry::uses_systemd(ctx.probe).then(|| Effect::tool(spec))
}

#[cfg(test)]
mod tests;
