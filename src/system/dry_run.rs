//! The same machine, told and not done.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use contract::effect::{
    AuthorizedKeysSpec, CommandSpec, Content, Effect, FileSpec, Mode, Target, UserSpec,
};
use contract::error::EffectError;
use contract::machine::{Change, FileKind, Machine, NotDone, Probe};
use similar::TextDiff;

use crate::host::Host;
use crate::{accounts, commands, files, live, mirror};

/// More lines than this are not shown of one file's diff.
const DIFF_LINES: usize = 40;

/// Performs nothing. What an effect would have written is seen by whoever reads later.
#[derive(Debug)]
pub struct DryRun<'a> {
    host: &'a Host,
    files: RefCell<BTreeMap<PathBuf, Option<Vec<u8>>>>,
}

impl<'a> DryRun<'a> {
    /// A dry run over this machine.
    #[must_use]
    pub fn new(host: &'a Host) -> Self {
        Self {
            host,
            files: RefCell::default(),
        }
    }

    fn put(&self, path: &Path, bytes: Option<Vec<u8>>) {
        self.files.borrow_mut().insert(path.to_owned(), bytes);
    }

    fn append_line(&self, path: &str, line: &str) {
        let path = Path::new(path);
        let mut bytes = self.read(path).ok().flatten().unwrap_or_default();
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        self.put(path, Some(bytes));
    }

    /// Where a target would be; a user that nobody could make has the usual home.
    fn resolve(&self, target: &Target) -> PathBuf {
        match target {
            Target::Path(path) => path.clone(),
            Target::Home { user, rest } => {
                let home = self
                    .user(user.as_str())
                    .ok()
                    .flatten()
                    .map(|account| account.home);
                Path::new(&home.unwrap_or_else(|| format!("/home/{user}"))).join(rest)
            }
        }
    }

    fn file(&self, spec: &FileSpec) -> Result<Change, EffectError> {
        let path = self.resolve(&spec.at);
        let reading = |source| EffectError::Read {
            path: path.clone(),
            source,
        };
        let new = spec.content.bytes();
        let root = self.host.paths();
        let overlaid = self.files.borrow().contains_key(&path);
        let ids = self.host.owner(&spec.owner).map_or(None, |(ids, _)| ids);
        let target = root.follow(&path).map_err(reading)?;
        if !overlaid && files::is_so(root, &target, new, spec.mode, ids).map_err(reading)? {
            return Ok(Change::AlreadySo);
        }
        let old = match self.read(&path) {
            Ok(old) => old,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
            Err(error) => return Err(reading(error)),
        };
        let diff = match &spec.content {
            Content::Secret(_) => vec![format!("‹secret›, {} bytes", new.len())],
            Content::Plain(_) if spec.mode.is_private() && spec.mode != Mode::new(0o440) => {
                vec![format!("{} bytes, not for everyone to see", new.len())]
            }
            Content::Plain(_) => diff(old.as_deref().unwrap_or_default(), new),
        };
        self.put(&path, Some(new.to_vec()));
        Ok(Change::WouldMake { diff })
    }

    fn user_account(&self, user: &UserSpec) -> Change {
        if self
            .user(user.name.as_str())
            .is_ok_and(|known| known.is_some())
        {
            return Change::AlreadySo;
        }
        if let Some(why) = accounts::cannot_make(self.host, "useradd") {
            return Change::NotDone(why);
        }
        let home = user
            .homedir
            .clone()
            .unwrap_or_else(|| Path::new("/home").join(user.name.as_str()));
        // The numbers are useradd's to choose: these stand for "there is one".
        self.append_line(
            "/etc/passwd",
            &format!("{}:x:65533:65533::{}:", user.name, home.display()),
        );
        Change::WouldMake {
            diff: vec![format!("home {}", home.display())],
        }
    }

