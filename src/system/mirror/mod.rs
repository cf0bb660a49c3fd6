//! A directory that holds what an origin holds: an S3 prefix, or another directory.
//!
//! A JSON manifest remembers what was put there. It is written before the first file (as an
//! intent) and after the last, so that an interrupted run is taken up by the next one and never
//! mistakes its own files for somebody else's. Each file is written beside its place and takes it
//! with one rename, so that a reader meets the old one or the new one, whole.

mod directory;
mod key;
mod manifest;
mod plan;
mod releases;
mod source;
mod sums;
#[cfg(test)]
mod tests;

use std::path::Path;

use contract::effect::{Effect, MirrorSpec, Switch, Target};
use contract::error::EffectError;
use contract::machine::{Change, Machine, Probe};
use net::s3::S3Error;

use crate::files::{self, Ids};
use crate::host::Host;
use crate::staged;
use manifest::{Entry, Manifest};
use plan::{Plan, Verdict};
use releases::Releases;
use source::{Fetched, Source};
use sums::Sums;

/// Most files that a mirror holds.
pub(crate) const FILES_MAX: usize = net::s3::OBJECTS_MAX;
/// How many files are on their way at the same time at most: each is an open file.
const BATCH: usize = 64;
/// How often an origin is listed anew because it changed while it was read.
const LISTS: u32 = 3;

/// A file that an origin offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Below the destination, checked.
    pub(crate) path: String,
    /// Changes whenever the content does.
    pub(crate) tag: String,
    /// In bytes, where the origin says it before it is read.
    pub(crate) size: u64,
}

/// Makes `spec.dest` hold what its origin holds.
///
/// # Errors
/// When the origin cannot be read, has a name that cannot be a path below the destination, or the
/// destination holds files that no mirror put there. A file is whole, old or new, in each case.
pub(crate) fn apply(host: &Host, spec: &MirrorSpec) -> Result<Change, EffectError> {
    let mut done = Tally::default();
    for turn in 1.. {
        match once(host, spec, &mut done) {
            Err(error) if turn < LISTS && changed_meanwhile(&error) => {}
            Err(error) => return Err(error),
            Ok(()) => break,
        }
    }
    Ok(done.change())
}

fn once(host: &Host, spec: &MirrorSpec, done: &mut Tally) -> Result<(), EffectError> {
    let ids = files::ids(host, &spec.owner)?;
    let releases = Releases::of(spec);
    let seen = seen(host, host, spec, &releases)?;
    let source = Source::of(host, &seen);
    let plan = Plan::make(host, host, &seen, &source)?;
    let sums = verification(&plan, &source, spec)?;
    let mut manifest = plan.manifest.clone();
    if plan.changes_files() {
        manifest.claim(plan.items.iter().map(|(item, _)| item.path.as_str()));
        manifest.save(host, &spec.manifest)?;
    }
    done.objects = plan.items.len();
    let mut run = Run {
        host,
        plan: &plan,
        sums,
        ids,
        manifest: &mut manifest,
        done,
    };
    let is_new = seen.dest == spec.dest || plan.changes_files();
    let result = match spec.switch {
        Switch::Atomic { keep } if is_new => run.release(spec, &seen.dest, &releases, keep),
        _ => run.in_place(&seen),
    };
    if result.is_ok() {
        manifest
            .files
            .retain(|path, _| plan.present.contains(path) || plan.offers(path));
    }
    // Also after a failure: what has come need not be fetched again.
    if Some(&manifest) != Manifest::load(host, &spec.manifest)?.as_ref() {
        let saved = manifest.save(host, &spec.manifest);
        return result.and(saved);
    }
    result
}

/// The same with the directory that holds the content now: the current release, if there are any.
fn seen(
    host: &Host,
    probe: &dyn Probe,
    spec: &MirrorSpec,
    releases: &Releases,
) -> Result<MirrorSpec, EffectError> {
    let mut seen = spec.clone();
    if matches!(spec.switch, Switch::Atomic { .. })
        && let Some(current) = releases.current(host, probe)?
    {
        seen.dest = current;
    }
    Ok(seen)
}

/// What [`apply`] would do, as lines `+ path`, `~ path` and `- path`; nothing is written. `probe`
/// sees the machine as it would be by then.
///
/// # Errors
/// As [`apply`], as far as it can be told without fetching a file.
pub(crate) fn preview(
    host: &Host,
    probe: &dyn Probe,
    spec: &MirrorSpec,
) -> Result<Change, EffectError> {
    let seen = seen(host, probe, spec, &Releases::of(spec))?;
    let plan = Plan::make(host, probe, &seen, &Source::of(host, &seen))?;
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

/// What every file is checked by, if that is wanted; a list of the origin's is read first.
fn verification(
    plan: &Plan,
    source: &Source<'_>,
    spec: &MirrorSpec,
) -> Result<Option<Sums>, EffectError> {
    if !spec.verify_sha256 {
        return Ok(None);
    }
    if plan.offers(sums::NAME) {
        return Ok(Some(Sums::parse(&source.sums()?)));
    }
    Ok(Some(Sums::default()))
}

/// One run of a mirror, as it goes.
struct Run<'a> {
    host: &'a Host,
    plan: &'a Plan,
    sums: Option<Sums>,
    ids: Ids,
    manifest: &'a mut Manifest,
    done: &'a mut Tally,
}

