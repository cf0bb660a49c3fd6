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
use source::Source;
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
    supported(spec)?;
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
    let source = Source::of(host, spec);
    let ids = files::ids(host, &spec.owner)?;
    let plan = Plan::make(host, host, spec, &source)?;
    let sums = verification(&plan, &source, spec)?;
    let mut manifest = plan.manifest.clone();
    if plan.changes_files() {
        manifest.claim(plan.items.iter().map(|(item, _)| item.path.as_str()));
        manifest.save(host, &spec.manifest)?;
    }
    done.objects = plan.items.len();
    let result = directories(host, spec, &plan, done)
        .and_then(|()| {
            fetch(
                host,
                spec,
                &plan,
                &source,
                sums.as_ref(),
                ids,
                &mut manifest,
                done,
            )
        })
        .and_then(|()| remove(host, spec, &plan, &mut manifest, done));
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
    supported(spec)?;
    let plan = Plan::make(host, probe, spec, &Source::of(host, spec))?;
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

fn supported(spec: &MirrorSpec) -> Result<(), EffectError> {
    if matches!(spec.switch, Switch::Atomic { .. }) {
        let reason = "this version switches file by file only: leave `switch` out";
        return Err(refused(&spec.dest, reason));
    }
    Ok(())
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

fn directories(
    host: &Host,
    spec: &MirrorSpec,
    plan: &Plan,
    done: &mut Tally,
) -> Result<(), EffectError> {
    let below = plan.directories();
    for directory in std::iter::once(Path::new("")).chain(below) {
        done.note(host.apply(&Effect::Directory {
            at: Target::Path(spec.dest.join(directory)),
            mode: spec.dir_mode,
            owner: spec.owner.clone(),
        })?);
    }
    Ok(())
}

#[allow(
    clippy::too_many_arguments,
    reason = "the parts of one run, which nobody else needs together"
)]
fn fetch(
    host: &Host,
    spec: &MirrorSpec,
    plan: &Plan,
    source: &Source<'_>,
    sums: Option<&Sums>,
    ids: Ids,
    manifest: &mut Manifest,
    done: &mut Tally,
) -> Result<(), EffectError> {
    let new = |wanted: &&(Item, Verdict)| wanted.1 != Verdict::Same;
    let wanted: Vec<&Item> = plan
        .items
        .iter()
        .filter(new)
        .map(|(item, _)| item)
        .collect();
    for batch in wanted.chunks(BATCH) {
        let mut failed = None;
        for (item, fetched) in batch.iter().zip(source.fetch(batch)) {
            let placed = fetched.and_then(|(staged, kept)| {
                if let Some(sums) = sums {
                    sums.check(&item.path, &staged.sha256(), kept.as_deref(), staged.path())?;
                }
                staged.commit(host, spec.file_mode, ids)
            });
            match placed {
                Ok(placed) => {
                    done.fetched += 1;
                    done.bytes = done.bytes.saturating_add(placed.size);
                    done.note(files::made(ids));
                    manifest
                        .files
                        .insert(item.path.clone(), Entry::of(&item.tag, placed));
                }
                // The others of the batch have come, and are kept.
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
    for (item, _) in plan
        .items
        .iter()
        .filter(|(_, verdict)| *verdict == Verdict::Same)
    {
        done.note(staged::dress(
            host,
            &spec.dest.join(&item.path),
            spec.file_mode,
            ids,
        )?);
    }
    Ok(())
}

fn remove(
    host: &Host,
    spec: &MirrorSpec,
    plan: &Plan,
    manifest: &mut Manifest,
    done: &mut Tally,
) -> Result<(), EffectError> {
    for path in &plan.removed {
        done.note(host.apply(&Effect::Absent {
            at: Target::Path(spec.dest.join(path)),
        })?);
        done.deleted += 1;
        manifest.files.remove(path);
    }
    for directory in plan.emptied() {
        let path = spec.dest.join(directory);
        files::remove_if_empty(host, &path)
            .map_err(|source| EffectError::Write { path, source })?;
    }
    Ok(())
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
