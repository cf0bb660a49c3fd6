//! One firstlight at a time.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use nix::fcntl::OFlag;

use crate::host::Host;

const LOCK: &str = "/run/firstlight/lock";

/// Held while modules run; gone with its holder, however that ends.
#[derive(Debug)]
pub struct RunLock(#[expect(dead_code, reason = "held, not used")] File);

impl RunLock {
    /// Takes the lock; `None` if another holds it and `wait` is false.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn acquire(host: &Host, wait: bool) -> io::Result<Option<Self>> {
        let path = Path::new(LOCK);
        host.paths().make_dirs(Path::new("/run/firstlight"))?;
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW;
        let file = File::from(host.paths().open_path(path, flags, 0o600)?);
        if wait {
            file.lock()?;
            return Ok(Some(Self(file)));
        }
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
