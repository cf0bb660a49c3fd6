//! What only the running machine has, and what is forgotten of it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use contract::effect::UnitVerb;
use contract::error::EffectError;
use contract::machine::{Change, NotDone};
use contract::name::Hostname;

use crate::commands;
use crate::host::Host;

/// 32 bytes that nobody can guess.
///
/// # Errors
/// What the kernel said.
pub fn random32() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The kernel's name for this boot (random(4)); the host's own, also below another root.
#[must_use]
pub fn boot_id(_host: &Host) -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// Removes everything that firstlight remembers, and tells which directories it removed.
///
/// # Errors
/// When something could not be removed.
pub fn remove_state(host: &Host) -> Result<Vec<PathBuf>, EffectError> {
    let mut removed = Vec::new();
    for path in ["/var/lib/firstlight", "/run/firstlight"] {
        let path = Path::new(path);
        if host.paths().stat(path).ok().flatten().is_none() {
            continue;
        }
        // The way down is checked by the kernel: no component may be a link that leads out.
        let there = host
            .paths()
            .open_path(
                path,
                nix::fcntl::OFlag::O_PATH
                    | nix::fcntl::OFlag::O_DIRECTORY
                    | nix::fcntl::OFlag::O_NOFOLLOW,
                0,
            )
            .and_then(|fd| {
                fs::read_link(format!(
                    "/proc/self/fd/{}",
                    std::os::fd::AsRawFd::as_raw_fd(&fd)
                ))
            });
        let gone = there.and_then(fs::remove_dir_all);
        gone.map_err(|source| EffectError::Write {
            path: path.to_owned(),
            source,
        })?;
        removed.push(path.to_owned());
    }
    Ok(removed)
}

/// Ensures the running kernel's host name.
pub(crate) fn ensure_hostname(host: &Host, name: &Hostname) -> Result<Change, EffectError> {
    if let Some(change) = hostname_now(host, name) {
        return Ok(change);
    }
    let failed = |errno: nix::errno::Errno| EffectError::System {
        what: "set the host name",
        source: errno.into(),
    };
    nix::unistd::sethostname(name.as_str()).map_err(failed)?;
    Ok(Change::MADE)
}

/// What there is to say about the host name without setting it; `None`: it is to be set.
pub(crate) fn hostname_now(host: &Host, name: &Hostname) -> Option<Change> {
    if !host.is_live() {
        return Some(Change::NotDone(NotDone::NeedsLiveMachine));
    }
    let now = nix::unistd::gethostname().ok();
    if now.is_some_and(|now| now.to_str() == Some(name.as_str())) {
        return Some(Change::AlreadySo);
    }
    (!host.is_root()).then_some(Change::NotDone(NotDone::NeedsRoot))
}

/// Gives systemd a job and does not wait for it: before READY waiting would be a deadlock.
pub(crate) fn unit(host: &Host, verb: UnitVerb, name: &str) -> Result<Change, EffectError> {
    if let Some(why) = cannot_ask_systemd(host) {
        return Ok(Change::NotDone(why));
    }
    commands::tool(
        host,
        &["systemctl", "--no-block", verb.as_str(), "--", name],
    )?;
    Ok(Change::MADE)
}

/// Why systemd is not asked, if it is not.
pub(crate) fn cannot_ask_systemd(host: &Host) -> Option<NotDone> {
    if !host.is_live() {
        return Some(NotDone::NeedsLiveMachine);
    }
    (!host.is_root()).then_some(NotDone::NeedsRoot)
}