impl Run<'_> {
    /// File by file, where they are.
    fn in_place(&mut self, spec: &MirrorSpec) -> Result<(), EffectError> {
        self.directories(spec)?;
        self.fetch(spec)?;
        self.remove(spec)
    }

    /// All at once: into a new release, which then takes the place of the one in `old`.
    fn release(
        &mut self,
        spec: &MirrorSpec,
        old: &Path,
        releases: &Releases,
        keep: u32,
    ) -> Result<(), EffectError> {
        let (number, new) = releases.begin(self.host, spec)?;
        let target = MirrorSpec {
            dest: new,
            ..spec.clone()
        };
        let filled = self
            .directories(&target)
            .and_then(|()| self.carry_over(old, &target.dest))
            .and_then(|()| self.fetch(&target));
        if let Err(error) = filled {
            // What nobody will ever see takes no room; the error that led here is the one to tell.
            let _ = files::remove_tree(self.host, &target.dest);
            *self.manifest = self.plan.manifest.clone();
            return Err(error);
        }
        releases.switch(self.host, number, keep)?;
        self.done.deleted = self.plan.removed.len();
        self.done.changed = true;
        for path in &self.plan.removed {
            self.manifest.files.remove(path);
        }
        Ok(())
    }

    /// Takes into a new release what is the same in it, and what the origin has not but stays.
    fn carry_over(&self, old: &Path, new: &Path) -> Result<(), EffectError> {
        let same = self.plan.items.iter();
        let same = same.filter(|(_, verdict)| *verdict == Verdict::Same);
        let same = same.map(|(item, _)| item.path.as_str());
        let stays = self.plan.present.iter().map(String::as_str);
        let stays = stays.filter(|path| !self.plan.offers(path) && !self.plan.removes(path));
        for path in same.chain(stays) {
            if let Some(directory) = new.join(path).parent() {
                let made = self.host.root.directory(directory, true);
                made.map_err(|source| EffectError::Write {
                    path: directory.to_owned(),
                    source,
                })?;
            }
            releases::link(self.host, &old.join(path), &new.join(path))?;
        }
        Ok(())
    }

    fn directories(&mut self, spec: &MirrorSpec) -> Result<(), EffectError> {
        let below = self.plan.directories();
        for directory in std::iter::once(Path::new("")).chain(below) {
            let change = self.host.apply(&Effect::Directory {
                at: Target::Path(spec.dest.join(directory)),
                mode: spec.dir_mode,
                owner: spec.owner.clone(),
            });
            self.done.note(change?);
        }
        Ok(())
    }

    fn fetch(&mut self, spec: &MirrorSpec) -> Result<(), EffectError> {
        let source = Source::of(self.host, spec);
        let new = |wanted: &&(Item, Verdict)| wanted.1 != Verdict::Same;
        let wanted = self.plan.items.iter().filter(new);
        let wanted: Vec<&Item> = wanted.map(|(item, _)| item).collect();
        for batch in wanted.chunks(BATCH) {
            let mut failed = None;
            for (item, fetched) in batch.iter().zip(source.fetch(batch)) {
                // The others of the batch have come, and are kept.
                if let Err(error) = fetched.and_then(|fetched| self.place(spec, item, fetched)) {
                    failed.get_or_insert(error);
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
        }
        for (item, _) in self.plan.items.iter().filter(|wanted| !new(wanted)) {
            let path = spec.dest.join(&item.path);
            let change = staged::dress(self.host, &path, spec.file_mode, self.ids);
            self.done.note(change?);
        }
        Ok(())
    }

    fn place(
        &mut self,
        spec: &MirrorSpec,
        item: &Item,
        (staged, kept): Fetched,
    ) -> Result<(), EffectError> {
        if let Some(sums) = &self.sums {
            sums.check(&item.path, &staged.sha256(), kept.as_deref(), staged.path())?;
        }
        let placed = staged.commit(self.host, spec.file_mode, self.ids)?;
        self.done.fetched += 1;
        self.done.bytes = self.done.bytes.saturating_add(placed.size);
        self.done.note(files::made(self.ids));
        let entry = Entry::of(&item.tag, placed);
        self.manifest.files.insert(item.path.clone(), entry);
        Ok(())
    }

    fn remove(&mut self, spec: &MirrorSpec) -> Result<(), EffectError> {
        for path in &self.plan.removed {
            self.done.note(self.host.apply(&Effect::Absent {
                at: Target::Path(spec.dest.join(path)),
            })?);
            self.done.deleted += 1;
            self.manifest.files.remove(path);
        }
        for directory in self.plan.emptied() {
            let path = spec.dest.join(directory);
            files::remove_if_empty(self.host, &path)
                .map_err(|source| EffectError::Write { path, source })?;
        }
        Ok(())
    }
}

/// Whether an object was replaced or removed after it had been listed.
fn changed_meanwhile(error: &EffectError) -> bool {
    let EffectError::Fetch { source, .. } = error else {
        return false;
    };
    matches!(
        source.downcast_ref(),
        Some(S3Error::Changed { .. } | S3Error::NoSuchKey { .. })
    )
}

#[derive(Default)]
struct Tally {
    objects: usize,
    fetched: usize,
    deleted: usize,
    bytes: u64,
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

fn refused(path: &Path, reason: impl Into<String>) -> EffectError {
    EffectError::Refused {
        path: path.to_owned(),
        reason: reason.into(),
    }
}
