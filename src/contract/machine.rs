//! The two sides of a machine: what can be seen, and what can be done.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use crate::effect::Effect;
use crate::error::EffectError;

/// What a path is, links not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, socket or pipe.
    Other,
}

/// A row of /etc/passwd (passwd(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The primary group's id.
    pub gid: u32,
    /// The home directory.
    pub home: String,
    /// The login shell.
    pub shell: String,
}

/// What can be seen of a machine, below its root; nothing is changed.
pub trait Probe {
    /// A whole file of at most 16 MiB, links followed; `None` if there is none.
    ///
    /// # Errors
    /// What the kernel said, and [`io::ErrorKind::FileTooLarge`] over the limit.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;

    /// Up to `len` bytes of a device from `offset` on, or of a file, which may be larger than what [`Self::read`]
    /// takes; links followed; `None` if there is none.
    ///
    /// # Errors
    /// What the kernel said.
    fn read_part(&self, path: &Path, offset: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(self
            .read(path)?
            .map(|bytes| bytes.into_iter().skip(from).take(len).collect()))
    }

    /// The names in a directory, sorted; `None` if there is none.
    ///
    /// # Errors
    /// What the kernel said.
    fn list(&self, path: &Path) -> io::Result<Option<Vec<String>>>;

    /// What is there, the last link not followed; `None` if nothing is.
    ///
    /// # Errors
    /// What the kernel said.
    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>>;

    /// What a symbolic link holds; `None` if there is no link.
    ///
    /// # Errors
    /// What the kernel said.
    fn link(&self, _path: &Path) -> io::Result<Option<PathBuf>> {
        Ok(None)
    }

    /// The bytes that are free on the file system that holds this directory; `None` if there is no
    /// such directory.
    ///
    /// # Errors
    /// What the kernel said.
    fn free(&self, _path: &Path) -> io::Result<Option<u64>> {
        Ok(None)
    }

    /// Whether there is a regular file that somebody may execute, links followed.
    ///
    /// # Errors
    /// What the kernel said.
    fn is_executable(&self, path: &Path) -> io::Result<bool> {
        Ok(self.kind(path)? == Some(FileKind::File))
    }

    /// Whether nobody but root, or whoever runs this, can change what is there, or put something else there:
    /// links are followed, and each directory on the way counts.
    ///
    /// # Errors
    /// What the kernel said.
    fn is_trusted(&self, path: &Path) -> io::Result<bool> {
        Ok(self.kind(path)?.is_some())
    }

    /// Whether this is a container, which shares its kernel and shows its host's firmware: by what
    /// its manager says in /run/host (Container Interface of systemd), and what systemd says of it in
    /// /run/systemd.
    fn is_container(&self) -> bool {
        let marks = ["/run/systemd/container", "/run/host/container-manager"];
        let is_there = |path: &str| matches!(self.kind(Path::new(path)), Ok(Some(FileKind::File)));
        marks.into_iter().any(is_there)
    }

    /// Whether somebody whom this machine asks for names (nsswitch.conf(5)) knows a host's: the one
    /// question here that may go over the network. `None` where nobody is asked, as below another
    /// root.
    fn resolves(&self, _host: &str) -> Option<bool> {
        None
    }

    /// Waits for udev(7): until it has made a file, its record of a device, or with `None` until it has
    /// nothing left to do, as `udevadm settle` does. Not for ever, and not where it does not run.
    fn wait_for_udev(&self, _record: Option<&Path>) {}

    /// A user of /etc/passwd. Other sources of nsswitch.conf(5) are not asked: at boot they may
    /// wait for a network that is not there.
    ///
    /// # Errors
    /// When /etc/passwd cannot be read.
    fn user(&self, name: &str) -> io::Result<Option<Account>> {
        let text = self.read(Path::new("/etc/passwd"))?.unwrap_or_default();
        Ok(lines_of(&text, name).find_map(|line| account(&line)))
    }

    /// All users of /etc/passwd, in their order.
    ///
    /// # Errors
    /// When /etc/passwd cannot be read.
    fn users(&self) -> io::Result<Vec<Account>> {
        let text = self.read(Path::new("/etc/passwd"))?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().filter_map(account).collect())
    }

    /// The id of a group of /etc/group.
    ///
    /// # Errors
    /// When /etc/group cannot be read.
    fn group(&self, name: &str) -> io::Result<Option<u32>> {
        let text = self.read(Path::new("/etc/group"))?.unwrap_or_default();
        let gid = |line: Cow<'_, str>| line.split(':').nth(2)?.parse().ok();
        Ok(lines_of(&text, name).find_map(gid))
    }
}

