//! A user's authorized_keys file (sshd(8)): keys are added to it, and none is taken away.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use contract::effect::{self, AuthorizedKeysSpec};
use contract::error::EffectError;
use contract::machine::{Account, Change, FileKind, NotDone, Probe};
use contract::name::key_body;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fstat};

use crate::accounts;
use crate::files::{self, Ids, Spot};
use crate::host::{Host, kind_of};

/// Where the file is in a home directory.
pub(crate) const FILE: &str = ".ssh/authorized_keys";
/// More than any such file needs.
const SIZE_LIMIT: i64 = 16 * 1024 * 1024;

/// Adds the keys to the user's file; a line with the same key is replaced where it stands.
pub(crate) fn apply(host: &Host, spec: &AuthorizedKeysSpec) -> Result<Change, EffectError> {
    let Some(account) = files::lookup(host, spec.user.as_str())? else {
        return accounts::without(host, &spec.user);
    };
    let own = nix::unistd::geteuid().as_raw() == account.uid;
    if !host.privileged && !own {
        return Ok(Change::NotDone(NotDone::NeedsRoot));
    }
    let is_moot = is_moot(host, &account, spec).map_err(|source| EffectError::Read {
        path: account.home.clone().into(),
        source,
    })?;
    if is_moot {
        return Ok(Change::AlreadySo);
    }
    let spot = files::in_home(host, &account, Path::new(FILE), 0o700)?;
    let old = read(&spot)?;
    let ids = Ids::Known(account.uid, account.gid);
    files::write(host, &spot, &merge(&old, spec), effect::Mode::PRIVATE, ids)
}

/// Whether there is nothing to do: no key, and no home directory in which an empty file could be.
pub(crate) fn is_moot(
    probe: &dyn Probe,
    account: &Account,
    spec: &AuthorizedKeysSpec,
) -> io::Result<bool> {
    Ok(spec.keys.is_empty() && probe.kind(Path::new(&account.home))?.is_none())
}

/// The file as it is now, opened without following a link: its user may swap it meanwhile.
fn read(spot: &Spot) -> Result<Vec<u8>, EffectError> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let refused = || EffectError::Refused {
        path: spot.path.clone(),
        reason: "it is not a regular file; remove it".into(),
    };
    let failed = |source: io::Error| EffectError::Read {
        path: spot.path.clone(),
        source,
    };
    let fd = match openat(&spot.dir, spot.name.as_os_str(), flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::ENOENT) => return Ok(Vec::new()),
        Err(Errno::ELOOP | Errno::ENXIO) => return Err(refused()),
        Err(error) => return Err(failed(error.into())),
    };
    let found = fstat(&fd).map_err(|error| failed(error.into()))?;
    if kind_of(&found) != FileKind::File || found.st_size > SIZE_LIMIT {
        return Err(refused());
    }
    let mut bytes = Vec::new();
    let read = File::from(fd).read_to_end(&mut bytes);
    read.map_err(failed)?;
    Ok(bytes)
}

/// The file's bytes with the keys in it.
pub(crate) fn merge(old: &[u8], spec: &AuthorizedKeysSpec) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = old.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    for key in &spec.keys {
        let line = match &spec.options {
            Some(options) => format!("{options} {}", key.without_options()),
            None => key.to_string(),
        };
        let same = |old: &Vec<u8>| {
            std::str::from_utf8(old).is_ok_and(|old| {
                !old.trim_start().starts_with('#') && key_body(old) == Some(key.body())
            })
        };
        match lines.iter_mut().find(|old| same(old)) {
            Some(old) => *old = line.into_bytes(),
            None => lines.push(line.into_bytes()),
        }
    }
    let mut bytes = lines.join(&b'\n');
    if !bytes.is_empty() {
        bytes.push(b'\n');
    }
    bytes
}
