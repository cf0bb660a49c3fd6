//! The run lock, and small facts that the agent needs of a machine.

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use contract::error::EffectError;
use contract::file::Target;
use contract::machine::{FileKind, Probe};
use nix::fcntl::OFlag;

use crate::files;
use crate::host::{Host, kind_of};

/// Held by whoever changes the machine; the kernel releases it when its holder dies.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes /run/firstlight/lock below the root (flock(2)). `None` if another holds it and
    /// `wait` is false.
    ///
    /// # Errors
    /// When the file cannot be made or locked.
    pub fn acquire(host: &Host, wait: bool) -> io::Result<Option<Self>> {
        host.root.directory(Path::new("/run/firstlight"), true)?;
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW;
        let file = File::from(
            host.root
                .open(Path::new("/run/firstlight/lock"), flags, 0o600)?,
        );
        if wait {
            file.lock()?;
            return Ok(Some(Self { _file: file }));
        }
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl RunLock {
    /// Whether somebody works on this machine right now. Takes nothing and makes nothing.
    #[must_use]
    pub fn is_held(host: &Host) -> bool {
        let path = Path::new("/run/firstlight/lock");
        let opened = host.root.open(path, OFlag::O_RDONLY | OFlag::O_NOFOLLOW, 0);
        opened.is_ok_and(|fd| {
            let held = File::from(fd).try_lock_shared();
            matches!(held, Err(TryLockError::WouldBlock))
        })
    }
}

/// Whether another firstlight began, through others perhaps, this process. Source: proc_pid_stat(5),
/// proc_pid_comm(5).
#[must_use]
pub fn is_run_by_firstlight() -> bool {
    let own = std::process::id();
    let mut ancestors = std::iter::successors(parent(own), |pid| parent(*pid));
    ancestors.any(is_firstlight)
}

/// `None` of the first process.
fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in brackets, and may hold some itself.
    let (_, rest) = stat.rsplit_once(')')?;
    let parent = rest.split_whitespace().nth(1)?.parse().ok()?;
    (parent != 0).then_some(parent)
}

fn is_firstlight(pid: u32) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
    name.is_ok_and(|name| matches!(name.trim_end(), "firstlight" | "cloud-init"))
}

/// 32 random bytes of the kernel (random(4)).
///
/// # Errors
/// When /dev/urandom cannot be read.
pub fn random32() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The kernel's boot id (random(4)); `None` below another root than `/` that has none.
#[must_use]
pub fn boot_id(host: &Host) -> Option<String> {
    let bytes = host.read(Path::new("/proc/sys/kernel/random/boot_id"));
    let text = String::from_utf8(bytes.ok()??).ok()?;
    Some(text.trim().to_owned()).filter(|id| !id.is_empty())
}

/// Whether it is a regular file that everybody may read, links not followed.
#[must_use]
pub fn is_public(host: &Host, path: &Path) -> bool {
    let found = host.stat(path).ok().flatten();
    found.is_some_and(|found| kind_of(&found) == FileKind::File && found.st_mode & 0o004 != 0)
}

/// Removes a file, a link or a directory with all that is in it, links not followed; tells whether
/// it was there.
///
/// # Errors
/// When the kernel refuses.
pub fn remove(host: &Host, path: &Path) -> io::Result<bool> {
    match host.kind(path)? {
        None => Ok(false),
        Some(FileKind::Directory) => files::remove_tree(host, path),
        Some(FileKind::File | FileKind::Link | FileKind::Other) => {
            files::absent(host, &Target::Path(path.to_owned())).map_err(io::Error::other)?;
            Ok(true)
        }
    }
}

/// Where state is, and what of it is the image's own: a seed, which data sources find there.
const STATE: [&str; 2] = ["/var/lib/firstlight", "/run/firstlight"];
const SEED: &str = "/var/lib/firstlight/seed";

/// What [`remove_state`] would remove.
///
/// # Errors
/// What the kernel said.
pub fn state(host: &Host) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in STATE.map(Path::new) {
        if host.kind(path)? == Some(FileKind::Directory)
            && Path::new(SEED).starts_with(path)
            && host.kind(Path::new(SEED))?.is_some()
        {
            let names = host.list(path)?.unwrap_or_default().into_iter();
            let all = names.map(|name| path.join(name));
            found.extend(all.filter(|path| path != Path::new(SEED)));
        } else if host.kind(path)?.is_some() {
            found.push(path.to_owned());
        }
    }
    Ok(found)
}

/// Removes /var/lib/firstlight, but for a seed in it, and /run/firstlight; tells which were there.
///
/// # Errors
/// [`EffectError::Refused`] when one is a link, [`EffectError::Write`] when the kernel refuses.
pub fn remove_state(host: &Host) -> Result<Vec<PathBuf>, EffectError> {
    let unreadable = |source| EffectError::Read {
        path: STATE[0].into(),
        source,
    };
    let all = state(host).map_err(unreadable)?;
    for path in &all {
        let removed = if STATE.map(Path::new).contains(&path.as_path()) {
            files::remove_tree(host, path)
        } else {
            remove(host, path)
        };
        match removed {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                let (path, reason) = (
                    path.clone(),
                    "it is not a directory; remove it by hand".to_owned(),
                );
                return Err(EffectError::Refused { path, reason });
            }
            Err(source) => {
                return Err(EffectError::Write {
                    path: path.clone(),
                    source,
                });
            }
        }
    }
    Ok(all)
}
