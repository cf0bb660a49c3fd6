//! The machine below a root, as it is.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use contract::effect::{Effect, FileSpec, Owner, Target};
use contract::error::EffectError;
use contract::machine::{Change, FileKind, Machine, Probe};
use nix::fcntl::OFlag;
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::syncfs;

use crate::root::{Root, is_absent};
use crate::{accounts, commands, files, live, mirror};

/// A machine: this one, or the one below a directory.
#[derive(Debug)]
pub struct Host {
    root: Root,
    is_root: bool,
    language: Option<String>,
    /// One open directory for each file system that was written to and not settled.
    written: RefCell<BTreeMap<u64, OwnedFd>>,
}

impl Host {
    /// The machine below `root`; `/` is the one that runs.
    ///
    /// # Errors
    /// When there is no such directory, or the kernel has no openat2(2) and `root` is not `/`.
    pub fn new(root: &Path) -> io::Result<Self> {
        if root != Path::new("/") {
            std::fs::create_dir_all(root)?;
        }
        Ok(Self {
            root: Root::open(root)?,
            is_root: nix::unistd::geteuid().is_root(),
            language: None,
            written: RefCell::default(),
        })
    }

    /// Gives the children this locale (LANG, locale(7)).
    pub fn set_language(&mut self, language: Option<String>) {
        self.language = language;
    }

    /// Whether it is the machine that runs.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.root.is_live()
    }

    /// Its root, as the host sees it.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) const fn is_root(&self) -> bool {
        self.is_root
    }

    pub(crate) const fn paths(&self) -> &Root {
        &self.root
    }

    pub(crate) fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// Notes that a directory's file system was written to.
    pub(crate) fn touched(&self, directory: &Path) {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let Ok(fd) = self.root.open_path(directory, flags, 0) else {
            return;
        };
        if let Ok(stat) = fstat(&fd) {
            self.written.borrow_mut().entry(stat.st_dev).or_insert(fd);
        }
    }

    /// Where a target is now.
    pub(crate) fn resolve(&self, target: &Target) -> Result<PathBuf, EffectError> {
        match target {
            Target::Path(path) => Ok(path.clone()),
            Target::Home { user, rest } => {
                let account = self
                    .user(user.as_str())
                    .map_err(|source| EffectError::Read {
                        path: "/etc/passwd".into(),
                        source,
                    })?;
                match account {
                    Some(account) => Ok(Path::new(&account.home).join(rest)),
                    None => Err(EffectError::NoSuchAccount {
                        kind: "user",
                        name: user.to_string(),
                    }),
                }
            }
        }
    }

    /// The numbers of an owner, and what there is to tell when it cannot be given.
    pub(crate) fn owner(
        &self,
        owner: &Owner,
    ) -> Result<(Option<files::Ids>, Option<String>), EffectError> {
        match owner {
            Owner::Root => Ok((self.is_root.then_some((0, 0)), None)),
            Owner::Named { .. } if !self.is_root => {
                Ok((None, Some(format!("owner {owner} is not set: needs root"))))
            }
            Owner::Named { user, group } => {
                let nobody = |kind, name: &str| EffectError::NoSuchAccount {
                    kind,
                    name: name.to_owned(),
                };
                let reading = |path: &'static str| {
                    move |source| EffectError::Read {
                        path: path.into(),
                        source,
                    }
                };
                let account = self.user(user).map_err(reading("/etc/passwd"))?;
                let account = account.ok_or_else(|| nobody("user", user))?;
                let gid = match group {
                    None => account.gid,
                    Some(group) => {
                        let gid = self.group(group).map_err(reading("/etc/group"))?;
                        gid.ok_or_else(|| nobody("group", group))?
                    }
                };
                Ok((Some((account.uid, gid)), None))
            }
        }
    }

    fn file(&self, spec: &FileSpec) -> Result<Change, EffectError> {
        let path = self.resolve(&spec.at)?;
        let (ids, note) = self.owner(&spec.owner)?;
        let change = files::ensure_file(&self.root, &path, spec.content.bytes(), spec.mode, ids)
            .map_err(|source| EffectError::Write {
                path: path.clone(),
                source,
            })?;
        self.wrote(&path, change, note)
    }

    #[expect(clippy::unnecessary_wraps, reason = "so that it ends an effect")]
    fn wrote(
        &self,
        path: &Path,
        change: Change,
        note: Option<String>,
    ) -> Result<Change, EffectError> {
        if change.is_change() {
            self.touched(path.parent().unwrap_or(path));
            return Ok(Change::Made { note });
        }
        Ok(change)
    }
}

