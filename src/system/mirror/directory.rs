//! An origin on the machine itself.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use contract::error::EffectError;
use contract::machine::{FileKind, Probe};

use super::{FILES_MAX, Item, key};
use crate::host::Host;
use crate::staged;

/// The files of a directory below the machine's root, sorted by path.
pub(super) fn list(host: &Host, probe: &dyn Probe, top: &Path) -> Result<Vec<Item>, EffectError> {
    let found = probe.kind(top).map_err(|e| cannot_read(top, e))?;
    if found.is_none() {
        return Err(cannot_read(top, io::ErrorKind::NotFound.into()));
    }
    let mut items = Vec::new();
    for path in files(probe, top)? {
        let at = top.join(&path);
        if probe.kind(&at).map_err(|e| cannot_read(&at, e))? != Some(FileKind::File) {
            let reason = "it is neither a file nor a directory, and content holds nothing else";
            return Err(EffectError::Refused {
                path: at,
                reason: reason.to_owned(),
            });
        }
        let tag = match staged::sha256_of(host, &at) {
            Ok(tag) => tag,
            // In a dry run: a file that an earlier effect would have written.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let bytes = probe.read(&at).map_err(|e| cannot_read(&at, e))?;
                staged::sha256(&bytes.ok_or_else(|| cannot_read(&at, error))?)
            }
            Err(error) => return Err(cannot_read(&at, error)),
        };
        items.push(Item { path, tag, size: 0 });
    }
    Ok(items)
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

pub(super) fn cannot_read(path: &Path, source: io::Error) -> EffectError {
    EffectError::Read {
        path: path.to_owned(),
        source,
    }
}
