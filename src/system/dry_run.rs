//! What performing effects would change, with nothing changed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use contract::effect::{Content, Effect, FileSpec, Owner, Target, WriteSpec};
use contract::error::EffectError;
use contract::machine::{Account, Change, FileKind, Machine, NotDone, Probe};
use contract::secret::REDACTED;
use contract::sshd;
use nix::sys::stat::{FileStat, fstat};

use crate::authorized_keys::{self, Held};
use crate::commands;
use crate::console;
use crate::diff::diff;
use crate::host::{Host, kind_of};
use crate::mirror;
use crate::packages;
use crate::power;
use crate::running;
use crate::tools;
use crate::written;

mod accounts;

/// What a path would be.
#[derive(Debug, Clone)]
enum Entry {
    File(Vec<u8>),
    Directory,
    Link,
    Absent,
}

/// A machine on which nothing happens, seen as if everything so far had happened.
#[derive(Debug)]
pub struct DryRun<'a> {
    pub(crate) host: &'a Host,
    paths: RefCell<BTreeMap<PathBuf, Entry>>,
    users: RefCell<BTreeMap<String, Account>>,
    groups: RefCell<Vec<String>>,
    /// The manifests of the mirrors that would have been made.
    manifests: RefCell<BTreeSet<PathBuf>>,
}

impl<'a> DryRun<'a> {
    /// A dry run over `host`.
    #[must_use]
    pub fn new(host: &'a Host) -> Self {
        Self {
            host,
            paths: RefCell::default(),
            users: RefCell::default(),
            groups: RefCell::default(),
            manifests: RefCell::default(),
        }
    }

    fn file(&self, spec: &FileSpec) -> io::Result<Change> {
        let Some(path) = self.path(&spec.at)? else {
            return Ok(would(format!("{} would be written", spec.at)));
        };
        let bytes = spec.content.bytes();
        let old = match self.kind(&path)? {
            Some(FileKind::Directory) => return Err(io::ErrorKind::IsADirectory.into()),
            Some(FileKind::Other) => None,
            _ => self.read(&path).or_else(unreadable)?,
        };
        let change = if old.as_deref() == Some(bytes) {
            self.dress(&path, spec.mode.bits())?
        } else {
            let diff = match &spec.content {
                Content::Secret(_) => vec![format!(
                    "{REDACTED} would be written, {} bytes",
                    bytes.len()
                )],
                // What stands there now may be secret although its successor is not.
                Content::Plain(_) if self.is_private(&path)? => {
                    vec![format!(
                        "{REDACTED} would be replaced, {} bytes",
                        bytes.len()
                    )]
                }
                Content::Plain(_) => diff(&path, old.as_deref(), bytes),
            };
            Change::WouldMake { diff }
        };
        self.put(path, Entry::File(bytes.to_vec()));
        Ok(change)
    }

    fn written(&self, spec: &WriteSpec, content: Option<Content>) -> io::Result<Change> {
        match content {
            Some(content) => self.file(&FileSpec {
                at: Target::Path(spec.path.clone()),
                content,
                mode: spec.mode,
                owner: Owner::Root,
            }),
            None => Ok(would(format!("{spec} would be fetched"))),
        }
    }

    fn is_private(&self, path: &Path) -> io::Result<bool> {
        let found = self.host.stat(path)?;
        Ok(found.is_some_and(|found| {
            crate::host::kind_of(&found) == FileKind::File && found.st_mode & 0o007 == 0
        }))
    }

    fn dress(&self, path: &Path, mode: u32) -> io::Result<Change> {
        if self.paths.borrow().contains_key(path) {
            return Ok(Change::AlreadySo);
        }
        let Some(found) = self.host.stat(path)? else {
            return Ok(Change::AlreadySo);
        };
        if kind_of(&found) == FileKind::Link {
            return Ok(Change::AlreadySo);
        }
        Ok(dressed(&found, mode))
    }

    fn keys(&self, spec: &contract::effect::AuthorizedKeysSpec) -> io::Result<Change> {
        let Some(user) = self.user(spec.user.as_str())? else {
            return Ok(Change::NotDone(self.nobody()));
        };
        let is_new = self.users.borrow().contains_key(spec.user.as_str());
        if !is_new && authorized_keys::is_moot(self, &user, &spec.keys)? {
            return Ok(Change::AlreadySo);
        }
        let files = sshd::authorized_keys_files(self, &user);
        let Some(path) = files.into_iter().next() else {
            return Ok(Change::AlreadySo);
        };
        let old = self.read(&path).or_else(unreadable)?;
        let lines = authorized_keys::lines(spec);
        let new =
            authorized_keys::merge(old.as_deref().unwrap_or_default(), &lines, Held::Replaced);
        if old.as_deref() == Some(&new) {
            return Ok(Change::AlreadySo);
        }
        let lines = diff(&path, old.as_deref(), &new);
        self.put(path, Entry::File(new));
        Ok(Change::WouldMake { diff: lines })
    }

