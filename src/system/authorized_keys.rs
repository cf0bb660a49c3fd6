//! A user's authorized_keys file (sshd(8)): keys are added to it, and none is taken away.
//!
//! It is where sshd's configuration says that the user's own is. Source: cloud-init,
//! `cloudinit/ssh_util.py`.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use contract::effect::{self, AuthorizedKeysSpec};
use contract::error::EffectError;
use contract::machine::{Account, Change, FileKind, NotDone, Probe};
use contract::name::{AuthorizedKey, UserName, key_body};
use contract::sshd;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FileStat, Mode, fstat};

use crate::accounts;
use crate::files::{self, Ids, Spot};
use crate::host::{Host, kind_of};
use crate::root::{dir_flags, make_directory, stat};

/// More than any such file needs.
const SIZE_LIMIT: i64 = 16 * 1024 * 1024;
/// What only others than the owner can write.
const WRITABLE: u32 = 0o022;

/// What becomes of a line that holds one of the keys already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// The new line takes its place.
    Replaced,
    /// It stays, and the new one is not added.
    Kept,
}

/// Adds the keys to the user's file; a line with the same key is replaced where it stands.
pub(crate) fn apply(host: &Host, spec: &AuthorizedKeysSpec) -> Result<Change, EffectError> {
    match account(host, &spec.user)? {
        Ok(account) => add(host, &account, &lines(spec), Held::Replaced),
        Err(change) => Ok(change),
    }
}

/// The account whose file this process may write, or what becomes of the file without it.
pub(crate) fn account(
    host: &Host,
    user: &UserName,
) -> Result<Result<Account, Change>, EffectError> {
    let Some(account) = files::lookup(host, user.as_str())? else {
        return accounts::without(host, user).map(Err);
    };
    let is_own = nix::unistd::geteuid().as_raw() == account.uid;
    Ok(if host.privileged || is_own {
        Ok(account)
    } else {
        Err(Change::NotDone(NotDone::NeedsRoot))
    })
}

/// Adds lines to an account's file.
pub(crate) fn add(
    host: &Host,
    account: &Account,
    lines: &[AuthorizedKey],
    held: Held,
) -> Result<Change, EffectError> {
    let is_moot = is_moot(host, account, lines).map_err(|source| EffectError::Read {
        path: account.home.clone().into(),
        source,
    })?;
    if is_moot {
        return Ok(Change::AlreadySo);
    }
    let spot = spot(host, account)?;
    let (old, found) = read(&spot)?;
    let mut ids = Ids::Known(account.uid, account.gid);
    let mut mode = effect::Mode::PRIVATE;
    if let Some(found) = found {
        // An administrator may have made it root's, so that its user cannot change it.
        if found.st_uid == 0 {
            ids = Ids::Known(0, found.st_gid);
        }
        if found.st_mode & WRITABLE == 0 {
            mode = effect::Mode::new(found.st_mode);
        }
    }
    files::write(host, &spot, &merge(&old, lines, held), mode, ids)
}

/// The lines of a specification: its options take the place of each key's own.
pub(crate) fn lines(spec: &AuthorizedKeysSpec) -> Vec<AuthorizedKey> {
    let with = |key: &AuthorizedKey| match &spec.options {
        // A key without the options that it must have is not added.
        Some(options) => key.with_options(options),
        None => Some(key.clone()),
    };
    spec.keys.iter().filter_map(with).collect()
}

/// The first of the files that sshd looks into, that is the user's own and that can be trusted;
/// the one in the home directory if there is none.
fn spot(host: &Host, account: &Account) -> Result<Spot, EffectError> {
    let is_strict = sshd::is_strict(host);
    let home = Path::new(&account.home);
    let mut last = None;
    for path in sshd::authorized_keys_files(host, account) {
        let found = match path.strip_prefix(home) {
            Ok(rest) => files::in_home(host, account, rest, 0o700),
            Err(_) => elsewhere(host, account, &path, is_strict),
        };
        match found {
            Ok(spot) => return Ok(spot),
            Err(error) => {
                let why = contract::error::chain(&error);
                tracing::debug!("authorized keys of {}: {why}", account.name);
                last = Some(error);
            }
        }
    }
    Err(last.unwrap_or_else(|| files::no_such("user", &account.name)))
}