impl Probe for Host {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        files::read(&self.root, path)
    }

    fn list(&self, path: &Path) -> io::Result<Option<Vec<String>>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let fd = match self.root.open_path(path, flags, 0) {
            Ok(fd) => fd,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut dir = nix::dir::Dir::from_fd(fd)?;
        let mut names = Vec::new();
        for entry in dir.iter() {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(Some(names))
    }

    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
        let stat = self.root.stat(path)?;
        Ok(stat.map(|stat| match files::kind_of(stat.st_mode) {
            SFlag::S_IFREG => FileKind::File,
            SFlag::S_IFDIR => FileKind::Directory,
            SFlag::S_IFLNK => FileKind::Link,
            _ => FileKind::Other,
        }))
    }
}

impl Machine for Host {
    fn apply(&self, effect: &Effect) -> Result<Change, EffectError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| EffectError::Write { path, source }
        };
        match effect {
            Effect::File(spec) => self.file(spec),
            Effect::Directory { at, mode, owner } => {
                let path = self.resolve(at)?;
                let (ids, note) = self.owner(owner)?;
                let change = files::ensure_directory(&self.root, &path, *mode, ids)
                    .map_err(failed(&path))?;
                self.wrote(&path, change, note)
            }
            Effect::Link { at, to } => {
                let path = self.resolve(at)?;
                let change = files::ensure_link(&self.root, &path, to).map_err(failed(&path))?;
                self.wrote(&path, change, None)
            }
            Effect::Absent { at } => {
                let path = self.resolve(at)?;
                let change = files::ensure_absent(&self.root, &path).map_err(failed(&path))?;
                self.wrote(&path, change, None)
            }
            Effect::Hostname(name) => live::ensure_hostname(self, name),
            Effect::Group(group) => accounts::ensure_group(self, group),
            Effect::User(user) => accounts::ensure_user(self, user),
            Effect::AuthorizedKeys(spec) => accounts::ensure_keys(self, spec),
            Effect::Mirror(spec) => mirror::apply(self, spec),
            Effect::Unit { verb, name } => live::unit(self, *verb, name),
            Effect::Run(spec) => commands::run(self, spec),
        }
    }

    fn settle(&self) -> Result<(), EffectError> {
        for fd in std::mem::take(&mut *self.written.borrow_mut()).into_values() {
            syncfs(&fd).map_err(|errno| EffectError::System {
                what: "write everything to the disk",
                source: errno.into(),
            })?;
        }
        Ok(())
    }

    fn append(&self, path: &Path, bytes: &[u8], durable: bool) -> Result<(), EffectError> {
        let failed = |source| EffectError::Write {
            path: path.to_owned(),
            source,
        };
        if let Some(parent) = path.parent() {
            self.root.make_dirs(parent).map_err(failed)?;
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND | OFlag::O_NOFOLLOW;
        let fd = self.root.open_path(path, flags, 0o600).map_err(failed)?;
        let mut file = File::from(fd);
        file.write_all(bytes).map_err(failed)?;
        if durable {
            file.sync_data().map_err(failed)?;
        } else {
            self.touched(path.parent().unwrap_or(path));
        }
        Ok(())
    }
}
