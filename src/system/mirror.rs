//! A directory that holds what its origin holds.
//!
//! A manifest beside the state remembers what was put there, so that the next run compares sizes
//! and times instead of bytes, and so that nothing is removed that this mirror did not bring.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use contract::effect::{MirrorSpec, Mode, Origin, Switch};
use contract::error::EffectError;
use contract::machine::{Change, FileKind, Probe};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::files;
use crate::host::Host;

/// No origin may hold more files than this.
const MAX_FILES: usize = 100_000;

/// What a mirror put at its destination: path below it, and the SHA-256 of its bytes.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    origin: String,
    files: BTreeMap<String, String>,
}

/// What is to be done at a destination.
#[derive(Debug, Default)]
struct Work {
    write: Vec<(String, Vec<u8>)>,
    remove: Vec<String>,
    all: BTreeMap<String, String>,
}

/// Ensures that the destination holds what the origin holds.
pub(crate) fn apply(host: &Host, spec: &MirrorSpec) -> Result<Change, EffectError> {
    let old = manifest(host, spec)?;
    let work = compare(host, spec, &old)?;
    let (ids, note) = host.owner(&spec.owner)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| EffectError::Write { path, source }
    };
    let root = host.paths();
    let existed = matches!(host.kind(&spec.dest), Ok(Some(_)));
    if !existed {
        files::ensure_directory(root, &spec.dest, spec.dir_mode, ids)
            .map_err(failed(&spec.dest))?;
    }
    for (name, bytes) in &work.write {
        let path = spec.dest.join(name);
        for directory in new_directories(host, spec, name) {
            files::ensure_directory(root, &directory, spec.dir_mode, ids)
                .map_err(failed(&directory))?;
        }
        files::ensure_file(root, &path, bytes, spec.file_mode, ids).map_err(failed(&path))?;
        host.touched(path.parent().unwrap_or(&spec.dest));
    }
    for name in &work.remove {
        let path = spec.dest.join(name);
        files::ensure_absent(root, &path).map_err(failed(&path))?;
    }
    let new = Manifest {
        version: 1,
        origin: spec.origin.to_string(),
        files: work.all,
    };
    let changed = !work.write.is_empty() || !work.remove.is_empty() || !existed;
    if new != old {
        let text = serde_json::to_vec(&new).map_err(|error| EffectError::Write {
            path: spec.manifest.clone(),
            source: io::Error::other(error),
        })?;
        files::ensure_file(root, &spec.manifest, &text, Mode::PRIVATE, None)
            .map_err(failed(&spec.manifest))?;
        host.touched(spec.manifest.parent().unwrap_or(&spec.manifest));
    }
    if !changed {
        return Ok(Change::AlreadySo);
    }
    let mut told = format!(
        "{} files, {} written, {} removed",
        new.files.len(),
        work.write.len(),
        work.remove.len()
    );
    if let Some(note) = note {
        told.push_str("; ");
        told.push_str(&note);
    }
    Ok(Change::Made { note: Some(told) })
}

/// What [`apply`] would do.
pub(crate) fn preview(host: &Host, spec: &MirrorSpec) -> Result<Change, EffectError> {
    let work = compare(host, spec, &manifest(host, spec)?)?;
    let write = work.write.iter().map(|(name, _)| format!("+ {name}"));
    let diff: Vec<String> = write
        .chain(work.remove.iter().map(|name| format!("- {name}")))
        .collect();
    let existed = matches!(host.kind(&spec.dest), Ok(Some(_)));
    Ok(if diff.is_empty() && existed {
        Change::AlreadySo
    } else {
        Change::WouldMake { diff }
    })
}

fn compare(host: &Host, spec: &MirrorSpec, old: &Manifest) -> Result<Work, EffectError> {
    let refused = |reason: &str| EffectError::Refused {
        path: spec.dest.clone(),
        reason: reason.to_owned(),
    };
    let Origin::Directory(from) = &spec.origin else {
        return Err(refused(
            "this version mirrors `file://` directories only: an `s3://` source is not fetched",
        ));
    };
    if matches!(spec.switch, Switch::Atomic { .. }) {
        return Err(refused(
            "this version replaces files one by one: leave out `switch: atomic`",
        ));
    }
    if spec.verify_sha256 {
        return Err(refused("this version verifies nothing: leave out `verify`"));
    }
    if old.files.is_empty()
        && !spec.adopt
        && host
            .list(&spec.dest)
            .ok()
            .flatten()
            .is_some_and(|names| !names.is_empty())
    {
        return Err(refused(
            "it holds files that no mirror put there; say `adopt: true` to take it over",
        ));
    }
    let mut work = Work::default();
    let mut names = Vec::new();
    walk(host, from, Path::new(""), &mut names)?;
    for name in names {
        let source = from.join(&name);
        let bytes = host.read(&source).map_err(|error| EffectError::Read {
            path: source.clone(),
            source: error,
        })?;
        let bytes = bytes.unwrap_or_default();
        let digest = hex(&Sha256::digest(&bytes));
        let there = host.read(&spec.dest.join(&name)).ok().flatten();
        if there.as_deref() != Some(&bytes) {
            work.write.push((name.clone(), bytes));
        }
        work.all.insert(name, digest);
    }
    if spec.delete {
        let gone = old
            .files
            .keys()
            .filter(|name| !work.all.contains_key(*name) && is_safe(name));
        work.remove = gone.cloned().collect();
    }
    Ok(work)
}

fn walk(
    host: &Host,
    from: &Path,
    below: &Path,
    names: &mut Vec<String>,
) -> Result<(), EffectError> {
    let dir = from.join(below);
    let reading = |source| EffectError::Read {
        path: dir.clone(),
        source,
    };
    let missing = || reading(io::Error::from(io::ErrorKind::NotFound));
    for name in host.list(&dir).map_err(reading)?.ok_or_else(missing)? {
        let path = below.join(&name);
        match host.kind(&from.join(&path)).map_err(reading)? {
            Some(FileKind::Directory) => walk(host, from, &path, names)?,
            Some(FileKind::File) if names.len() < MAX_FILES => {
                names.push(path.to_string_lossy().into_owned())
            }
            Some(FileKind::File) => {
                return Err(EffectError::Refused {
                    path: dir,
                    reason: format!("more than {MAX_FILES} files"),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

fn new_directories(host: &Host, spec: &MirrorSpec, name: &str) -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = Path::new(name)
        .ancestors()
        .skip(1)
        .filter(|path| !path.as_os_str().is_empty())
        .map(|path| spec.dest.join(path))
        .collect();
    directories.reverse();
    directories.retain(|path| !matches!(host.kind(path), Ok(Some(_))));
    directories
}

fn manifest(host: &Host, spec: &MirrorSpec) -> Result<Manifest, EffectError> {
    let bytes = host
        .read(&spec.manifest)
        .map_err(|source| EffectError::Read {
            path: spec.manifest.clone(),
            source,
        })?;
    // A manifest that cannot be read is as good as none: everything is compared again.
    let known: Option<Manifest> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(known.filter(|known| known.version == 1).unwrap_or_default())
}

/// Whether a path stays below the directory that it is joined to.
fn is_safe(name: &str) -> bool {
    !name.is_empty()
        && Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