/// A spot outside of the home directory: every directory on the way is one that sshd would trust,
/// and no link; missing ones are root's.
///
/// Source: sshd's `auth.c`; cloud-init, `cloudinit/ssh_util.py` (`check_create_path`).
fn elsewhere(
    host: &Host,
    account: &Account,
    path: &Path,
    is_strict: bool,
) -> Result<Spot, EffectError> {
    let refused = |reason: &str| EffectError::Refused {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let failed = |source: io::Error| EffectError::Write {
        path: path.to_owned(),
        source,
    };
    let mut names = Vec::new();
    for part in path.components().skip(1) {
        let Component::Normal(name) = part else {
            return Err(refused("it leads upwards"));
        };
        names.push(name);
    }
    let Some(last) = names.pop() else {
        return Err(refused("it names no file"));
    };
    let mut dir = host
        .root
        .open(Path::new("/"), dir_flags(), 0)
        .map_err(failed)?;
    for name in names {
        if stat(&dir, name).map_err(failed)?.is_none() {
            make_directory(&dir, name, 0o755).map_err(failed)?;
        }
        let flags = dir_flags() | OFlag::O_NOFOLLOW;
        let next: OwnedFd = match openat(&dir, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::ELOOP | Errno::ENOTDIR) => {
                return Err(refused("a directory on the way is a link, or none"));
            }
            Err(errno) => return Err(failed(errno.into())),
        };
        let found = fstat(&next).map_err(|errno| failed(errno.into()))?;
        if let Some(reason) = distrusted(&found, account, is_strict, 0o111) {
            return Err(refused(reason));
        }
        dir = next;
    }
    if let Some(found) = stat(&dir, last).map_err(failed)? {
        if kind_of(&found) != FileKind::File {
            return Err(refused("it is no file"));
        }
        if let Some(reason) = distrusted(&found, account, is_strict, 0o444) {
            return Err(refused(reason));
        }
    }
    Ok(Spot {
        dir,
        name: last.to_owned(),
        path: path.to_owned(),
    })
}

/// Why sshd would not use something; `bits` are those of the modes with which the user may.
fn distrusted(
    found: &FileStat,
    account: &Account,
    is_strict: bool,
    bits: u32,
) -> Option<&'static str> {
    let is_own = found.st_uid == account.uid;
    let may = match (is_own, found.st_gid == account.gid) {
        (true, _) => bits & 0o700,
        (false, true) => bits & 0o070,
        (false, false) => bits & 0o007,
    };
    if is_strict && !is_own && found.st_uid != 0 {
        Some("it, or a directory on the way, belongs to somebody else")
    } else if is_strict && found.st_mode & WRITABLE != 0 {
        Some("others may write to it, or to a directory on the way")
    } else if account.uid != 0 && found.st_mode & may == 0 {
        Some("its user may not get to it")
    } else {
        None
    }
}

/// Whether there is nothing to do: no key, and no home directory in which an empty file could be.
pub(crate) fn is_moot(
    probe: &dyn Probe,
    account: &Account,
    keys: &[AuthorizedKey],
) -> io::Result<bool> {
    Ok(keys.is_empty() && probe.kind(Path::new(&account.home))?.is_none())
}

/// The file as it is now, opened without following a link: its user may swap it meanwhile.
fn read(spot: &Spot) -> Result<(Vec<u8>, Option<FileStat>), EffectError> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let refused = || EffectError::Refused {
        path: spot.path.clone(),
        reason: "it is not a regular file of one name; remove it".into(),
    };
    let failed = |source: io::Error| EffectError::Read {
        path: spot.path.clone(),
        source,
    };
    let fd = match openat(&spot.dir, spot.name.as_os_str(), flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::ENOENT) => return Ok((Vec::new(), None)),
        Err(Errno::ELOOP | Errno::ENXIO) => return Err(refused()),
        Err(error) => return Err(failed(error.into())),
    };
    let found = fstat(&fd).map_err(|error| failed(error.into()))?;
    // A second name may be that of a file which its user may not read.
    let is_plain = kind_of(&found) == FileKind::File && found.st_nlink == 1;
    if !is_plain || found.st_size > SIZE_LIMIT {
        return Err(refused());
    }
    let mut bytes = Vec::new();
    let read = File::from(fd).read_to_end(&mut bytes);
    read.map_err(failed)?;
    Ok((bytes, Some(found)))
}

/// The file's bytes with the lines in it. All other lines stay as they are.
///
/// Source of the order: cloud-init, `cloudinit/ssh_util.py` (`update_authorized_keys`).
pub(crate) fn merge(old: &[u8], new: &[AuthorizedKey], held: Held) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = old.split(|&b| b == b'\n').collect();
    if lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    let mut is_held = vec![false; new.len()];
    for line in &mut lines {
        let Some(body) = body(line) else { continue };
        let mut last = *line;
        let mut is_so = held == Held::Kept;
        for (key, is_held) in new.iter().zip(&mut is_held) {
            if key.body() == body {
                *is_held = true;
                last = key.as_str().as_bytes();
                is_so |= last == *line;
            }
        }
        if !is_so {
            *line = last;
        }
    }
    let added = new.iter().zip(is_held).filter(|(_, is_held)| !is_held);
    lines.extend(added.map(|(key, _)| key.as_str().as_bytes()));
    let mut bytes = lines.join(&b'\n');
    if !bytes.is_empty() || !lines.is_empty() {
        bytes.push(b'\n');
    }
    bytes
}

/// What makes a line the same key as another one, if it holds a key.
fn body(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok()?;
    let is_comment = line.trim_start().starts_with('#');
    key_body(line).filter(|_| !is_comment)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "for tests only")]
mod tests;
