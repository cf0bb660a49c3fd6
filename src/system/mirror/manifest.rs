//! What a mirror remembers of what it put where.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use contract::effect::{Content, Effect, FileSpec, Mode, Owner, Target};
use contract::error::EffectError;
use contract::machine::{Machine, Probe};
use serde::{Deserialize, Serialize};

use crate::host::Host;
use crate::staged::{self, Placed};

/// The manifest, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// By path below the destination.
    pub(super) files: BTreeMap<String, Entry>,
}

/// A file that a mirror put there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// What the origin said of the content; empty: it is being written.
    pub(super) tag: String,
    sha256: String,
    /// In bytes.
    #[serde(default)]
    size: u64,
    /// As the file system had it when the file took its place.
    #[serde(default)]
    mtime_ns: i64,
}

impl Entry {
    pub(super) fn of(tag: &str, placed: Placed) -> Self {
        Self {
            tag: tag.to_owned(),
            sha256: placed.sha256,
            size: placed.size,
            mtime_ns: placed.mtime_ns,
        }
    }

    /// Whether the file at `path` still holds what was put there. One of the same size and time is
    /// taken for the same, as rsync(1) does; else its bytes decide.
    pub(super) fn holds(&self, host: &Host, path: &Path) -> io::Result<bool> {
        let Some(found) = host.stat(path)? else {
            return Ok(false);
        };
        if staged::size(&found) != self.size {
            return Ok(false);
        }
        Ok(staged::mtime_ns(&found) == self.mtime_ns
            || staged::sha256_of(host, path)? == self.sha256)
    }
}

impl Manifest {
    /// `None` without one, or with one that a power cut tore.
    pub(super) fn load(machine: &dyn Probe, path: &Path) -> Result<Option<Self>, EffectError> {
        let bytes = machine.read(path).map_err(|source| EffectError::Read {
            path: path.to_owned(),
            source,
        })?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Notes files that are about to be written.
    pub(super) fn claim<'a>(&mut self, paths: impl Iterator<Item = &'a str>) {
        for path in paths {
            self.files.entry(path.to_owned()).or_default();
        }
    }

    pub(super) fn save(&self, machine: &dyn Machine, path: &Path) -> Result<(), EffectError> {
        let json = serde_json::to_vec(self).map_err(|error| EffectError::Write {
            path: path.to_owned(),
            source: error.into(),
        })?;
        let file = FileSpec {
            at: Target::Path(path.to_owned()),
            content: Content::Plain(json),
            mode: Mode::PRIVATE,
            owner: Owner::Root,
        };
        machine.apply(&Effect::File(file)).map(drop)
    }
}
