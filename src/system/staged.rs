//! A file that is written beside its place and takes it with one rename.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use contract::effect::Mode;
use contract::error::EffectError;
use contract::hex::hex;
use contract::machine::Change;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{self as sys, FileStat, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use sha2::{Digest, Sha256};

use crate::files::{self, Ids, Spot};
use crate::host::Host;

/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Dropped without a commit, it leaves nothing behind.
pub(crate) struct Staged {
    spot: Spot,
    temporary: OsString,
    file: File,
    hash: Sha256,
    done: bool,
}

/// A file as it was when it took its place.
pub(crate) struct Placed {
    pub(crate) sha256: String,
    pub(crate) size: u64,
    pub(crate) mtime_ns: i64,
}

impl Staged {
    /// An empty file, root's alone, in the directory of `path`, which is there.
    pub(crate) fn create(host: &Host, path: &Path) -> Result<Self, EffectError> {
        let create = || -> io::Result<Self> {
            let (dir, name) = host.root.parent(path, false)?;
            let temporary = files::temporary_name();
            let flags = OFlag::O_RDWR
                | OFlag::O_CREAT
                | OFlag::O_EXCL
                | OFlag::O_NOFOLLOW
                | OFlag::O_CLOEXEC;
            let mode = sys::Mode::from_bits_truncate(0o600);
            let file = File::from(openat(&dir, temporary.as_os_str(), flags, mode)?);
            let path = path.to_owned();
            Ok(Self {
                spot: Spot { dir, name, path },
                temporary,
                file,
                hash: Sha256::new(),
                done: false,
            })
        };
        create().map_err(|source| write_error(path, source))
    }

    /// Where it will be.
    pub(crate) fn path(&self) -> &Path {
        &self.spot.path
    }

    /// Takes everything that `from` holds.
    pub(crate) fn copy(&mut self, mut from: File) -> io::Result<u64> {
        let mut chunk = vec![0; CHUNK];
        let mut all = 0_u64;
        loop {
            let read = from.read(&mut chunk)?;
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
                return Ok(all);
            };
            self.write_all(bytes)?;
            all = all.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        Ok(())
    }

    /// In lower-case hexadecimal digits.
    pub(crate) fn sha256(&self) -> String {
        hex(&self.hash.clone().finalize())
    }

    /// Gives it mode and owner, and its place.
    pub(crate) fn commit(
        mut self,
        host: &Host,
        mode: Mode,
        ids: Ids,
    ) -> Result<Placed, EffectError> {
        let path = self.spot.path.clone();
        let mut place = || -> io::Result<Placed> {
            files::dress(&self.file, mode, ids)?;
            renameat(
                &self.spot.dir,
                self.temporary.as_os_str(),
                &self.spot.dir,
                self.spot.name.as_os_str(),
            )?;
            self.done = true;
            host.touch(&self.spot.dir)?;
            let found = fstat(&self.file)?;
            Ok(Placed {
                sha256: self.sha256(),
                size: size(&found),
                mtime_ns: mtime_ns(&found),
            })
        };
        place().map_err(|source| write_error(&path, source))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.done {
            // There is an error to tell already; this may fail for the same reason.
            let name = self.temporary.as_os_str();
            let _ = unlinkat(&self.spot.dir, name, UnlinkatFlags::NoRemoveDir);
        }
    }
}

impl net::s3::Sink for Staged {
    fn begin(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.hash = Sha256::new();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }
}

/// Gives a file that is there its mode and owner.
pub(crate) fn dress(host: &Host, path: &Path, mode: Mode, ids: Ids) -> Result<Change, EffectError> {
    let dressed = || -> io::Result<Change> {
        let file = open(host, path)?;
        if files::dressed(&fstat(&file)?, mode, ids) {
            return Ok(Change::AlreadySo);
        }
        files::dress(&file, mode, ids)?;
        host.touch(&host.root.parent(path, false)?.0)?;
        Ok(files::made(ids))
    };
    dressed().map_err(|source| write_error(path, source))
}

/// The SHA-256 of a file in lower-case hexadecimal digits, whatever its size.
pub(crate) fn sha256_of(host: &Host, path: &Path) -> io::Result<String> {
    let mut file = open(host, path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file.read(&mut chunk)?;
        match chunk.get(..read) {
            Some(bytes) if !bytes.is_empty() => hash.update(bytes),
            _ => return Ok(hex(&hash.finalize())),
        }
    }
}

/// The SHA-256 of bytes in lower-case hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A regular file below the root, links not followed.
pub(crate) fn open(host: &Host, path: &Path) -> io::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    Ok(File::from(host.root.open(path, flags, 0)?))
}

/// Size in bytes.
pub(crate) fn size(found: &FileStat) -> u64 {
    u64::try_from(found.st_size).unwrap_or(0)
}

/// The time of the last change of the content, in nanoseconds since 1970.
pub(crate) fn mtime_ns(found: &FileStat) -> i64 {
    found
        .st_mtime
        .saturating_mul(1_000_000_000)
        .saturating_add(found.st_mtime_nsec)
}

fn write_error(path: &Path, source: io::Error) -> EffectError {
    EffectError::Write {
        path: PathBuf::from(path),
        source,
    }
}
