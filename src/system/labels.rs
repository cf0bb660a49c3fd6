//! SELinux labels of what was written, where SELinux is on: by name and directory the kernel gives
//! most files the right one, but not, for example, an authorized_keys file in a fresh ~/.ssh.
//!
//! Source: cloud-init, `cloudinit/util.py` (`SeLinuxGuard`); restorecon(8).

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use contract::effect::{Effect, FileSpec, Target, ToolSpec};
use contract::machine::Probe;
use contract::secret::Secret;
use contract::sshd;

use crate::host::Host;
use crate::tools;

/// Is there when selinuxfs is mounted and a policy can be loaded.
const ENFORCE: &str = "/sys/fs/selinux/enforce";

/// Our own books, which nobody else reads: what the kernel gives them will do.
const OWN: [&str; 2] = ["/run/firstlight", "/var/lib/firstlight"];

/// The topmost thing that `effect` may bring into being, if labels matter here.
pub(crate) fn top(host: &Host, effect: &Effect) -> Option<PathBuf> {
    if !is_on(host) {
        return None;
    }
    let path = match effect {
        Effect::File(FileSpec { at, .. })
        | Effect::Directory { at, .. }
        | Effect::Link { at, .. } => match at {
            Target::Path(path) => path.clone(),
            Target::Home { user, rest } => home(host, user.as_str())?.join(rest),
        },
        Effect::Write(spec) => spec.path.clone(),
        Effect::Block(spec) => spec.at.clone(),
        Effect::AuthorizedKeys(spec) => keys(host, spec.user.as_str())?,
        Effect::ImportKeys(spec) => keys(host, spec.user.as_str())?,
        Effect::Mirror(spec) => spec.dest.clone(),
        Effect::Tool(spec) => spec.creates.clone()?,
        _ => return None,
    };
    if OWN.iter().any(|own| path.starts_with(own)) {
        return None;
    }
    let absent = |path: &&Path| host.kind(path).is_ok_and(|kind| kind.is_none());
    let topmost = path.ancestors().take_while(absent).last();
    Some(topmost.map_or_else(|| path.clone(), Path::to_owned))
}

/// Remembers that `path` was written.
pub(crate) fn note(host: &Host, path: PathBuf) {
    let mut unlabelled = host.unlabelled.lock();
    unlabelled
        .as_mut()
        .unwrap_or_else(|error| error.get_mut())
        .insert(path);
}

/// Gives what was written so far its label, with one process.
pub(crate) fn restore(host: &Host) {
    let mut unlabelled = host
        .unlabelled
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if unlabelled.is_empty() {
        return;
    }
    let mut list = Vec::new();
    for path in std::mem::take(&mut *unlabelled) {
        list.extend_from_slice(path.as_os_str().as_encoded_bytes());
        list.push(b'\n');
    }
    let argv = ["restorecon", "-R", "-i", "-f", "-"];
    let spec = ToolSpec::new("SELinux labels", argv).stdin(Secret::new(list));
    if let Err(error) = tools::apply(host, &spec) {
        // Permissive machines go on without; on others the denial names the file.
        tracing::warn!("SELinux labels: {}", contract::error::chain(&error));
    }
}

fn is_on(host: &Host) -> bool {
    let look = || {
        host.kind(Path::new(ENFORCE))
            .is_ok_and(|kind| kind.is_some())
    };
    *host.selinux.get_or_init(look)
}

/// The directory of the file in which sshd looks for a user's keys.
fn keys(host: &Host, user: &str) -> Option<PathBuf> {
    let account = host.user(user).ok().flatten()?;
    let files = sshd::authorized_keys_files(host, &account);
    files.first()?.parent().map(Path::to_owned)
}

fn home(host: &Host, user: &str) -> Option<PathBuf> {
    let account = host.user(user).ok().flatten()?;
    Some(PathBuf::from(account.home))
}