/// The lines of passwd(5) or group(5) that are about a name.
fn lines_of<'a>(text: &'a [u8], name: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
    let is_own = move |line: &&[u8]| {
        let rest = line.strip_prefix(name.as_bytes());
        // No name has a colon in it, and only the first field is one.
        rest.is_some_and(|rest| rest.starts_with(b":")) && !name.contains(':')
    };
    let lines = text.split(|byte| *byte == b'\n').filter(is_own);
    lines.map(|line| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)))
}

fn account(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    let home = fields.nth(1)?.to_owned();
    let shell = fields.next().unwrap_or("").to_owned();
    Some(Account {
        name,
        uid,
        gid,
        home,
        shell,
    })
}

/// Why an effect was left undone although nothing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotDone {
    /// Accounts, owners: only root can.
    NeedsRoot,
    /// The running kernel or systemd, or a program that this root has not: not on `--root`.
    NeedsLiveMachine,
}

impl NotDone {
    /// For the table: `not done: needs root`.
    #[must_use]
    pub const fn why(&self) -> &'static str {
        match self {
            Self::NeedsRoot => "needs root",
            Self::NeedsLiveMachine => "needs the live machine",
        }
    }
}

/// What performing an effect did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was not so before, and is now.
    Made {
        /// What there is to tell: `12 objects, 3 fetched`. Never secret.
        note: Option<String>,
    },
    /// It was made in another way than was asked for first.
    MadeInstead {
        /// Why: lower case, no full stop. Never secret.
        warning: String,
    },
    /// A tool was begun that goes on beside what follows: [`Machine::join`] tells its end.
    Begun,
    /// It was so before.
    AlreadySo,
    /// A dry run: it would be made.
    WouldMake {
        /// Lines of a unified diff, or of what would happen. Never secret.
        diff: Vec<String>,
    },
    /// It is left undone, and that is no fault.
    NotDone(NotDone),
}

impl Change {
    /// Made, with nothing to tell.
    pub const MADE: Self = Self::Made { note: None };

    /// Whether something is, or would be, different now.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        matches!(
            self,
            Self::Made { .. } | Self::MadeInstead { .. } | Self::Begun | Self::WouldMake { .. }
        )
    }
}

/// The end of a tool that went on beside others.
#[derive(Debug)]
pub struct Joined {
    /// The effect, in the one line that it is shown as.
    pub what: String,
    /// What became of it.
    pub result: Result<Change, EffectError>,
}

/// What can be done to a machine: the one door through which it is changed.
pub trait Machine: Probe {
    /// Brings about what `effect` says.
    ///
    /// # Errors
    /// When it could not: nothing is left half-written then.
    fn apply(&self, effect: &Effect) -> Result<Change, EffectError>;

    /// Gives what was written so far its SELinux label, where SELinux is on; to be done before
    /// others are told of it.
    fn label(&self) {}

    /// Waits for the tools that were begun and go on, and tells how they ended, in their order.
    fn join(&self) -> Vec<Joined> {
        Vec::new()
    }

    /// Whether something was performed after which nothing more shall be, until the next boot.
    fn ends_here(&self) -> bool {
        false
    }

    /// Makes everything that was done so far outlast a power cut (syncfs(2) of each file system
    /// that was written to since the last call).
    ///
    /// # Errors
    /// When the kernel could not write.
    fn settle(&self) -> Result<(), EffectError>;

    /// Appends `bytes` to a file of mode 0600, made if absent, and makes the file itself outlast a
    /// power cut if `durable` (fdatasync(2)).
    ///
    /// # Errors
    /// When the kernel could not write.
    fn append(&self, path: &Path, bytes: &[u8], durable: bool) -> Result<(), EffectError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeMachine;

    #[test]
    fn a_name_is_the_whole_first_field() {
        let machine = FakeMachine::with(&[
            (
                "/etc/passwd",
                "rooty:x:1:1::/:\nroot:x:0:0:root:/root:/bin/sh\r\n",
            ),
            ("/etc/group", "adm:x:4:syslog\nno number\n"),
        ]);
        let table = [
            ("root", Some(0)),
            ("rooty", Some(1)),
            ("roo", None),
            ("root:x", None),
            ("", None),
        ];
        for (name, uid) in table {
            let found = machine.user(name).unwrap();
            assert_eq!(found.map(|account| account.uid), uid, "{name}");
        }
        assert_eq!(machine.user("root").unwrap().unwrap().shell, "/bin/sh");
        assert_eq!(machine.group("adm").unwrap(), Some(4));
        assert_eq!(machine.group("adm:x").unwrap(), None);
    }
}
