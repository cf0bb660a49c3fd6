//! Paths that stay inside a root: a link in the tree never leads out of it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, fchmod, fstatat, mkdirat};

/// How many links a path may lead over, as in the kernel (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// The directory that a machine's paths are below.
#[derive(Debug)]
pub(crate) struct Root {
    dir: OwnedFd,
    path: PathBuf,
    live: bool,
}

impl Root {
    /// Opens it. Below `/` paths are opened plainly; below any other directory with openat2(2) and
    /// RESOLVE_IN_ROOT.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let dir = nix::fcntl::open(&path, flags, Mode::empty())?;
        let root = Self {
            live: path == Path::new("/"),
            dir,
            path,
        };
        match root.open_path(Path::new("."), flags, 0) {
            Err(error) if error.raw_os_error() == Some(code(Errno::ENOSYS)) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this kernel has no openat2(2), without which --root cannot be kept safe",
            )),
            Err(error) => Err(error),
            Ok(_) => Ok(root),
        }
    }

    /// Whether it is the machine that runs.
    pub(crate) const fn is_live(&self) -> bool {
        self.live
    }

    /// As the host sees it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a path with these flags; `mode` counts when the file is made.
    pub(crate) fn open_path(&self, path: &Path, flags: OFlag, mode: u32) -> io::Result<OwnedFd> {
        let inside = inside(path)?;
        let flags = flags | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(mode);
        if self.live {
            return Ok(openat(&self.dir, &inside, flags, mode)?);
        }
        let how = OpenHow::new()
            .flags(flags)
            .mode(mode)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT);
        Ok(openat2(&self.dir, &inside, how)?)
    }

    /// The directory that a path is in, and its last component.
    pub(crate) fn parent(&self, path: &Path) -> io::Result<(OwnedFd, OsString)> {
        let (parent, name) = split(path)?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        Ok((self.open_path(parent, flags, 0)?, name.to_owned()))
    }

    /// Makes a directory and those above it, 0755 whatever the umask says; tells whether it was
    /// made now.
    pub(crate) fn make_dirs(&self, path: &Path) -> io::Result<bool> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        match self.open_path(path, flags, 0) {
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if let Some(parent) = path.parent() {
            self.make_dirs(parent)?;
        }
        let (parent, name) = self.parent(path)?;
        match mkdirat(&parent, name.as_os_str(), Mode::from_bits_truncate(0o755)) {
            Ok(()) => {}
            Err(Errno::EEXIST) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let made = self.open_path(path, OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW, 0)?;
        fchmod(&made, Mode::from_bits_truncate(0o755))?;
        Ok(true)
    }

    /// What is at a path, the last link not followed; `None` if nothing is.
    pub(crate) fn stat(&self, path: &Path) -> io::Result<Option<FileStat>> {
        if inside(path)? == Path::new(".") {
            return Ok(Some(nix::sys::stat::fstat(&self.dir)?));
        }
        let found = self.parent(path).and_then(|(dir, name)| {
            Ok(fstatat(
                &dir,
                name.as_os_str(),
                AtFlags::AT_SYMLINK_NOFOLLOW,
            )?)
        });
        match found {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What a link holds; `None` if there is no link.
    pub(crate) fn link(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let held = self
            .parent(path)
            .and_then(|(dir, name)| Ok(readlinkat(&dir, name.as_os_str())?));
        match held {
            Ok(target) => Ok(Some(PathBuf::from(target))),
            Err(error)
                if is_absent(&error) || error.raw_os_error() == Some(code(Errno::EINVAL)) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Where a path leads when links in its last component are followed.
    pub(crate) fn follow(&self, path: &Path) -> io::Result<PathBuf> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            match self.link(&path)? {
                None => return Ok(path),
                Some(target) if target.is_absolute() => path = target,
                Some(target) => path = path.parent().unwrap_or(Path::new("/")).join(target),
            }
        }
        Err(Errno::ELOOP.into())
    }
}

/// Whether an error says that there is nothing at a path.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn split(path: &Path) -> io::Result<(&Path, &OsStr)> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok((parent, name)),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a path without a file name",
        )),
    }
}

/// `/etc/hosts` as `etc/hosts`.
fn inside(path: &Path) -> io::Result<PathBuf> {
    let inside: PathBuf = path
        .components()
        .filter(|part| {
            !matches!(
                part,
                Component::RootDir | Component::CurDir | Component::Prefix(_)
            )
        })
        .collect();
    if inside.as_os_str().is_empty() {
        Ok(PathBuf::from("."))
    } else {
        Ok(inside)
    }
}

fn code(errno: Errno) -> i32 {
    io::Error::from(errno).raw_os_error().unwrap_or(0)
}
