//! Files, directories and links: each replaced whole or not at all.
//!
//! A link at a file's own path is followed inside the root, as cloud-init's `write_files` does,
//! unless it dangles or belongs to somebody who is neither root nor us: then the link itself is
//! replaced. In a home directory, which its user can change meanwhile, no link is followed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use contract::effect::{FileSpec, Mode, Owner, Target};
use contract::error::EffectError;
use contract::machine::{Account, Change, FileKind, NotDone, Probe};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{self as sys, FileStat, fchmod, fstat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, getegid, geteuid, symlinkat, unlinkat};

use crate::host::{Host, kind_of};
use crate::root::{dir_flags, make_directory, stat};

/// Ids to set, or what keeps us from setting them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ids {
    /// These shall be the owner's.
    Known(u32, u32),
    /// Only root could set them.
    NeedsRoot,
}

impl Ids {
    /// Whoever this process is, which on a live machine is root.
    pub(crate) fn own() -> Self {
        Self::Known(geteuid().as_raw(), getegid().as_raw())
    }
}

/// An open directory and a name in it.
pub(crate) struct Spot {
    pub(crate) dir: OwnedFd,
    pub(crate) name: OsString,
    pub(crate) path: PathBuf,
}

/// A file with exactly these bytes.
pub(crate) fn file(host: &Host, spec: &FileSpec) -> Result<Change, EffectError> {
    let ids = ids(host, &spec.owner)?;
    let Some(spot) = spot(host, &spec.at)? else {
        return Ok(Change::NotDone(NotDone::NeedsRoot));
    };
    let spot = match spec.at {
        Target::Path(_) => follow(host, spot).map_err(|e| wrong(&spec.at, e))?,
        Target::Home { .. } => spot,
    };
    write(host, &spot, spec.content.bytes(), spec.mode, ids)
}

/// Replaces what is at `spot` by a file of these bytes, in one rename.
pub(crate) fn write(
    host: &Host,
    spot: &Spot,
    bytes: &[u8],
    mode: Mode,
    ids: Ids,
) -> Result<Change, EffectError> {
    let failed = |source: io::Error| EffectError::Write {
        path: spot.path.clone(),
        source,
    };
    if same(spot, bytes, mode, ids).map_err(failed)? {
        return Ok(match ids {
            Ids::Known(..) => Change::AlreadySo,
            Ids::NeedsRoot => Change::NotDone(NotDone::NeedsRoot),
        });
    }
    let temporary = temporary_name();
    let result = fill(spot, &temporary, bytes, mode, ids).and_then(|()| {
        Ok(renameat(
            &spot.dir,
            temporary.as_os_str(),
            &spot.dir,
            spot.name.as_os_str(),
        )?)
    });
    if let Err(error) = result {
        // The first error is the one to tell; this may fail for the same reason.
        let _ = unlinkat(&spot.dir, temporary.as_os_str(), UnlinkatFlags::NoRemoveDir);
        return Err(failed(error));
    }
    host.touch(&spot.dir).map_err(failed)?;
    Ok(made(ids))
}

/// A directory with this mode and owner.
pub(crate) fn directory(
    host: &Host,
    at: &Target,
    mode: Mode,
    owner: &Owner,
) -> Result<Change, EffectError> {
    let ids = ids(host, owner)?;
    let Some(spot) = spot(host, at)? else {
        return Ok(Change::NotDone(NotDone::NeedsRoot));
    };
    directory_in(host, &spot, matches!(at, Target::Path(_)), mode, ids).map_err(|e| wrong(at, e))
}

/// A symbolic link that holds `to`.
pub(crate) fn link(host: &Host, at: &Target, to: &Path) -> Result<Change, EffectError> {
    let Some(spot) = spot(host, at)? else {
        return Ok(Change::NotDone(NotDone::NeedsRoot));
    };
    let put = || -> io::Result<Change> {
        let now = readlinkat(&spot.dir, spot.name.as_os_str());
        if now.is_ok_and(|now| now == to.as_os_str()) {
            return Ok(Change::AlreadySo);
        }
        let temporary = temporary_name();
        symlinkat(to, &spot.dir, temporary.as_os_str())?;
        let renamed = renameat(
            &spot.dir,
            temporary.as_os_str(),
            &spot.dir,
            spot.name.as_os_str(),
        );
        if let Err(error) = renamed {
            let _ = unlinkat(&spot.dir, temporary.as_os_str(), UnlinkatFlags::NoRemoveDir);
            return Err(error.into());
        }
        host.touch(&spot.dir)?;
        Ok(Change::MADE)
    };
    put().map_err(|e| wrong(at, e))
}

