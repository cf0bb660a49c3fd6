//! A machine below a root, and what can be seen of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use contract::effect::PowerSpec;
use contract::keys::KeyServers;
use contract::machine::{FileKind, Probe};
use contract::output::Output;
use net::s3::S3;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{geteuid, syncfs};

use crate::devices::Devices;
use crate::host_names::HostNames;
use crate::lane::Lane;
use crate::redirection::Redirection;
use crate::root::{Root, stat};

/// unattended-upgrades(8) may be at work at a first boot.
const PACKAGE_PATIENCE: Duration = Duration::from_mins(10);
/// Where output goes if nobody says otherwise.
const OUTPUT_LOG: &str = "/var/log/firstlight-output.log";
const READ_LIMIT: u64 = 16 * 1024 * 1024;
/// More links on one way are not followed: the kernel does not either (path_resolution(7)).
const MAX_LINKS: u32 = 40;

/// The machine below a root: `/` is the running one.
#[derive(Debug)]
pub struct Host {
    pub(crate) root: Root,
    pub(crate) privileged: bool,
    pub(crate) s3: S3,
    pub(crate) code_timeout: Option<Duration>,
    pub(crate) gives_home: bool,
    /// What children get beside what everybody gets.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// How long a lock of the package manager is waited for.
    pub(crate) package_patience: Duration,
    /// Whether the lists of packages have been fetched in this run.
    pub(crate) has_lists: AtomicBool,
    /// What becomes of the machine in the end.
    pub(crate) power: Mutex<Option<PowerSpec>>,
    pub(crate) key_servers: KeyServers,
    output: Mutex<Redirection>,
    pub(crate) output_log: PathBuf,
    /// Whether that log gets what the console is told.
    pub(crate) logs_messages: bool,
    pub(crate) lane: Mutex<Lane>,
    /// Written since SELinux labels were last restored.
    pub(crate) unlabelled: Mutex<BTreeSet<PathBuf>>,
    /// Whether SELinux is on, once that was looked at.
    pub(crate) selinux: OnceLock<bool>,
    pub(crate) host_names: HostNames,
    pub(crate) devices: Devices,
    /// One open directory for each file system that was written to, by device number.
    touched: Mutex<BTreeMap<u64, OwnedFd>>,
}

impl Host {
    /// The machine below `root`.
    ///
    /// # Errors
    /// When there is no such directory, or the kernel cannot keep paths inside it.
    pub fn new(root: &Path) -> io::Result<Self> {
        Ok(Self {
            root: Root::new(root)?,
            privileged: geteuid().is_root(),
            s3: S3::new(None),
            code_timeout: None,
            gives_home: false,
            environment: Vec::new(),
            package_patience: PACKAGE_PATIENCE,
            has_lists: AtomicBool::default(),
            power: Mutex::default(),
            key_servers: KeyServers::default(),
            output: Mutex::default(),
            output_log: PathBuf::from(OUTPUT_LOG),
            logs_messages: false,
            lane: Mutex::default(),
            unlabelled: Mutex::default(),
            selinux: OnceLock::new(),
            host_names: HostNames::default(),
            devices: Devices::default(),
            touched: Mutex::default(),
        })
    }

    /// Fetches content from S3 with `s3` from now on; without it only what everybody may read can
    /// be fetched.
    pub fn fetch_with(&mut self, s3: S3) {
        self.s3 = s3;
    }

    /// Ends somebody's code that takes longer, from now on; `None` lets it take as long as it takes.
    pub fn limit_code(&mut self, timeout: Option<Duration>) {
        self.code_timeout = timeout;
    }

    /// Gives somebody's code root's `HOME`, from now on.
    pub fn give_home(&mut self, gives_home: bool) {
        self.gives_home = gives_home;
    }

    /// Gives children these variables, from now on.
    pub fn give_environment(&mut self, environment: Vec<(OsString, OsString)>) {
        self.environment = environment;
    }

    /// Waits so long for a lock that another package manager holds, from now on.
    pub fn wait_for_packages(&mut self, patience: Duration) {
        self.package_patience = patience;
    }

    /// Fetches public keys of people from there, from now on.
    pub fn ask_for_keys_at(&mut self, servers: KeyServers) {
        self.key_servers = servers;
    }

    /// Lets the output of children go there, from now on.
    pub fn redirect(&self, output: Output) {
        *self.output() = Redirection::to(output);
    }

    /// Lets the usual log of output be another file, from now on, in which messages on the console
    /// are noted as well; `None` is firstlight's own.
    pub fn log_output_in(&mut self, path: Option<&Path>) {
        self.logs_messages = path.is_some();
        self.output_log = path.unwrap_or(Path::new(OUTPUT_LOG)).to_owned();
    }