    fn keys(&self, spec: &AuthorizedKeysSpec) -> Result<Change, EffectError> {
        let Some(account) = self.user(spec.user.as_str()).ok().flatten() else {
            return match accounts::cannot_make(self.host, "useradd") {
                Some(why) => Ok(Change::NotDone(why)),
                None => Err(EffectError::NoSuchAccount {
                    kind: "user",
                    name: spec.user.to_string(),
                }),
            };
        };
        let path = Path::new(&account.home).join(".ssh/authorized_keys");
        let old = match self.read(&path) {
            Ok(old) => old.unwrap_or_default(),
            Err(source) => return Err(EffectError::Read { path, source }),
        };
        let new = accounts::merge(&old, spec);
        if new.as_bytes() == old {
            return Ok(Change::AlreadySo);
        }
        let diff = diff(&old, new.as_bytes());
        self.put(&path, Some(new.into_bytes()));
        Ok(Change::WouldMake { diff })
    }

    fn command(&self, spec: &CommandSpec) -> Change {
        match commands::cannot_run(self.host, self, &spec.program) {
            Some(why) => Change::NotDone(why),
            None if self.host.is_live() && !self.host.is_root() => {
                Change::NotDone(NotDone::NeedsRoot)
            }
            None => Change::WouldMake { diff: Vec::new() },
        }
    }
}

impl Probe for DryRun<'_> {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        if let Some(bytes) = self.files.borrow().get(path) {
            return Ok(bytes.clone());
        }
        self.host.read(path)
    }

    fn list(&self, path: &Path) -> io::Result<Option<Vec<String>>> {
        self.host.list(path)
    }

    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
        if let Some(bytes) = self.files.borrow().get(path) {
            return Ok(bytes.as_ref().map(|_| FileKind::File));
        }
        self.host.kind(path)
    }
}

impl Machine for DryRun<'_> {
    fn apply(&self, effect: &Effect) -> Result<Change, EffectError> {
        let would = || Ok(Change::WouldMake { diff: Vec::new() });
        match effect {
            Effect::File(spec) => self.file(spec),
            Effect::Directory { at, .. } => match self.kind(&self.resolve(at)) {
                Ok(Some(FileKind::Directory)) => Ok(Change::AlreadySo),
                _ => would(),
            },
            Effect::Link { at, to } => match self.host.paths().link(&self.resolve(at)) {
                Ok(Some(held)) if held == *to => Ok(Change::AlreadySo),
                _ => would(),
            },
            Effect::Absent { at } => {
                let path = self.resolve(at);
                if self.kind(&path).is_ok_and(|kind| kind.is_none()) {
                    return Ok(Change::AlreadySo);
                }
                self.put(&path, None);
                would()
            }
            Effect::Hostname(name) => match live::hostname_now(self.host, name) {
                Some(change) => Ok(change),
                None => would(),
            },
            Effect::Group(group) => {
                let name = group.name.as_str();
                if self.group(name).is_ok_and(|known| known.is_some()) {
                    return Ok(Change::AlreadySo);
                }
                if let Some(why) = accounts::cannot_make(self.host, "groupadd") {
                    return Ok(Change::NotDone(why));
                }
                self.append_line("/etc/group", &format!("{name}:x:65533:"));
                would()
            }
            Effect::User(user) => Ok(self.user_account(user)),
            Effect::AuthorizedKeys(spec) => self.keys(spec),
            Effect::Mirror(spec) => mirror::preview(self.host, spec),
            Effect::Unit { .. } => match live::cannot_ask_systemd(self.host) {
                Some(why) => Ok(Change::NotDone(why)),
                None => would(),
            },
            Effect::Run(spec) => Ok(self.command(spec)),
        }
    }

    fn settle(&self) -> Result<(), EffectError> {
        Ok(())
    }

    fn append(&self, _: &Path, _: &[u8], _: bool) -> Result<(), EffectError> {
        Ok(())
    }
}

/// A unified diff without its header.
fn diff(old: &[u8], new: &[u8]) -> Vec<String> {
    let (Ok(old), Ok(new)) = (std::str::from_utf8(old), std::str::from_utf8(new)) else {
        return vec![format!("{} bytes that are not text", new.len())];
    };
    let diff = TextDiff::from_lines(old, new);
    let text = diff.unified_diff().context_radius(1).to_string();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.len() > DIFF_LINES {
        let more = lines.len() - DIFF_LINES;
        lines.truncate(DIFF_LINES);
        lines.push(format!("... {more} more lines"));
    }
    lines
}