/// No file there; a directory is an error, for what is in it was not spoken of.
pub(crate) fn absent(host: &Host, at: &Target) -> Result<Change, EffectError> {
    if let Target::Path(path) = at
        && host.stat(path).map_err(|e| wrong(at, e))?.is_none()
    {
        return Ok(Change::AlreadySo);
    }
    let Some(spot) = spot(host, at)? else {
        return Ok(Change::NotDone(NotDone::NeedsRoot));
    };
    match unlinkat(&spot.dir, spot.name.as_os_str(), UnlinkatFlags::NoRemoveDir) {
        Ok(()) => {
            host.touch(&spot.dir).map_err(|e| wrong(at, e))?;
            Ok(Change::MADE)
        }
        Err(Errno::ENOENT) => Ok(Change::AlreadySo),
        Err(error) => Err(wrong(at, error.into())),
    }
}

/// Removes a directory with nothing in it; any other stays.
pub(crate) fn remove_if_empty(host: &Host, path: &Path) -> io::Result<()> {
    let (dir, name) = host.root.parent(path, false)?;
    match unlinkat(&dir, name.as_os_str(), UnlinkatFlags::RemoveDir) {
        Ok(()) => host.touch(&dir),
        Err(Errno::ENOENT | Errno::ENOTEMPTY | Errno::ENOTDIR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Removes a directory and all that is in it, links not followed; whether it was there.
pub(crate) fn remove_tree(host: &Host, path: &Path) -> io::Result<bool> {
    let Some(found) = host.stat(path)? else {
        return Ok(false);
    };
    if kind_of(&found) != FileKind::Directory {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let (dir, name) = host.root.parent(path, false)?;
    // Through the open directory, so that no link above it can lead out of the root; the
    // standard library does not follow links below it.
    let parent = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()));
    std::fs::remove_dir_all(parent.join(name))?;
    host.touch(&dir)?;
    Ok(true)
}

/// Appends to a file of mode 0600.
pub(crate) fn append(host: &Host, path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    let (dir, name) = host.root.parent(path, true)?;
    let flags =
        OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let fd = openat(
        &dir,
        name.as_os_str(),
        flags,
        sys::Mode::from_bits_truncate(0o600),
    )?;
    let mut file = File::from(fd);
    file.write_all(bytes)?;
    if durable {
        file.sync_data()?;
    }
    host.touch(&dir)
}

/// The ids of an owner, from the root's own /etc/passwd and /etc/group.
pub(crate) fn ids(host: &Host, owner: &Owner) -> Result<Ids, EffectError> {
    let Owner::Named { user, group } = owner else {
        return Ok(Ids::own());
    };
    let own = (geteuid().as_raw(), getegid().as_raw());
    match named(host, user, group.as_deref()) {
        Ok(ids) if host.privileged || ids == own => Ok(Ids::Known(ids.0, ids.1)),
        // The account may be one that only root could have made a moment ago.
        Ok(_) | Err(EffectError::NoSuchAccount { .. }) if !host.privileged => Ok(Ids::NeedsRoot),
        Ok(ids) => Ok(Ids::Known(ids.0, ids.1)),
        Err(error) => Err(error),
    }
}

fn named(host: &Host, user: &str, group: Option<&str>) -> Result<(u32, u32), EffectError> {
    let account = lookup(host, user)?;
    let (uid, primary) = match (account, user.parse()) {
        (Some(account), _) => (account.uid, Some(account.gid)),
        (None, Ok(uid)) => (uid, None),
        (None, Err(_)) => return Err(no_such("user", user)),
    };
    let gid = match group {
        Some(group) => host
            .group(group)
            .map_err(|source| unreadable("/etc/group", source))?
            .or_else(|| group.parse().ok())
            .ok_or_else(|| no_such("group", group))?,
        None => primary.unwrap_or(uid),
    };
    Ok((uid, gid))
}

/// A row of the root's own /etc/passwd.
pub(crate) fn lookup(host: &Host, user: &str) -> Result<Option<Account>, EffectError> {
    host.user(user)
        .map_err(|source| unreadable("/etc/passwd", source))
}

pub(crate) fn no_such(kind: &'static str, name: &str) -> EffectError {
    EffectError::NoSuchAccount {
        kind,
        name: name.to_owned(),
    }
}

fn unreadable(path: &str, source: io::Error) -> EffectError {
    EffectError::Read {
        path: path.into(),
        source,
    }
}

fn wrong(at: &Target, source: io::Error) -> EffectError {
    EffectError::Write {
        path: PathBuf::from(at.to_string()),
        source,
    }
}

/// Where a target is; `None` if it is the home of a user whom only root could have made.
fn spot(host: &Host, at: &Target) -> Result<Option<Spot>, EffectError> {
    match at {
        Target::Path(path) => {
            let (dir, name) = host.root.parent(path, true).map_err(|e| wrong(at, e))?;
            let path = path.clone();
            Ok(Some(Spot { dir, name, path }))
        }
        Target::Home { user, rest } => match lookup(host, user.as_str())? {
            Some(account) => in_home(host, &account, rest, 0o755).map(Some),
            None if host.privileged => Err(no_such("user", user.as_str())),
            None => Ok(None),
        },
    }
}

/// A spot in a home directory: every directory from the home down must be one, not a link;
/// missing ones below it are made with `mode`, the user's.
pub(crate) fn in_home(
    host: &Host,
    account: &Account,
    rest: &Path,
    mode: u32,
) -> Result<Spot, EffectError> {
    let mut path = PathBuf::from(&account.home);
    let refused = |path: &Path, reason: &str| EffectError::Refused {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let mut names = Vec::new();
    for part in rest.components() {
        let Component::Normal(name) = part else {
            return Err(refused(
                &path.join(rest),
                "it leads out of the home directory",
            ));
        };
        names.push(name.to_owned());
    }
    let Some(last) = names.pop() else {
        return Err(refused(&path, "it names no file in the home directory"));
    };
    let step = |path: &Path, result: io::Result<OwnedFd>| match result {
        Ok(fd) => Ok(fd),
        Err(e)
            if e.raw_os_error()
                .map(Errno::from_raw)
                .is_some_and(not_a_directory) =>
        {
            Err(refused(path, "it is not a directory, or a link; remove it"))
        }
        Err(source) => Err(EffectError::Write {
            path: path.to_owned(),
            source,
        }),
    };
    let nofollow = dir_flags() | OFlag::O_NOFOLLOW;
    let mut dir = step(&path, host.root.open(&path, nofollow, 0))?;
    for name in names {
        path.push(&name);
        let enter = || -> io::Result<OwnedFd> {
            let fresh = stat(&dir, &name)?.is_none();
            if fresh {
                make_directory(&dir, &name, mode)?;
            }
            let flags = if fresh {
                OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC
            } else {
                nofollow
            };
            let next = openat(&dir, name.as_os_str(), flags, sys::Mode::empty())?;
            if fresh && host.privileged {
                fchown(
                    &next,
                    Some(Uid::from_raw(account.uid)),
                    Some(Gid::from_raw(account.gid)),
                )?;
            }
            Ok(next)
        };
        dir = step(&path, enter())?;
    }
    path.push(&last);
    Ok(Spot {
        dir,
        name: last,
        path,
    })
}

fn not_a_directory(errno: Errno) -> bool {
    matches!(errno, Errno::ELOOP | Errno::ENOTDIR)
}

/// Follows the link at a spot as long as it may be followed and leads somewhere.
pub(crate) fn follow(host: &Host, mut spot: Spot) -> io::Result<Spot> {
    // As many links as path_resolution(7) follows.
    for _ in 0..40 {
        let Some(found) = stat(&spot.dir, &spot.name)? else {
            return Ok(spot);
        };
        let ours = found.st_uid == 0 || found.st_uid == geteuid().as_raw();
        let dangles = || match host.root.open(&spot.path, OFlag::O_PATH, 0) {
            Ok(_) => false,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if kind_of(&found) != FileKind::Link || !ours || dangles() {
            return Ok(spot);
        }
        let to = PathBuf::from(readlinkat(&spot.dir, spot.name.as_os_str())?);
        let parent = spot.path.parent().unwrap_or(Path::new("/"));
        let path = parent.join(to);
        let (dir, name) = host.root.parent(&path, false)?;
        spot = Spot { dir, name, path };
    }
    Err(Errno::ELOOP.into())
}

fn same(spot: &Spot, bytes: &[u8], mode: Mode, ids: Ids) -> io::Result<bool> {
    let Some(found) = stat(&spot.dir, &spot.name)? else {
        return Ok(false);
    };
    let long = i64::try_from(bytes.len()).is_ok_and(|n| n == found.st_size);
    if kind_of(&found) != FileKind::File || !long || !dressed(&found, mode, ids) {
        return Ok(false);
    }
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    match openat(&spot.dir, spot.name.as_os_str(), flags, sys::Mode::empty()) {
        Ok(fd) => {
            let mut now = Vec::with_capacity(bytes.len());
            File::from(fd).read_to_end(&mut now)?;
            Ok(now == bytes)
        }
        // A file that may not be read may yet be replaced.
        Err(_) => Ok(false),
    }
}

pub(crate) fn dressed(found: &FileStat, mode: Mode, ids: Ids) -> bool {
    let owned = match ids {
        Ids::Known(uid, gid) => found.st_uid == uid && found.st_gid == gid,
        Ids::NeedsRoot => true,
    };
    found.st_mode & 0o7777 == mode.bits() && owned
}

fn fill(spot: &Spot, name: &OsStr, bytes: &[u8], mode: Mode, ids: Ids) -> io::Result<()> {
    let flags =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    // The group may be another one until fchown: nothing for it, nor a set-id bit, before that.
    let first = sys::Mode::from_bits_truncate(mode.bits() & 0o600);
    let mut file = File::from(openat(&spot.dir, name, flags, first)?);
    file.write_all(bytes)?;
    dress(&file, mode, ids)
}

pub(crate) fn dress(file: &File, mode: Mode, ids: Ids) -> io::Result<()> {
    let now = fstat(file)?;
    if let Ids::Known(uid, gid) = ids
        && (now.st_uid, now.st_gid) != (uid, gid)
    {
        fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    // Last, for fchown and write clear set-id bits.
    Ok(fchmod(file, sys::Mode::from_bits_truncate(mode.bits()))?)
}

fn directory_in(
    host: &Host,
    spot: &Spot,
    follow_link: bool,
    mode: Mode,
    ids: Ids,
) -> io::Result<Change> {
    let fresh = stat(&spot.dir, &spot.name)?.is_none();
    if fresh {
        make_directory(&spot.dir, &spot.name, mode.bits() & 0o700 | 0o500)?;
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let fd = if follow_link && !fresh {
        host.root.open(&spot.path, flags, 0)?
    } else {
        let flags = flags | OFlag::O_NOFOLLOW;
        openat(&spot.dir, spot.name.as_os_str(), flags, sys::Mode::empty())?
    };
    if !fresh && dressed(&fstat(&fd)?, mode, ids) {
        return Ok(match ids {
            Ids::Known(..) => Change::AlreadySo,
            Ids::NeedsRoot => Change::NotDone(NotDone::NeedsRoot),
        });
    }
    dress(&File::from(fd), mode, ids)?;
    host.touch(&spot.dir)?;
    Ok(made(ids))
}

pub(crate) fn made(ids: Ids) -> Change {
    match ids {
        Ids::Known(..) => Change::MADE,
        Ids::NeedsRoot => Change::Made {
            note: Some("its owner is not set: needs root".into()),
        },
    }
}

pub(crate) fn temporary_name() -> OsString {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(".firstlight-{}-{count}", std::process::id()).into()
}
