//! Content that changes all at once: each state of it is a directory of its own, a release, and
//! the destination is a link to the current one.
//!
//! ```text
//! /var/www/html -> .html.releases/000002
//! /var/www/.html.releases/000001, 000002
//! ```
//!
//! What did not change is linked from one release into the next (link(2)), not copied.

use std::io;
use std::path::{Path, PathBuf};

use contract::effect::{Effect, MirrorSpec, Target};
use contract::error::EffectError;
use contract::machine::{FileKind, Machine, Probe};
use nix::fcntl::{AtFlags, renameat};
use nix::unistd::linkat;

use super::directory::cannot_read;
use crate::files;
use crate::host::Host;

/// The releases of one destination.
pub(super) struct Releases {
    dest: PathBuf,
    dir: PathBuf,
}

impl Releases {
    pub(super) fn of(spec: &MirrorSpec) -> Self {
        let name = spec.dest.file_name().unwrap_or_default().to_string_lossy();
        let dir = format!(".{name}.releases");
        let parent = spec.dest.parent().unwrap_or(Path::new("/"));
        Self {
            dest: spec.dest.clone(),
            dir: parent.join(dir),
        }
    }

    /// The release that the destination links to; `None` if it is no link of ours.
    pub(super) fn current(
        &self,
        host: &Host,
        probe: &dyn Probe,
    ) -> Result<Option<PathBuf>, EffectError> {
        if probe
            .kind(&self.dest)
            .map_err(|e| cannot_read(&self.dest, e))?
            != Some(FileKind::Link)
        {
            return Ok(None);
        }
        for release in self.all(probe)? {
            let linked = host.links_to(&self.dest, &self.link(release));
            if linked.map_err(|source| cannot_read(&self.dest, source))? {
                return Ok(Some(self.path(release)));
            }
        }
        Ok(None)
    }

    /// The numbers of all releases, in their order.
    fn all(&self, probe: &dyn Probe) -> Result<Vec<u32>, EffectError> {
        let names = probe
            .list(&self.dir)
            .map_err(|e| cannot_read(&self.dir, e))?;
        let names = names.unwrap_or_default();
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    fn path(&self, release: u32) -> PathBuf {
        self.dir.join(format!("{release:06}"))
    }

    /// What the destination's link holds: relative, so that it holds below any root.
    fn link(&self, release: u32) -> PathBuf {
        let dir = self.dir.file_name().unwrap_or_default();
        Path::new(dir).join(format!("{release:06}"))
    }

    /// A new release, empty but for nothing: what an interrupted run left in its place is removed.
    pub(super) fn begin(
        &self,
        host: &Host,
        spec: &MirrorSpec,
    ) -> Result<(u32, PathBuf), EffectError> {
        let current = self.current(host, host)?;
        let mut next = 1;
        for release in self.all(host)? {
            let path = self.path(release);
            // Only what comes after the current one was never switched to.
            if current.as_ref().is_some_and(|current| *current >= path) {
                next = release.saturating_add(1);
            } else if release > 0 {
                remove(host, &path)?;
            }
        }
        let path = self.path(next);
        host.apply(&Effect::Directory {
            at: Target::Path(path.clone()),
            mode: spec.dir_mode,
            owner: spec.owner.clone(),
        })?;
        Ok((next, path))
    }

    /// Makes `release` the current one, and keeps as many earlier ones as `keep` says.
    pub(super) fn switch(&self, host: &Host, release: u32, keep: u32) -> Result<(), EffectError> {
        let at = |path: &Path| Target::Path(path.to_owned());
        match host
            .kind(&self.dest)
            .map_err(|e| cannot_read(&self.dest, e))?
        {
            // A directory that a package filled, or an empty one: it is release 0 from now on. For
            // one moment nothing is in its place, this once.
            Some(FileKind::Directory) => {
                remove(host, &self.path(0))?;
                rename(host, &self.dest, &self.path(0))?;
            }
            None | Some(FileKind::Link) => {}
            Some(_) => return Err(super::refused(&self.dest, "it is not a directory")),
        }
        host.apply(&Effect::Link {
            at: at(&self.dest),
            to: self.link(release),
        })?;
        let earlier: Vec<u32> = self
            .all(host)?
            .into_iter()
            .filter(|n| *n < release)
            .collect();
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        for old in earlier.iter().rev().skip(keep) {
            remove(host, &self.path(*old))?;
        }
        Ok(())
    }
}

/// The file `from` under another name as well, its directories made.
pub(super) fn link(host: &Host, from: &Path, to: &Path) -> Result<(), EffectError> {
    let link = || -> io::Result<()> {
        let (from_dir, from_name) = host.root.parent(from, false)?;
        let (to_dir, to_name) = host.root.parent(to, false)?;
        let (from_name, to_name) = (from_name.as_os_str(), to_name.as_os_str());
        linkat(&from_dir, from_name, &to_dir, to_name, AtFlags::empty())?;
        host.touch(&to_dir)
    };
    link().map_err(|source| EffectError::Write {
        path: to.to_owned(),
        source,
    })
}

fn rename(host: &Host, from: &Path, to: &Path) -> Result<(), EffectError> {
    let rename = || -> io::Result<()> {
        let (from_dir, from_name) = host.root.parent(from, false)?;
        let (to_dir, to_name) = host.root.parent(to, true)?;
        renameat(
            &from_dir,
            from_name.as_os_str(),
            &to_dir,
            to_name.as_os_str(),
        )?;
        host.touch(&to_dir)
    };
    rename().map_err(|source| EffectError::Write {
        path: from.to_owned(),
        source,
    })
}

fn remove(host: &Host, path: &Path) -> Result<(), EffectError> {
    files::remove_tree(host, path)
        .map(drop)
        .map_err(|source| EffectError::Write {
            path: path.to_owned(),
            source,
        })
}