    /// `None`: the home of a user who is not there.
    fn path(&self, at: &Target) -> io::Result<Option<PathBuf>> {
        Ok(match at {
            Target::Path(path) => Some(path.clone()),
            Target::Home { user, rest } => self
                .user(user.as_str())?
                .map(|user| PathBuf::from(user.home).join(rest)),
        })
    }

    fn put(&self, path: PathBuf, entry: Entry) {
        let mut paths = self.paths.borrow_mut();
        if !matches!(entry, Entry::Absent) {
            for parent in path.ancestors().skip(1) {
                let there = paths.entry(parent.to_owned()).or_insert(Entry::Directory);
                if matches!(there, Entry::Absent) {
                    *there = Entry::Directory;
                }
            }
        }
        paths.insert(path, entry);
    }

    /// A directory is never removed, nor does anything take its place.
    fn replaceable(&self, path: &Path) -> io::Result<()> {
        match self.kind(path)? {
            Some(FileKind::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            _ => Ok(()),
        }
    }

    fn preview(&self, effect: &Effect) -> io::Result<Change> {
        Ok(match effect {
            Effect::File(spec) => self.file(spec)?,
            Effect::AuthorizedKeys(spec) => self.keys(spec)?,
            Effect::Directory { at, mode, .. } => {
                let Some(path) = self.path(at)? else {
                    return Ok(would(format!("{effect} would be made")));
                };
                match self.kind(&path)? {
                    Some(FileKind::Directory) => self.dress(&path, mode.bits())?,
                    // One that a link leads to will do.
                    Some(FileKind::Link) if matches!(at, Target::Path(_)) => {
                        let found = fstat(&self.host.root.directory(&path, false)?)?;
                        dressed(&found, mode.bits())
                    }
                    Some(_) => return Err(io::ErrorKind::NotADirectory.into()),
                    None => {
                        self.put(path, Entry::Directory);
                        would(format!("{effect} would be made"))
                    }
                }
            }
            Effect::Link { at, to } => {
                let Some(path) = self.path(at)? else {
                    return Ok(would(format!("{effect} would be made")));
                };
                if !self.paths.borrow().contains_key(&path) && self.host.links_to(&path, to)? {
                    return Ok(Change::AlreadySo);
                }
                self.replaceable(&path)?;
                self.put(path, Entry::Link);
                would(format!("{effect} would be made"))
            }
            Effect::Absent { at } => match self.path(at)? {
                Some(path) if self.kind(&path)?.is_some() => {
                    self.replaceable(&path)?;
                    self.put(path, Entry::Absent);
                    would(format!("{at} would be removed"))
                }
                _ => Change::AlreadySo,
            },
            Effect::Group(name) => self.make_group(name)?,
            Effect::User(spec) => self.make_user(spec)?,
            Effect::Member { user, group } => self.member(user, group)?,
            Effect::Password(spec) => self.password(spec)?,
            Effect::Block(spec) => self.block(spec)?,
            Effect::Hostname(name) => {
                let now = nix::unistd::gethostname().map_err(io::Error::from)?;
                match (self.host.is_live(), now == name.as_str()) {
                    (false, _) => Change::NotDone(NotDone::NeedsLiveMachine),
                    (true, true) => Change::AlreadySo,
                    (true, false) if !self.host.privileged => Change::NotDone(NotDone::NeedsRoot),
                    (true, false) => would(format!("{} -> {name}", now.display())),
                }
            }
            Effect::Unit { .. } if !running::is_booted(self.host) => {
                Change::NotDone(NotDone::NeedsLiveMachine)
            }
            Effect::Unit { .. } if !self.host.privileged => Change::NotDone(NotDone::NeedsRoot),
            Effect::ImportKeys(spec) => match self.user(spec.user.as_str())? {
                Some(_) => would(format!("the keys of {} would be fetched", spec.id)),
                None => Change::NotDone(NotDone::NeedsRoot),
            },
            Effect::Console { text } | Effect::Syslog { text } => match console::why_not(self.host)
            {
                Some(why) => Change::NotDone(why),
                None => Change::WouldMake {
                    diff: text.lines().map(|line| format!("+{line}")).collect(),
                },
            },
            // It is said at every boot, and the machine is as it was.
            Effect::Message(_) => {
                console::why_not(self.host).map_or(Change::AlreadySo, Change::NotDone)
            }
            Effect::Post(_) if !self.host.is_live() => Change::NotDone(NotDone::NeedsLiveMachine),
            Effect::Post(spec) => Change::WouldMake {
                diff: spec.form.iter().map(field).collect(),
            },
            Effect::Tool(spec) => would(format!("`{}` would be run", spec.argv.join(" "))),
            Effect::Write(_)
            | Effect::Mirror(_)
            | Effect::Unit { .. }
            | Effect::Packages(_)
            | Effect::Power(_)
            | Effect::Run(_) => would(format!("{effect}: would be done")),
        })
    }
}

impl Probe for DryRun<'_> {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match self.paths.borrow().get(path) {
            Some(Entry::File(bytes)) => Ok(Some(bytes.clone())),
            Some(Entry::Absent | Entry::Link) => Ok(None),
            Some(Entry::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            None => self.host.read(path),
        }
    }

    fn read_part(&self, path: &Path, offset: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
        if !self.paths.borrow().contains_key(path) {
            return self.host.read_part(path, offset, len);
        }
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let part = |bytes: Vec<u8>| bytes.into_iter().skip(from).take(len).collect();
        Ok(self.read(path)?.map(part))
    }

    fn list(&self, path: &Path) -> io::Result<Option<Vec<String>>> {
        let mut names = self.host.list(path)?;
        for (below, entry) in self.paths.borrow().iter() {
            if below.parent() != Some(path) {
                continue;
            }
            let Some(name) = below.file_name() else {
                continue;
            };
            let name = name.to_string_lossy().into_owned();
            let all = names.get_or_insert_default();
            all.retain(|other| *other != name);
            if !matches!(entry, Entry::Absent) {
                all.push(name);
            }
            all.sort();
        }
        Ok(names)
    }

    fn is_trusted(&self, path: &Path) -> io::Result<bool> {
        self.host.is_trusted(path)
    }

    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
        match self.paths.borrow().get(path) {
            Some(Entry::File(_)) => Ok(Some(FileKind::File)),
            Some(Entry::Directory) => Ok(Some(FileKind::Directory)),
            Some(Entry::Link) => Ok(Some(FileKind::Link)),
            Some(Entry::Absent) => Ok(None),
            None if self.manifests.borrow().contains(path) => Ok(Some(FileKind::File)),
            None => self.host.kind(path),
        }
    }

    fn link(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        match self.paths.borrow().get(path) {
            Some(_) => Ok(None),
            None => self.host.link(path),
        }
    }

    fn free(&self, path: &Path) -> io::Result<Option<u64>> {
        self.host.free(path)
    }

    fn is_executable(&self, path: &Path) -> io::Result<bool> {
        match self.paths.borrow().get(path) {
            Some(entry) => Ok(matches!(entry, Entry::File(_))),
            None => self.host.is_executable(path),
        }
    }

    fn resolves(&self, host: &str) -> Option<bool> {
        self.host.resolves(host)
    }

    fn wait_for_udev(&self, record: Option<&Path>) {
        self.host.wait_for_udev(record);
    }

    fn user(&self, name: &str) -> io::Result<Option<Account>> {
        match self.users.borrow().get(name) {
            Some(account) => Ok(Some(account.clone())),
            None => self.host.user(name),
        }
    }

    fn group(&self, name: &str) -> io::Result<Option<u32>> {
        if self.groups.borrow().iter().any(|group| group == name) {
            return Ok(Some(u32::MAX));
        }
        self.host.group(name)
    }
}

