//! A directory that holds what an origin holds.
//!
//! A JSON manifest remembers what was put there. It is written before the first file (as an
//! intent) and after the last, so that an interrupted run is taken up by the next one and never
//! mistakes its own files for somebody else's. Everything is read and written through
//! [`Machine`], so that it stays below the machine's root.

mod directory;
mod key;
mod manifest;
mod sums;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use contract::effect::{Content, Effect, FileSpec, MirrorSpec, Origin, Switch, Target};
use contract::error::EffectError;
use contract::machine::{Change, FileKind, Machine, Probe};

use directory::Directory;
use manifest::{Entry, Manifest};
use sums::Sums;

/// Most files that a mirror holds.
pub(crate) const FILES_MAX: usize = 100_000;

/// A file that an origin offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Below the destination, checked.
    pub(crate) path: String,
    /// Changes whenever the content does.
    pub(crate) tag: String,
}

/// Makes `spec.dest` hold what its origin holds.
///
/// # Errors
/// When the origin cannot be read, has a name that cannot be a path below the destination, or the
/// destination holds files that no mirror put there. A file is whole, old or new, in each case.
pub(crate) fn apply(machine: &dyn Machine, spec: &MirrorSpec) -> Result<Change, EffectError> {
    let source = source(machine, spec)?;
    let plan = Plan::make(machine, spec, &source)?;
    let verify = if spec.verify_sha256 {
        Some(plan.sums(&source, spec)?)
    } else {
        None
    };

    let mut manifest = plan.manifest.clone();
    if plan.changes_files() {
        manifest.claim(plan.items.iter().map(|(item, _)| item.path.as_str()));
        manifest.save(machine, &spec.manifest)?;
    }
    let mut done = Tally {
        objects: plan.items.len(),
        ..Tally::default()
    };
    done.note(machine.apply(&Effect::Directory {
        at: Target::Path(spec.dest.clone()),
        mode: spec.dir_mode,
        owner: spec.owner.clone(),
    })?);
    for directory in plan.directories() {
        done.note(machine.apply(&Effect::Directory {
            at: Target::Path(spec.dest.join(directory)),
            mode: spec.dir_mode,
            owner: spec.owner.clone(),
        })?);
    }
    for (item, verdict) in &plan.items {
        let at = spec.dest.join(&item.path);
        let bytes = match verdict {
            Verdict::Same => read(machine, &at)?,
            Verdict::Add | Verdict::Replace => source.fetch(item)?,
        };
        if let Some(sums) = &verify {
            sums.check(&item.path, &bytes, &at)?;
        }
        if *verdict != Verdict::Same {
            done.fetched += 1;
            done.bytes += bytes.len();
        }
        let entry = Entry::of(&item.tag, &bytes);
        done.note(machine.apply(&Effect::File(FileSpec {
            at: Target::Path(at),
            content: Content::Plain(bytes),
            mode: spec.file_mode,
            owner: spec.owner.clone(),
        }))?);
        manifest.files.insert(item.path.clone(), entry);
    }
    for path in &plan.removed {
        done.note(machine.apply(&Effect::Absent {
            at: Target::Path(spec.dest.join(path)),
        })?);
        done.deleted += 1;
        manifest.files.remove(path);
    }
    manifest
        .files
        .retain(|path, _| plan.present.contains(path) || plan.offers(path));
    if manifest != Manifest::load(machine, &spec.manifest)?.unwrap_or_default() {
        manifest.save(machine, &spec.manifest)?;
    }
    Ok(done.change())
}

/// What [`apply`] would do, as lines `+ path`, `~ path` and `- path`; nothing is written.
///
/// # Errors
/// As [`apply`], as far as it can be told without fetching a file.
pub(crate) fn preview(machine: &dyn Probe, spec: &MirrorSpec) -> Result<Change, EffectError> {
    let plan = Plan::make(machine, spec, &source(machine, spec)?)?;
    let mark = |verdict: &Verdict| match verdict {
        Verdict::Same => None,
        Verdict::Add => Some('+'),
        Verdict::Replace => Some('~'),
    };
    let line = |mark: char, path: &str| format!("{mark} {}", spec.dest.join(path).display());
    let mut diff: Vec<String> = plan
        .items
        .iter()
        .filter_map(|(item, verdict)| Some(line(mark(verdict)?, &item.path)))
        .collect();
    diff.extend(plan.removed.iter().map(|path| line('-', path)));
    Ok(if diff.is_empty() {
        Change::AlreadySo
    } else {
        Change::WouldMake { diff }
    })
}

