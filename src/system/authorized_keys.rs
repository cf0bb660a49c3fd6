//! A user's authorized_keys file (sshd(8)): keys are added to it, and none is taken away.

use std::path::{Path, PathBuf};

use contract::effect::{AuthorizedKeysSpec, Mode};
use contract::error::EffectError;
use contract::machine::{Change, NotDone, Probe};
use contract::name::key_body;

use crate::files::{self, Ids};
use crate::host::Host;

/// Where the file is in a home directory.
pub(crate) const FILE: &str = ".ssh/authorized_keys";

/// Adds the keys to the user's file; a line with the same key is replaced where it stands.
pub(crate) fn apply(host: &Host, spec: &AuthorizedKeysSpec) -> Result<Change, EffectError> {
    let Some(account) = files::lookup(host, spec.user.as_str())? else {
        if host.privileged {
            return Err(files::no_such("user", spec.user.as_str()));
        }
        return Ok(Change::NotDone(NotDone::NeedsRoot));
    };
    let own = nix::unistd::geteuid().as_raw() == account.uid;
    if !host.privileged && !own {
        return Ok(Change::NotDone(NotDone::NeedsRoot));
    }
    let spot = files::in_home(host, &account, Path::new(FILE), 0o700)?;
    let old = match crate::root::stat(&spot.dir, &spot.name) {
        Ok(None) => Vec::new(),
        Ok(Some(found)) if crate::host::kind_of(&found) == contract::machine::FileKind::File => {
            let path = PathBuf::from(&account.home).join(FILE);
            let read = host.read(&path);
            read.map_err(|source| EffectError::Read { path, source })?
                .unwrap_or_default()
        }
        Ok(Some(_)) => {
            return Err(EffectError::Refused {
                path: spot.path,
                reason: "it is not a regular file; remove it".into(),
            });
        }
        Err(source) => {
            return Err(EffectError::Read {
                path: spot.path,
                source,
            });
        }
    };
    let ids = Ids::Known(account.uid, account.gid);
    files::write(host, &spot, &merge(&old, spec), Mode::PRIVATE, ids)
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
