//! The partitions of one disk, as an entry of `disk_setup` describes them.
//!
//! Source: cloud-init, `cloudinit/config/cc_disk_setup.py` (`mkpart`,
//! `check_partition_layout`).

use contract::effect::{Effect, ToolSpec};
use contract::module::Context;
use contract::place::Place;
use contract::plan::Problem;
use contract::secret::Secret;
use contract::yaml::Value;

use super::layout::{Layout, script};
use crate::disk::names::shown;
use crate::disk::table::{self, Label};
use crate::disk::{self, Device, Unclear, signature};
use crate::fields::wrong;
use crate::{distribution, switch};

/// An entry of `disk_setup`.
pub(super) struct Definition<'p> {
    path: &'p str,
    /// Where its disk is named.
    place: &'p Place,
    label: Label,
    overwrite: bool,
    layout: Layout,
}

/// A disk whose partitions will be other ones than they are.
pub(crate) struct Fresh {
    /// `xvdb`.
    pub(crate) name: String,
    /// How many.
    pub(crate) parts: usize,
    /// What makes them, and then what is put on them: if those fail, nothing is put anywhere.
    pub(super) effects: Vec<Effect>,
}

impl<'p> Definition<'p> {
    /// Reads an entry, whichever disk it is about.
    pub(super) fn read(
        given: &Value,
        path: &'p str,
        place: &'p Place,
        problems: &mut Vec<Problem>,
    ) -> Result<Self, Problem> {
        if given.as_map().is_none() {
            return Err(wrong(path, given, "a mapping"));
        }
        let field = |name: &str| given.get(name).filter(|value| !value.is_null());
        let label = match field("table_type").map(|value| (value, value.as_str())) {
            None | Some((_, Some("mbr"))) => Label::Mbr,
            Some((_, Some("gpt"))) => Label::Gpt,
            Some((value, _)) => {
                let path = format!("{path}.table_type");
                return Err(wrong(&path, value, "`mbr` or `gpt`"));
            }
        };
        let key = format!("{path}.overwrite");
        let overwrite = switch::or(false, &key, field("overwrite"), problems);
        let layout = match field("layout") {
            None => Layout::AsItIs,
            Some(layout) => Layout::read(layout, label, &format!("{path}.layout"))?,
        };
        Ok(Self {
            path,
            place,
            label,
            overwrite,
            layout,
        })
    }

    /// What makes a disk's partitions; `None` if they are so, or are nobody's business.
    pub(super) fn plan(&self, disk: &Device, ctx: &Context<'_>) -> Result<Option<Fresh>, Problem> {
        if self.layout == Layout::AsItIs {
            return Ok(None);
        }
        let unclear = |unclear: Unclear| unclear.problem(self.path, self.place);
        let table = table::of(ctx.probe, disk).map_err(unclear)?;
        let holds = || signature::on(ctx.probe, &disk.name).map_err(unclear);
        let is_so = match (&self.layout, &table) {
            (Layout::Nothing, None) => holds()?.is_none(),
            (layout, Some(table)) => layout.is_so(table, self.label),
            (_, None) => false,
        };
        if is_so {
            let other = table.filter(|table| table.label != self.label);
            return other.map_or(Ok(None), |table| Err(self.is_of_kind(table.label, disk)));
        }
        if let Some(user) = disk::user(ctx.probe, &disk.name) {
            return Err(self.stays(disk, &user, "a disk in use gets no other partitions"));
        }
        let may = "say `overwrite: true` if what is on it may be lost";
        if self.layout == Layout::Nothing {
            let member = of_zfs(disk, ctx).map_err(unclear)?;
            if let Some(name) = member.filter(|_| !self.overwrite) {
                return Err(self.stays(disk, &format!("{name} is a part of a ZFS pool"), may));
            }
            return Ok(Some(purged(disk, ctx)));
        }
        let has_parts = table.is_some_and(|table| !table.types.is_empty());
        if !self.overwrite && (has_parts || !disk::parts(ctx.probe, &disk.name).is_empty()) {
            return Err(self.stays(disk, "it has other partitions", may));
        }
        if !self.overwrite
            && let Some(holds) = holds()?
        {
            let why = format!("it holds {}", shown(&holds.kind));
            return Err(self.stays(disk, &why, may));
        }
        if !distribution::has_program(ctx.probe, "sfdisk") {
            let message = format!("{}: the image has no sfdisk", self.path);
            let problem = Problem::error(Some(self.place.clone()), message);
            return Err(problem
                .of_machine()
                .hint("install fdisk (util-linux) in the image"));
        }
        Ok(Some(self.made(disk, ctx)))
    }

