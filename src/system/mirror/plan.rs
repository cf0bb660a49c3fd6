//! What a mirror would do: each of the origin's files against what the destination holds.

use std::collections::BTreeSet;
use std::path::Path;

use contract::effect::MirrorSpec;
use contract::error::EffectError;
use contract::machine::{FileKind, Probe};

use super::manifest::Manifest;
use super::source::Source;
use super::{Item, directory, refused};
use crate::host::Host;

/// What is to be done about one file of the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Same,
    Add,
    Replace,
}

pub(super) struct Plan {
    /// The origin's files, sorted by path.
    pub(super) items: Vec<(Item, Verdict)>,
    /// Sorted, too.
    pub(super) removed: Vec<String>,
    /// What the destination holds now.
    pub(super) present: BTreeSet<String>,
    pub(super) manifest: Manifest,
}

impl Plan {
    /// `probe` sees the machine as it would be, `host` as it is.
    pub(super) fn make(
        host: &Host,
        probe: &dyn Probe,
        spec: &MirrorSpec,
        source: &Source<'_>,
    ) -> Result<Self, EffectError> {
        let known = Manifest::load(probe, &spec.manifest)?;
        let present = match kind(probe, &spec.dest)? {
            None => BTreeSet::new(),
            Some(FileKind::Directory) => directory::files(probe, &spec.dest)?,
            Some(_) => return Err(refused(&spec.dest, "it is not a directory")),
        };
        if known.is_none() && !present.is_empty() && !spec.adopt {
            let reason = "it holds files that no mirror put there: empty it, or say `adopt: true`";
            return Err(refused(&spec.dest, reason));
        }
        let manifest = known.unwrap_or_default();
        let mut items = Vec::new();
        for item in source.list(probe)? {
            let verdict = verdict(host, probe, spec, &manifest, &item)?;
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

    pub(super) fn offers(&self, path: &str) -> bool {
        self.items
            .binary_search_by(|(item, _)| item.path.as_str().cmp(path))
            .is_ok()
    }

    pub(super) fn removes(&self, path: &str) -> bool {
        let at = self
            .removed
            .binary_search_by(|removed| removed.as_str().cmp(path));
        at.is_ok()
    }

    pub(super) fn changes_files(&self) -> bool {
        !self.removed.is_empty() || self.items.iter().any(|(_, v)| *v != Verdict::Same)
    }

    /// Every directory below the destination, those above others first.
    pub(super) fn directories(&self) -> BTreeSet<&Path> {
        let paths = self.items.iter().map(|(item, _)| Path::new(&item.path));
        let all = paths.flat_map(|path| path.ancestors().skip(1));
        all.filter(|directory| !directory.as_os_str().is_empty())
            .collect()
    }

    /// Directories that held what is removed and that nothing of the origin is in, those below
    /// others first.
    pub(super) fn emptied(&self) -> Vec<&Path> {
        let kept = self.directories();
        let paths = self.removed.iter().map(Path::new);
        let above: BTreeSet<&Path> = paths
            .flat_map(|path| path.ancestors().skip(1))
            .filter(|directory| !directory.as_os_str().is_empty() && !kept.contains(directory))
            .collect();
        above.into_iter().rev().collect()
    }
}

fn verdict(
    host: &Host,
    probe: &dyn Probe,
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
        if !matches!(kind(probe, above)?, None | Some(FileKind::Directory)) {
            return Err(refused(above, "a directory of the mirror shall be here"));
        }
    }
    match kind(probe, &at)? {
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
    let same = entry.tag == item.tag
        && entry
            .holds(host, &at)
            .map_err(|source| directory::cannot_read(&at, source))?;
    Ok(if same {
        Verdict::Same
    } else {
        Verdict::Replace
    })
}

fn kind(probe: &dyn Probe, path: &Path) -> Result<Option<FileKind>, EffectError> {
    probe
        .kind(path)
        .map_err(|source| directory::cannot_read(path, source))
}
