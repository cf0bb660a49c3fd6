//! What a mirror remembers of what it put where.

use std::collections::BTreeMap;
use std::path::Path;

use contract::effect::{Content, Effect, FileSpec, Mode, Owner, Target};
use contract::error::EffectError;
use contract::machine::{Machine, Probe};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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
}

impl Entry {
    pub(super) fn of(tag: &str, bytes: &[u8]) -> Self {
        Self {
            tag: tag.to_owned(),
            sha256: sha256(bytes),
        }
    }

    /// Whether `bytes` are those that were put there.
    pub(super) fn holds(&self, bytes: &[u8]) -> bool {
        self.sha256 == sha256(bytes)
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

/// In lower-case hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