    fn made(&self, disk: &Device, ctx: &Context<'_>) -> Fresh {
        let sectors = disk.size / disk::sector_size(ctx.probe, &disk.name);
        let parts = self.layout.parts();
        let path = disk.path();
        // What was in the place of a partition before is no file system of the new one's.
        let wipe = if self.overwrite { "always" } else { "never" };
        let options = ["--wipe", "always", "--wipe-partitions", wipe];
        let argv = [&["sfdisk"], options.as_slice(), &[path.as_str()]].concat();
        let count = match parts.len() {
            1 => "1 partition".to_owned(),
            count => format!("{count} partitions"),
        };
        let what = format!("{} table with {count} on {path}", self.label.name());
        let script = script(self.label, sectors, &parts).into_bytes();
        let make = ToolSpec::new(what, argv).stdin(Secret::new(script));
        let mut effects = vec![Effect::tool(make)];
        effects.extend(settled(ctx));
        Fresh {
            name: disk.name.clone(),
            parts: parts.len(),
            effects,
        }
    }

    /// What is worth knowing of a disk that has the partitions in a table of another kind. Who wrote
    /// `overwrite` did not mean them: cloud-init leaves them alone, too.
    fn is_of_kind(&self, label: Label, disk: &Device) -> Problem {
        let kind = match label {
            Label::Mbr => "an MBR",
            Label::Gpt => "a GPT",
        };
        let (path, name) = (self.path, &disk.name);
        let message =
            format!("{path}: /dev/{name} has these partitions already, in {kind}, which stays");
        let problem = Problem::notice(Some(self.place.clone()), message).of_machine();
        problem.hint("`layout: remove` takes a table away")
    }

    fn stays(&self, disk: &Device, why: &str, hint: &str) -> Problem {
        let message = format!("{}: /dev/{} stays as it is: {why}", self.path, disk.name);
        let problem = Problem::warning(Some(self.place.clone()), message);
        problem.of_machine().hint(hint)
    }
}

/// What of a disk is a part of a ZFS pool, of which the kernel does not tell whether it is in use.
fn of_zfs(disk: &Device, ctx: &Context<'_>) -> Result<Option<String>, Unclear> {
    let parts = disk::parts(ctx.probe, &disk.name).into_iter();
    let names = std::iter::once(disk.name.clone()).chain(parts.map(|(_, name)| name));
    for name in names {
        let holds = signature::on(ctx.probe, &name)?;
        if holds.is_some_and(|holds| holds.kind == "zfs_member") {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Without a table, and without what is in its partitions first.
fn purged(disk: &Device, ctx: &Context<'_>) -> Fresh {
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
    Fresh {
        name: disk.name.clone(),
        parts: 0,
        effects,
    }
}

/// Lets udev(7) make the links to what is new before somebody looks for them.
fn settled(ctx: &Context<'_>) -> Option<Effect> {
    let argv = ["udevadm", "settle", "--timeout=30"];
    let spec = || ToolSpec::new("udev knows the partitions", argv).live_only();
    distribution::has_program(ctx.probe, "udevadm").then(|| Effect::tool(spec()))
}
