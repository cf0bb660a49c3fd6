//! The locks of apt.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use contract::error::EffectError;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;

use crate::host::Host;

/// How long to wait before a lock is looked at again.
pub(super) const POLL: Duration = Duration::from_millis(200);

/// Source: cloud-init, `cloudinit/distros/package_management/apt.py` (`APT_LOCK_FILES`).
const LOCKS: [&str; 4] = [
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/cache/apt/archives/lock",
    "/var/lib/apt/lists/lock",
];

/// Waits until nobody holds a lock of apt's.
pub(super) fn wait(host: &Host, deadline: Instant) -> Result<(), EffectError> {
    let mut told = false;
    while let Some((path, holder)) = held(host) {
        if Instant::now() >= deadline {
            let seconds = host.package_patience.as_secs();
            return Err(EffectError::Packages {
                message: format!(
                    "{path} is held by process {holder}, and was for {seconds} s (firstlight: {{package_lock_timeout: ...}} says how long to wait)"
                ),
                transient: true,
            });
        }
        if !told {
            tracing::warn!("waiting for {path}, which process {holder} holds");
            told = true;
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// Whether apt said that somebody else holds a lock.
pub(super) fn is_locked(said: &str) -> bool {
    said.contains("Could not get lock") || said.contains("Unable to acquire the dpkg frontend lock")
}

/// A lock that somebody holds, and whose process that is (fcntl(2), `F_GETLK`).
fn held(host: &Host) -> Option<(&'static str, i32)> {
    let holder = |path: &str| {
        let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
        let fd = host.root.open(Path::new(path), flags, 0).ok()?;
        let mut lock = libc::flock {
            l_type: i16::try_from(libc::F_WRLCK).ok()?,
            l_whence: i16::try_from(libc::SEEK_SET).ok()?,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        fcntl(&fd, FcntlArg::F_GETLK(&mut lock)).ok()?;
        (i32::from(lock.l_type) != libc::F_UNLCK).then_some(lock.l_pid)
    };
    let mut all = LOCKS.iter();
    all.find_map(|path| Some((*path, holder(path)?)))
}
