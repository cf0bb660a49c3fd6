//! An origin on the machine itself.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use contract::error::EffectError;
use contract::machine::{FileKind, Probe};

use super::manifest::sha256;
use super::{FILES_MAX, Item, key};

/// A directory below the machine's root.
pub(super) struct Directory<'a> {
    machine: &'a dyn Probe,
    top: PathBuf,
}

impl<'a> Directory<'a> {
    pub(super) fn new(machine: &'a dyn Probe, top: &Path) -> Self {
        Self {
            machine,
            top: top.to_owned(),
        }
    }

    /// Its files, sorted by path.
    pub(super) fn list(&self) -> Result<Vec<Item>, EffectError> {
        if self
            .machine
            .kind(&self.top)
            .map_err(|e| cannot_read(&self.top, e))?
            .is_none()
        {
            return Err(cannot_read(&self.top, io::ErrorKind::NotFound.into()));
        }
        let mut items = Vec::new();
        for path in files(self.machine, &self.top)? {
            let tag = sha256(&self.bytes(&path)?);
            items.push(Item { path, tag });
        }
        Ok(items)
    }

    pub(super) fn fetch(&self, item: &Item) -> Result<Vec<u8>, EffectError> {
        self.bytes(&item.path)
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, EffectError> {
        let path = self.top.join(path);
        let bytes = self
            .machine
            .read(&path)
            .map_err(|source| cannot_read(&path, source))?;
        bytes.ok_or_else(|| cannot_read(&path, io::ErrorKind::NotFound.into()))
    }
}

/// The paths below `top` of everything in it that is no directory; links are not followed.
pub(super) fn files(machine: &dyn Probe, top: &Path) -> Result<BTreeSet<String>, EffectError> {
    let mut found = BTreeSet::new();
    let mut open = vec![String::new()];
    while let Some(directory) = open.pop() {
        let at = top.join(&directory);
        let names = machine
            .list(&at)
            .map_err(|source| cannot_read(&at, source))?;
        for name in names.unwrap_or_default() {
            let path = if directory.is_empty() {
                name
            } else {
                format!("{directory}/{name}")
            };
            let at = top.join(&path);
            if let Some(fault) = key::fault(&path) {
                return Err(EffectError::Refused {
                    path: at,
                    reason: fault.to_owned(),
                });
            }
            match machine
                .kind(&at)
                .map_err(|source| cannot_read(&at, source))?
            {
                None => {}
                Some(FileKind::Directory) => open.push(path),
                Some(_) => {
                    found.insert(path);
                }
            }
            if found.len() + open.len() > FILES_MAX {
                let reason = format!("it holds more than {FILES_MAX} files");
                return Err(EffectError::Refused {
                    path: top.to_owned(),
                    reason,
                });
            }
        }
    }
    Ok(found)
}

fn cannot_read(path: &Path, source: io::Error) -> EffectError {
    EffectError::Read {
        path: path.to_owned(),
        source,
    }
}
