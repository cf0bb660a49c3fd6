//! Files as entries of `write_files` want them: fetched, appended to, with an owner who may stay.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use contract::effect::{Append, Content, Keeper, Mode, Source, WriteSpec};
use contract::error::{EffectError, chain};
use contract::fetch::{Fetch, FetchError, Wanted};
use contract::hex::hex;
use contract::machine::{Change, FileKind, Probe};
use contract::secret::Secret;
use net::fetch::Fetcher;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{self as sys};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, PROC_SUPER_MAGIC, SYSFS_MAGIC, fstatfs};
use nix::unistd::{Gid, Uid, fchown, getegid, geteuid};
use sha2::{Digest, Sha256};

use crate::files::{self, Ids, Spot};
use crate::host::{Host, kind_of};
use crate::root::{dir_flags, make_directory, stat};

/// cloud-init tries four times with 3 s between; that a try has an end is ours.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(60);

/// The ids of an owner; `None` of either stays as it is.
#[derive(Debug, Clone, Copy, Default)]
struct OwnerIds {
    user: Option<u32>,
    group: Option<u32>,
}

/// What was found out about an owner.
enum Found {
    Ids(OwnerIds),
    /// Nobody has made this account: `user` or `group`, and its name.
    Missing(&'static str, String),
    /// Only root could set the owner.
    NeedsRoot,
}

/// A file as it is wanted. One whose owner is missing is written nevertheless, as root's and without
/// set-id bits, and then it is an error: that is what cloud-init leaves behind.
pub(crate) fn apply(host: &Host, spec: &WriteSpec) -> Result<Change, EffectError> {
    let failed = |source: io::Error| EffectError::Write {
        path: spec.path.clone(),
        source,
    };
    let found = owner(host.privileged, host, &spec.owner)?;
    let (bytes, warning) = content(host, spec)?;
    let owner = match &found {
        Found::Ids(ids) => *ids,
        Found::Missing(..) | Found::NeedsRoot => OwnerIds::default(),
    };
    let parent = spec.path.parent().unwrap_or(Path::new("/"));
    let dir = directory(host, parent, owner).map_err(failed)?;
    let name = spec.path.file_name().map(ToOwned::to_owned);
    let name = name.ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
    let spot = Spot {
        dir,
        name,
        path: spec.path.clone(),
    };
    let spot = files::follow(host, spot).map_err(failed)?;
    let now = stat(&spot.dir, &spot.name).map_err(failed)?;
    let ids = match found {
        Found::NeedsRoot => Ids::NeedsRoot,
        _ => {
            let own = (geteuid().as_raw(), getegid().as_raw());
            let kept = now.map_or(own, |now| (now.st_uid, now.st_gid));
            Ids::Known(owner.user.unwrap_or(kept.0), owner.group.unwrap_or(kept.1))
        }
    };
    let mode = match found {
        Found::Missing(..) => Mode::new(spec.mode.bits() & 0o1777),
        _ => spec.mode,
    };
    let is_device = now.is_some_and(|now| kind_of(&now) == FileKind::Other);
    let change = if is_device || is_of_the_kernel(&spot.dir) {
        write_into(&spot, &bytes).map_err(failed)?
    } else {
        let bytes = match &spec.append {
            Some(append) => appended(host, host, spec, append, &bytes)?,
            None => bytes,
        };
        files::write(host, &spot, &bytes, mode, ids)?
    };
    if let Found::Missing(kind, name) = found {
        return Err(ownerless(spec, kind, name));
    }
    Ok(match warning {
        Some(warning) if change.is_change() => Change::MadeInstead { warning },
        _ => change,
    })
}

/// What a dry run has to know: the bytes that the file would hold, `None` if they are to be fetched.
/// `probe` sees the machine as it would be by then.
pub(crate) fn preview(
    host: &Host,
    probe: &dyn Probe,
    spec: &WriteSpec,
) -> Result<Option<Content>, EffectError> {
    if let Found::Missing(kind, name) = owner(host.privileged, probe, &spec.owner)? {
        return Err(ownerless(spec, kind, name));
    }
    if let Some(source) = &spec.source {
        // What is on the machine already can be compared.
        let local = source.url.expose().strip_prefix("file://");
        let bytes = local.and_then(|path| probe.read(Path::new(path)).ok().flatten());
        return Ok(bytes.map(|bytes| Content::Secret(Secret::new(bytes))));
    }
    let content = spec.content.clone().unwrap_or(Content::Plain(Vec::new()));
    let Some(append) = &spec.append else {
        return Ok(Some(content));
    };
    let text = |bytes: &[u8]| text_behind(host, probe, spec, append, bytes).map(|(bytes, _)| bytes);
    Ok(Some(match &content {
        Content::Plain(bytes) => Content::Plain(text(bytes)?),
        Content::Secret(bytes) => Content::Secret(Secret::new(text(bytes.expose())?)),
    }))
}

fn ownerless(spec: &WriteSpec, kind: &'static str, name: String) -> EffectError {
    EffectError::Ownerless {
        path: spec.path.clone(),
        kind,
        name,
        hint: spec.hint,
    }
}

/// Who an owner is, by /etc/passwd and /etc/group as `probe` sees them.
fn owner(privileged: bool, probe: &dyn Probe, owner: &Keeper) -> Result<Found, EffectError> {
    let unreadable = |path: &str, source: io::Error| EffectError::Read {
        path: path.into(),
        source,
    };
    let mut ids = OwnerIds::default();
    if let Some(name) = &owner.user {
        let account = probe.user(name).map_err(|e| unreadable("/etc/passwd", e))?;
        ids.user = account.map(|own| own.uid).or_else(|| name.parse().ok());
        if ids.user.is_none() && privileged {
            return Ok(Found::Missing("user", name.clone()));
        }
    }
    if let Some(name) = &owner.group {
        let group = probe.group(name).map_err(|e| unreadable("/etc/group", e))?;
        ids.group = group.or_else(|| name.parse().ok());
        if ids.group.is_none() && privileged {
            return Ok(Found::Missing("group", name.clone()));
        }
    }
    let is_own = |id: Option<u32>, own: u32| id.is_none_or(|id| id == own);
    let is_ours = is_own(ids.user, geteuid().as_raw()) && is_own(ids.group, getegid().as_raw());
    let is_known =
        ids.user.is_some() == owner.user.is_some() && ids.group.is_some() == owner.group.is_some();
    // Without privilege root's is whoever we are, as everywhere.
    let is_roots = |name: &Option<String>| name.as_deref().is_none_or(|name| name == "root");
    let wants_root = is_roots(&owner.user) && is_roots(&owner.group);
    Ok(match (privileged, is_ours && is_known, wants_root) {
        (true, ..) | (false, true, _) => Found::Ids(ids),
        (false, false, true) => Found::Ids(OwnerIds::default()),
        (false, false, false) => Found::NeedsRoot,
    })
}

/// The bytes that an entry is about, and why they are not those that it asked for first.
fn content(host: &Host, spec: &WriteSpec) -> Result<(Vec<u8>, Option<String>), EffectError> {
    let own = spec
        .content
        .as_ref()
        .map(|content| content.bytes().to_vec());
    let Some(source) = &spec.source else {
        return Ok((own.unwrap_or_default(), None));
    };
    match (fetch(host, source), own) {
        (Ok(bytes), _) => Ok((bytes.into_inner(), None)),
        (Err(error), Some(bytes)) => {
            let path = spec.path.display();
            let warning = format!("{path} holds its `content`: {}", chain(&error));
            Ok((bytes, Some(warning)))
        }
        (Err(error), None) => Err(EffectError::Fetch {
            what: source.to_string(),
            transient: matches!(error, FetchError::Failed { .. }),
            source: Box::new(error),
        }),
    }
}

fn fetch(host: &Host, source: &Source) -> Result<Secret<Vec<u8>>, FetchError> {
    let url = source.url.expose();
    if let Some(path) = url.strip_prefix("file://") {
        let failed = |error: io::Error| FetchError::Failed {
            url: source.to_string(),
            reason: error.to_string(),
        };
        let limit = u64::try_from(WriteSpec::LIMIT).unwrap_or(u64::MAX);
        return host
            .read_up_to(Path::new(path), limit)
            .map(Secret::new)
            .map_err(failed);
    }
    let wanted = Wanted {
        url,
        headers: &source.headers,
        max_bytes: WriteSpec::LIMIT,
        timeout: TIMEOUT,
        tries: TRIES,
        pause: PAUSE,
    };
    let (region, domain) = (source.region.clone(), source.domain.clone());
    Fetcher::new(host.s3.clone(), region, domain).fetch(&wanted)
}

/// The directory `path`; missing ones are made 0755 and the owner's.
fn directory(host: &Host, path: &Path, ids: OwnerIds) -> io::Result<OwnedFd> {
    match host.root.open(path, dir_flags(), 0) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let parent = directory(host, above, ids)?;
    make_directory(&parent, name, 0o755)?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let made = openat(&parent, name, flags, sys::Mode::empty())?;
    if ids.user.is_some() || ids.group.is_some() {
        fchown(
            &made,
            ids.user.map(Uid::from_raw),
            ids.group.map(Gid::from_raw),
        )?;
    }
    host.touch(&parent)?;
    Ok(made)
}

/// What the file holds with `text` behind it, once: the record of it is made durable first.
fn appended(
    host: &Host,
    probe: &dyn Probe,
    spec: &WriteSpec,
    append: &Append,
    text: &[u8],
) -> Result<Vec<u8>, EffectError> {
    let (bytes, record) = text_behind(host, probe, spec, append, text)?;
    if let Some(record) = record {
        let noted = files::append(host, &append.records, record.as_bytes(), true);
        noted.map_err(|source| EffectError::Write {
            path: append.records.clone(),
            source,
        })?;
    }
    Ok(bytes)
}

/// What the file holds with `text` behind it, and the record to make before that.
///
/// A record says how often the text was in the file before: if it is there more often, it has been
/// appended.
fn text_behind(
    host: &Host,
    probe: &dyn Probe,
    spec: &WriteSpec,
    append: &Append,
    text: &[u8],
) -> Result<(Vec<u8>, Option<String>), EffectError> {
    let unreadable = |path: &Path, source: io::Error| EffectError::Read {
        path: path.to_owned(),
        source,
    };
    let read = |path: &Path| probe.read(path).map_err(|source| unreadable(path, source));
    let mut bytes = read(&spec.path)?.unwrap_or_default();
    if text.is_empty() {
        return Ok((bytes, None));
    }
    let key = key(&spec.path, append.nth, text);
    let records = host.read(&append.records);
    let records = records.map_err(|source| unreadable(&append.records, source))?;
    let records = String::from_utf8_lossy(&records.unwrap_or_default()).into_owned();
    let before = records.lines().rev().find_map(|line| {
        let (name, count) = line.split_once(' ')?;
        (name == key).then(|| count.parse::<usize>().ok())?
    });
    let count = occurrences(&bytes, text);
    if before.is_some_and(|before| count > before) {
        return Ok((bytes, None));
    }
    bytes.extend_from_slice(text);
    let is_noted = before == Some(count);
    Ok((bytes, (!is_noted).then(|| format!("{key} {count}\n"))))
}

fn key(path: &Path, nth: usize, text: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(path.as_os_str().as_encoded_bytes());
    hash.update(b"\0");
    hash.update(nth.to_string());
    hash.update(b"\0");
    hash.update(text);
    hex(&hash.finalize())
}

/// How often `text`, which is not empty, begins in `bytes`.
fn occurrences(bytes: &[u8], text: &[u8]) -> usize {
    let found = bytes.windows(text.len());
    found.filter(|window| *window == text).count()
}

/// Files that the kernel shows are written into: none can take their place.
fn is_of_the_kernel(dir: &OwnedFd) -> bool {
    fstatfs(dir).is_ok_and(|fs| {
        [PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP2_SUPER_MAGIC].contains(&fs.filesystem_type())
    })
}

fn write_into(spot: &Spot, bytes: &[u8]) -> io::Result<Change> {
    let flags = OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let fd = openat(&spot.dir, spot.name.as_os_str(), flags, sys::Mode::empty())?;
    File::from(fd).write_all(bytes)?;
    Ok(Change::MADE)
}
