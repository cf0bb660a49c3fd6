//! A directory that paths cannot leave.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::sys::stat::{FileStat, Mode, fchmod, fstatat, mkdirat};

/// `/`, or another directory inside which every path is resolved, links included (openat2(2),
/// `RESOLVE_IN_ROOT`).
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    fd: OwnedFd,
    live: bool,
}

impl Root {
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let fd = open(&path, dir_flags(), Mode::empty())?;
        let root = Self {
            live: path == Path::new("/"),
            path,
            fd,
        };
        // Tells at once, not at the first effect, when the kernel lacks openat2.
        root.open(Path::new("/"), dir_flags(), 0)?;
        Ok(root)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) const fn is_live(&self) -> bool {
        self.live
    }

    /// Opens an absolute path of the machine; a last link is followed unless `flags` forbid it.
    pub(crate) fn open(&self, path: &Path, flags: OFlag, mode: u32) -> io::Result<OwnedFd> {
        if !path.is_absolute() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the path is not absolute",
            ));
        }
        let flags = flags | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(mode);
        if self.live {
            return Ok(open(path, flags, mode)?);
        }
        let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(flags).mode(mode).resolve(resolve);
        // openat2(2): EAGAIN when somebody renames a directory meanwhile; again is the answer.
        for _ in 0..100 {
            match openat2(&self.fd, path, how) {
                Err(Errno::EAGAIN) => {}
                Err(Errno::ENOSYS) => {
                    return Err(io::Error::new(
                        io::ErrorKind::Unsupported,
                        "a root other than / needs openat2(2): Linux 5.6 or newer",
                    ));
                }
                other => return Ok(other?),
            }
        }
        Err(Errno::EAGAIN.into())
    }

    /// The directory `path`; it and those above it are made 0755 if `make`.
    pub(crate) fn directory(&self, path: &Path, make: bool) -> io::Result<OwnedFd> {
        match self.open(path, dir_flags(), 0) {
            Err(error) if make && error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let (parent, name) = self.parent(path, true)?;
        make_directory(&parent, &name, 0o755)?;
        self.open(path, dir_flags(), 0)
    }

    /// The directory that holds the last name of `path`, and that name.
    pub(crate) fn parent(&self, path: &Path, make: bool) -> io::Result<(OwnedFd, OsString)> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the path has no last name",
            ));
        };
        Ok((self.directory(parent, make)?, name.to_owned()))
    }
}

/// For a directory that others are reached through; reading it needs no permission then.
pub(crate) fn dir_flags() -> OFlag {
    OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC
}

/// Makes a directory whatever the umask is; one that is there stays as it is.
pub(crate) fn make_directory(parent: &OwnedFd, name: &OsStr, mode: u32) -> io::Result<()> {
    match mkdirat(parent, name, Mode::from_bits_truncate(mode & 0o700)) {
        Ok(()) => {}
        Err(Errno::EEXIST) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let made = openat(parent, name, flags, Mode::empty())?;
    Ok(fchmod(&made, Mode::from_bits_truncate(mode))?)
}

/// What is in a directory under a name, a link not followed; `None` if nothing is.
pub(crate) fn stat(dir: &OwnedFd, name: &OsStr) -> io::Result<Option<FileStat>> {
    match fstatat(dir, name, nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::ENOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