    pub(crate) fn output(&self) -> MutexGuard<'_, Redirection> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is the running machine.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.root.is_live()
    }

    /// Whether whoever runs this is root.
    #[must_use]
    pub const fn is_privileged(&self) -> bool {
        self.privileged
    }

    /// Its root, as this process sees it.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// A whole file of at most `limit` bytes, links followed.
    pub(crate) fn read_up_to(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        // O_NONBLOCK: a pipe in the place of a file would wait for a writer.
        let fd = self
            .root
            .open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK, 0)?;
        // Most files that are read at a boot fit, and so need no more than two reads.
        let mut bytes = Vec::with_capacity(4096);
        File::from(fd).take(limit + 1).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|n| n <= limit) {
            Ok(bytes)
        } else {
            Err(io::ErrorKind::FileTooLarge.into())
        }
    }

    /// Remembers that something in `dir` changed, for [`Host::sync`].
    pub(crate) fn touch(&self, dir: &OwnedFd) -> io::Result<()> {
        let device = fstat(dir)?.st_dev;
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        if let std::collections::btree_map::Entry::Vacant(entry) = touched.entry(device) {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            entry.insert(openat(dir, ".", flags, Mode::empty())?);
        }
        Ok(())
    }

    /// syncfs(2) of every file system that was written to since the last call.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(entry) = touched.first_entry() {
            syncfs(entry.get())?;
            entry.remove();
        }
        Ok(())
    }

    /// Whether `path` is a link that holds `to`.
    pub(crate) fn links_to(&self, path: &Path, to: &Path) -> io::Result<bool> {
        let Some((dir, name)) = absent(self.root.parent(path, false))? else {
            return Ok(false);
        };
        let now = nix::fcntl::readlinkat(&dir, name.as_os_str());
        Ok(now.is_ok_and(|now| now == to.as_os_str()))
    }

    /// What is at `path`, its last link not followed.
    pub(crate) fn stat(&self, path: &Path) -> io::Result<Option<FileStat>> {
        if path.file_name().is_none() {
            return Ok(Some(fstat(&self.root.directory(path, false)?)?));
        }
        match absent(self.root.parent(path, false))? {
            Some((dir, name)) => stat(&dir, &name),
            None => Ok(None),
        }
    }
}

/// The names on the way that a path goes, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|name| match name {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    names.collect()
}

impl Probe for Host {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        absent(self.read_up_to(path, READ_LIMIT))
    }

    fn read_part(&self, path: &Path, offset: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK;
        let Some(fd) = absent(self.root.open(path, flags, 0))? else {
            return Ok(None);
        };
        let mut file = File::from(fd);
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(u64::try_from(len).unwrap_or(READ_LIMIT))
            .read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn list(&self, path: &Path) -> io::Result<Option<Vec<String>>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let Some(fd) = absent(self.root.open(path, flags, 0))? else {
            return Ok(None);
        };
        let mut names = Vec::new();
        for entry in Dir::from_fd(fd)?.iter() {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(Some(names))
    }

    fn is_executable(&self, path: &Path) -> io::Result<bool> {
        let Some(fd) = absent(self.root.open(path, OFlag::O_PATH, 0))? else {
            return Ok(false);
        };
        let found = fstat(&fd)?;
        Ok(kind_of(&found) == FileKind::File && found.st_mode & 0o111 != 0)
    }

    fn is_trusted(&self, path: &Path) -> io::Result<bool> {
        let is_own = |found: &FileStat| {
            let is_own = found.st_uid == 0 || found.st_uid == geteuid().as_raw();
            is_own && found.st_mode & 0o022 == 0
        };
        let mut left = names(path);
        let mut at = PathBuf::from("/");
        let mut links = 0;
        if !self.stat(&at)?.as_ref().is_some_and(is_own) {
            return Ok(false);
        }
        while let Some(name) = left.pop() {
            if name == ".." {
                at.pop();
                continue;
            }
            let next = at.join(name);
            let Some(found) = self.stat(&next)? else {
                return Ok(false);
            };
            if kind_of(&found) == FileKind::Link {
                links += 1;
                let Some(to) = self.link(&next)?.filter(|_| links <= MAX_LINKS) else {
                    return Ok(false);
                };
                if to.is_absolute() {
                    at = PathBuf::from("/");
                }
                left.extend(names(&to));
                continue;
            }
            if !is_own(&found) {
                return Ok(false);
            }
            at = next;
        }
        Ok(true)
    }

    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
        Ok(self.stat(path)?.map(|stat| kind_of(&stat)))
    }

    fn link(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        if path.file_name().is_none() {
            return Ok(None);
        }
        let Some((dir, name)) = absent(self.root.parent(path, false))? else {
            return Ok(None);
        };
        match nix::fcntl::readlinkat(&dir, name.as_os_str()) {
            Ok(to) => Ok(Some(PathBuf::from(to))),
            Err(Errno::EINVAL | Errno::ENOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn free(&self, path: &Path) -> io::Result<Option<u64>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let Some(fd) = absent(self.root.open(path, flags, 0))? else {
            return Ok(None);
        };
        let found = fstatvfs(&fd)?;
        Ok(found.blocks_free().checked_mul(found.fragment_size()))
    }

    fn resolves(&self, host: &str) -> Option<bool> {
        self.is_live().then(|| self.host_names.knows(host))
    }

    fn wait_for_udev(&self, record: Option<&Path>) {
        if self.is_live() {
            self.devices.wait(record);
        }
    }
}

/// What a stat(2) result speaks of.
pub(crate) fn kind_of(stat: &FileStat) -> FileKind {
    match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => FileKind::File,
        SFlag::S_IFDIR => FileKind::Directory,
        SFlag::S_IFLNK => FileKind::Link,
        _ => FileKind::Other,
    }
}

/// "There is none" is an answer, not an error.
fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