fn source<'a>(machine: &'a dyn Probe, spec: &MirrorSpec) -> Result<Directory<'a>, EffectError> {
    if matches!(spec.switch, Switch::Atomic { .. }) {
        let reason = "this version switches file by file only: leave `switch` out";
        return Err(refused(&spec.dest, reason));
    }
    match &spec.origin {
        Origin::Directory(path) => Ok(Directory::new(machine, path)),
        Origin::S3 { .. } => {
            let reason = format!("this version cannot fetch {}: only file:// is", spec.origin);
            Err(refused(&spec.dest, reason))
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Same,
    Add,
    Replace,
}

struct Plan {
    items: Vec<(Item, Verdict)>,
    removed: Vec<String>,
    /// What the destination holds now.
    present: BTreeSet<String>,
    manifest: Manifest,
}

impl Plan {
    fn make(
        machine: &dyn Probe,
        spec: &MirrorSpec,
        source: &Directory<'_>,
    ) -> Result<Self, EffectError> {
        let known = Manifest::load(machine, &spec.manifest)?;
        let present = match kind(machine, &spec.dest)? {
            None => BTreeSet::new(),
            Some(FileKind::Directory) => directory::files(machine, &spec.dest)?,
            Some(_) => return Err(refused(&spec.dest, "it is not a directory")),
        };
        if known.is_none() && !present.is_empty() && !spec.adopt {
            let reason = "it holds files that no mirror put there: empty it, or say `adopt: true`";
            return Err(refused(&spec.dest, reason));
        }
        let manifest = known.unwrap_or_default();
        let mut items = Vec::new();
        for item in source.list()? {
            let verdict = verdict(machine, spec, &manifest, &item)?;
            items.push((item, verdict));
        }
        let offered: BTreeSet<&str> = items
            .iter()
            .map(|(item, _): &(Item, Verdict)| item.path.as_str())
            .collect();
        let ours = |path: &String| spec.adopt || manifest.files.contains_key(path);
        let gone = |path: &String| spec.delete && !offered.contains(path.as_str()) && ours(path);
        let removed = present.iter().filter(|path| gone(path)).cloned().collect();
        Ok(Self {
            items,
            removed,
            present,
            manifest,
        })
    }

    /// The origin's files are sorted by path.
    fn offers(&self, path: &str) -> bool {
        self.items
            .binary_search_by(|(item, _)| item.path.as_str().cmp(path))
            .is_ok()
    }

    fn changes_files(&self) -> bool {
        !self.removed.is_empty() || self.items.iter().any(|(_, v)| *v != Verdict::Same)
    }

    /// Every directory below the destination, those above others first.
    fn directories(&self) -> BTreeSet<&Path> {
        let paths = self.items.iter().map(|(item, _)| Path::new(&item.path));
        let all = paths.flat_map(|path| path.ancestors().skip(1));
        all.filter(|directory| !directory.as_os_str().is_empty())
            .collect()
    }

    fn sums(&self, source: &Directory<'_>, spec: &MirrorSpec) -> Result<Sums, EffectError> {
        let list = self.items.iter().find(|(item, _)| item.path == sums::NAME);
        let Some((item, _)) = list else {
            let reason = format!(
                "{} has no {} to verify its files by",
                spec.origin,
                sums::NAME
            );
            return Err(refused(&spec.dest, reason));
        };
        Ok(Sums::parse(&source.fetch(item)?))
    }
}

fn verdict(
    machine: &dyn Probe,
    spec: &MirrorSpec,
    manifest: &Manifest,
    item: &Item,
) -> Result<Verdict, EffectError> {
    let at = spec.dest.join(&item.path);
    for above in at
        .ancestors()
        .skip(1)
        .take_while(|above| *above != spec.dest)
    {
        if !matches!(kind(machine, above)?, None | Some(FileKind::Directory)) {
            return Err(refused(above, "a directory of the mirror shall be here"));
        }
    }
    match kind(machine, &at)? {
        None => return Ok(Verdict::Add),
        Some(FileKind::File) => {}
        Some(_) => return Err(refused(&at, "a file of the mirror shall be here")),
    }
    let Some(entry) = manifest.files.get(&item.path) else {
        if spec.adopt {
            return Ok(Verdict::Replace);
        }
        return Err(refused(
            &at,
            "no mirror put it there: remove it, or say `adopt: true`",
        ));
    };
    let same = entry.tag == item.tag && entry.holds(&read(machine, &at)?);
    Ok(if same {
        Verdict::Same
    } else {
        Verdict::Replace
    })
}

#[derive(Default)]
struct Tally {
    objects: usize,
    fetched: usize,
    deleted: usize,
    bytes: usize,
    changed: bool,
    /// What an effect had to tell, such as an owner that could not be set.
    remark: Option<String>,
}

impl Tally {
    fn note(&mut self, change: Change) {
        self.changed |= change.is_change();
        if let Change::Made { note: Some(note) } = change {
            self.remark = Some(note);
        }
    }

    fn change(self) -> Change {
        if !self.changed {
            return Change::AlreadySo;
        }
        let Self {
            objects,
            fetched,
            deleted,
            bytes,
            remark,
            ..
        } = self;
        let mut note = format!(
            "{objects} objects, {fetched} fetched, {deleted} deleted, {} kB",
            bytes.div_ceil(1000)
        );
        if let Some(remark) = remark {
            note.push_str("; ");
            note.push_str(&remark);
        }
        Change::Made { note: Some(note) }
    }
}

fn kind(machine: &dyn Probe, path: &Path) -> Result<Option<FileKind>, EffectError> {
    machine.kind(path).map_err(|source| EffectError::Read {
        path: path.to_owned(),
        source,
    })
}

fn read(machine: &dyn Probe, path: &Path) -> Result<Vec<u8>, EffectError> {
    let read = machine
        .read(path)
        .and_then(|bytes| bytes.ok_or(std::io::ErrorKind::NotFound.into()));
    read.map_err(|source| EffectError::Read {
        path: path.to_owned(),
        source,
    })
}

fn refused(path: &Path, reason: impl Into<String>) -> EffectError {
    EffectError::Refused {
        path: path.to_owned(),
        reason: reason.into(),
    }
}
