//! Files: replaced whole, with their final mode from their first moment.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use contract::effect::Mode;
use contract::machine::Change;
use nix::fcntl::{OFlag, renameat};
use nix::sys::stat::{SFlag, fchmod, fstat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, symlinkat, unlinkat};

use crate::root::{Root, is_absent};

/// What is read whole is at most this long, in bytes.
const READ_LIMIT: u64 = 16 * 1024 * 1024;

/// A user's and a group's number.
pub(crate) type Ids = (u32, u32);

/// The whole of a file, links followed; `None` if there is none.
pub(crate) fn read(root: &Root, path: &Path) -> io::Result<Option<Vec<u8>>> {
    match root.open_path(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK, 0) {
        Ok(fd) => read_all(File::from(fd)).map(Some),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_all(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(READ_LIMIT + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > READ_LIMIT) {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "more than 16 MiB",
        ));
    }
    Ok(bytes)
}

/// Whether a file holds these bytes with this mode and owner; links are not followed.
pub(crate) fn is_so(
    root: &Root,
    path: &Path,
    bytes: &[u8],
    mode: Mode,
    ids: Option<Ids>,
) -> io::Result<bool> {
    let fd = match root.open_path(
        path,
        OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK,
        0,
    ) {
        Ok(fd) => fd,
        Err(error) if is_absent(&error) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
        Err(error) => return Err(error),
    };
    let stat = fstat(&fd)?;
    let owned = ids.is_none_or(|ids| ids == (stat.st_uid, stat.st_gid));
    if stat.st_mode & 0o7777 != mode.bits() || !owned {
        return Ok(false);
    }
    let same_size = usize::try_from(stat.st_size).is_ok_and(|size| size == bytes.len());
    Ok(same_size && read_all(File::from(fd))? == bytes)
}

/// Ensures that `path` is a file of exactly these bytes. A reader meets the old file or the new
/// one. A link at `path` is followed, so that `/etc/hosts -> /data/hosts` stays a link.
pub(crate) fn ensure_file(
    root: &Root,
    path: &Path,
    bytes: &[u8],
    mode: Mode,
    ids: Option<Ids>,
) -> io::Result<Change> {
    let path = root.follow(path)?;
    if is_so(root, &path, bytes, mode, ids)? {
        return Ok(Change::AlreadySo);
    }
    if let Some(parent) = path.parent() {
        root.make_dirs(parent)?;
    }
    write(root, &path, mode, ids, |file| file.write_all(bytes))?;
    Ok(Change::MADE)
}

/// Replaces a file by what `fill` writes. When it fails, the old file is as it was.
pub(crate) fn write(
    root: &Root,
    path: &Path,
    mode: Mode,
    ids: Option<Ids>,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let (dir, name) = root.parent(path)?;
    let draft = draft_name(&name);
    // Nobody else may open it before it has its owner: the owner's bits first, the rest at the end.
    let flags =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let first = nix::sys::stat::Mode::from_bits_truncate(mode.bits() & 0o700);
    let fd = nix::fcntl::openat(&dir, draft.as_os_str(), flags, first)?;
    let mut file = File::from(fd);
    let written = fill(&mut file)
        .and_then(|()| settle_owner(&file, mode, ids))
        .and_then(|()| Ok(renameat(&dir, draft.as_os_str(), &dir, name.as_os_str())?));
    if written.is_err() {
        let _ = unlinkat(&dir, draft.as_os_str(), UnlinkatFlags::NoRemoveDir);
    }
    written
}

fn settle_owner(file: &File, mode: Mode, ids: Option<Ids>) -> io::Result<()> {
    if let Some((uid, gid)) = ids {
        fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    // After the owner: chown(2) takes the set-id bits away.
    Ok(fchmod(
        file.as_fd(),
        nix::sys::stat::Mode::from_bits_truncate(mode.bits()),
    )?)
}

fn draft_name(name: &OsString) -> OsString {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut draft = OsString::from(".");
    draft.push(name);
    draft.push(format!(
        ".firstlight-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ));
    draft
}

/// Ensures a directory with this mode and owner.
pub(crate) fn ensure_directory(
    root: &Root,
    path: &Path,
    mode: Mode,
    ids: Option<Ids>,
) -> io::Result<Change> {
    let made = root.make_dirs(path)?;
    let dir = root.open_path(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0)?;
    let stat = fstat(&dir)?;
    let owned = ids.is_none_or(|ids| ids == (stat.st_uid, stat.st_gid));
    if stat.st_mode & 0o7777 == mode.bits() && owned {
        return Ok(if made {
            Change::MADE
        } else {
            Change::AlreadySo
        });
    }
    settle_owner(&File::from(dir), mode, ids)?;
    Ok(Change::MADE)
}

/// Ensures a symbolic link that holds `to`; a link or file that is there is replaced in one step.
pub(crate) fn ensure_link(root: &Root, path: &Path, to: &Path) -> io::Result<Change> {
    if root.link(path)?.as_deref() == Some(to) {
        return Ok(Change::AlreadySo);
    }
    if let Some(parent) = path.parent() {
        root.make_dirs(parent)?;
    }
    let (dir, name) = root.parent(path)?;
    let draft = draft_name(&name);
    symlinkat(to, &dir, draft.as_os_str())?;
    if let Err(error) = renameat(&dir, draft.as_os_str(), &dir, name.as_os_str()) {
        let _ = unlinkat(&dir, draft.as_os_str(), UnlinkatFlags::NoRemoveDir);
        return Err(error.into());
    }
    Ok(Change::MADE)
}

/// Ensures that there is no file; a directory is not removed.
pub(crate) fn ensure_absent(root: &Root, path: &Path) -> io::Result<Change> {
    if root.stat(path)?.is_none() {
        return Ok(Change::AlreadySo);
    }
    let (dir, name) = root.parent(path)?;
    unlinkat(&dir, name.as_os_str(), UnlinkatFlags::NoRemoveDir)?;
    Ok(Change::MADE)
}

/// The type bits of a mode.
pub(crate) fn kind_of(mode: u32) -> SFlag {
    SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits())
}
