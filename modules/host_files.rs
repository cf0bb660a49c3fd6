//! The files of host keys. Source: sshd_config(5), `HostKey`; cloud-init,
//! `cloudinit/config/cc_ssh.py`.

use std::path::{Path, PathBuf};

use contract::effect::{Effect, ToolSpec};
use contract::machine::{FileKind, Probe};

/// Where sshd keeps them.
const DIR: &str = "/etc/ssh";

/// The types of keys, by their names in configuration, file names and `ssh-keygen -t`.
pub(crate) const TYPES: [&str; 3] = ["rsa", "ecdsa", "ed25519"];

/// `/etc/ssh/ssh_host_rsa_key`
pub(crate) fn private(kind: &str) -> PathBuf {
    PathBuf::from(format!("{DIR}/ssh_host_{kind}_key"))
}

/// `/etc/ssh/ssh_host_rsa_key.pub`
pub(crate) fn public(kind: &str) -> PathBuf {
    PathBuf::from(format!("{DIR}/ssh_host_{kind}_key.pub"))
}

/// `/etc/ssh/ssh_host_rsa_key-cert.pub`
pub(crate) fn certificate(kind: &str) -> PathBuf {
    PathBuf::from(format!("{DIR}/ssh_host_{kind}_key-cert.pub"))
}

/// No file there.
pub(crate) fn absent(path: PathBuf) -> Effect {
    Effect::Absent { at: path.into() }
}

/// The public key that belongs to a private one. Source of the comment: cloud-init.
pub(crate) fn derive(kind: &str) -> Effect {
    let (key, public) = (private(kind), public(kind));
    let (from, to) = (key.display(), public.display());
    let line = format!(
        "umask 022; o=$(ssh-keygen -y -f {from}) && echo \"$o root@localhost\" >{to}.new && mv {to}.new {to}"
    );
    let what = format!("public host key {kind}");
    Effect::tool(ToolSpec::new(what, ["sh", "-c", &line]).creates(&public))
}

/// The files that are there: keys, public keys and certificates.
pub(crate) fn all(probe: &dyn Probe) -> Vec<PathBuf> {
    let names = probe.list(Path::new(DIR)).ok().flatten();
    let names = names.unwrap_or_default().into_iter();
    let is_key = |name: &String| {
        name.strip_prefix("ssh_host_")
            .is_some_and(|rest| rest.contains("key"))
    };
    let paths = names.filter(is_key).map(|name| Path::new(DIR).join(name));
    paths
        .filter(|path| !matches!(probe.kind(path), Ok(Some(FileKind::Directory))))
        .collect()
}

/// Whether a private key ends as it should. One that may not be read is taken to.
pub(crate) fn is_whole(probe: &dyn Probe, key: &Path) -> bool {
    match probe.read(key) {
        Ok(Some(bytes)) => {
            bytes.starts_with(b"-----BEGIN ") && bytes.trim_ascii_end().ends_with(b"-----")
        }
        Ok(None) => false,
        Err(_) => true,
    }
}

/// Whether something is there. What cannot be seen is taken to be: nothing replaces it then.
pub(crate) fn is_there(probe: &dyn Probe, path: &Path) -> bool {
    probe.kind(path).map_or(true, |kind| kind.is_some())
}