impl Machine for DryRun<'_> {
    fn apply(&self, effect: &Effect) -> Result<Change, EffectError> {
        if let Effect::Mirror(spec) = effect {
            let change = mirror::preview(self.host, self, spec)?;
            self.manifests.borrow_mut().insert(spec.manifest.clone());
            return Ok(change);
        }
        let unreadable = |source| EffectError::Read {
            path: effect.path().unwrap_or(Path::new("/")).to_owned(),
            source,
        };
        if let Effect::Write(spec) = effect {
            let content = written::preview(self.host, self, spec)?;
            return self.written(spec, content).map_err(unreadable);
        }
        if let Effect::Packages(spec) = effect {
            return packages::preview(self.host, self, spec);
        }
        if let Effect::Power(spec) = effect {
            return power::preview(self.host, self, spec);
        }
        if let Effect::Tool(spec) = effect
            && let Some(change) = tools::left(self.host, self, spec)?
        {
            return Ok(change);
        }
        if let Effect::Run(spec) = effect
            && let Some(why) = commands::why_not(self.host, self, spec)?
        {
            return Ok(Change::NotDone(why));
        }
        self.preview(effect).map_err(unreadable)
    }

    fn settle(&self) -> Result<(), EffectError> {
        Ok(())
    }

    fn append(&self, _: &Path, _: &[u8], _: bool) -> Result<(), EffectError> {
        Ok(())
    }
}

/// A directory that is there with this mode.
fn dressed(found: &FileStat, mode: u32) -> Change {
    let now = found.st_mode & 0o7777;
    if now == mode {
        return Change::AlreadySo;
    }
    would(format!("mode {now:04o} -> {mode:04o}"))
}

fn would(line: String) -> Change {
    Change::WouldMake { diff: vec![line] }
}

/// A field of a form that would be sent, in one line.
fn field((name, value): &(String, String)) -> String {
    format!(
        "+{name}={}",
        value.trim_end().replace(char::is_control, " ")
    )
}

/// A dry run by somebody who may not read a file still tells that it would be written.
fn unreadable(error: io::Error) -> io::Result<Option<Vec<u8>>> {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::FileTooLarge => Ok(None),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests;
