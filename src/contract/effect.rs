//! Effects: what shall be on this machine.
//!
//! An effect says what shall BE ("this file has these bytes, this mode, this owner"), so that
//! performing it twice changes nothing the second time. [`Effect::Run`] is the exception, and
//! whoever performs a plan keeps a durable record around it. What depends on an earlier effect's
//! result (a home directory, an owner) is named, not resolved: see [`Target`] and [`Owner`].

use std::fmt;
use std::path::{Path, PathBuf};

pub use crate::account::{Password, PasswordSpec, UserSpec};
pub use crate::block::{BlockSpec, Setting, Text};
pub use crate::command::{CommandSpec, Program};
pub use crate::content::{MirrorSpec, Origin, Switch};
pub use crate::file::{Content, FileSpec, Mode, Owner, Target};
pub use crate::items::ItemsSpec;
pub use crate::keys::{AuthorizedKeysSpec, ImportKeysSpec, KeyServer};
use crate::name::{Hostname, UserName};
pub use crate::package::{AptCommand, Package, PackageJob, PackageManager, PackagesSpec};
pub use crate::post::PostSpec;
pub use crate::power::{PowerAction, PowerCondition, PowerSpec};
use crate::secret::Secret;
pub use crate::tool::{ToolSpec, Wait};
pub use crate::write::{Append, Keeper, Source, WriteSpec};

/// What to do with a systemd unit: the verbs of systemctl(1), always with `--no-block`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitVerb {
    /// `start`
    Start,
    /// `restart`
    Restart,
    /// `try-restart`: not one that does not run
    TryRestart,
    /// `try-reload-or-restart`
    Reload,
    /// `stop`
    Stop,
    /// `reload-or-restart`: one that does not run is started
    ReloadOrStart,
}

impl UnitVerb {
    /// As systemctl(1) spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Restart => "restart",
            Self::TryRestart => "try-restart",
            Self::Reload => "try-reload-or-restart",
            Self::Stop => "stop",
            Self::ReloadOrStart => "reload-or-restart",
        }
    }
}

/// A piece of a message on the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// As it stands here.
    Text(String),
    /// The seconds since the kernel began.
    Uptime,
    /// The time of day, in UTC, as RFC 2822 writes it.
    Timestamp,
}

/// Something that shall be on the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// See [`FileSpec`].
    File(FileSpec),
    /// See [`WriteSpec`].
    Write(Box<WriteSpec>),
    /// A directory with this mode and owner; missing ones above it are made, 0755.
    Directory {
        /// Where.
        at: Target,
        /// Its mode.
        mode: Mode,
        /// Whose it is.
        owner: Owner,
    },
    /// A symbolic link.
    Link {
        /// Where.
        at: Target,
        /// What it holds, word for word.
        to: PathBuf,
    },
    /// No file there.
    Absent {
        /// Where.
        at: Target,
    },
    /// The running kernel's host name (sethostname(2)).
    Hostname(Hostname),
    /// A group, made by the system's own groupadd(8) if it is absent.
    Group(UserName),
    /// See [`UserSpec`].
    User(Box<UserSpec>),
    /// A user who is there in a group that is there, beside those that the user is in already.
    Member {
        /// Who.
        user: UserName,
        /// In which group.
        group: UserName,
    },
    /// See [`PasswordSpec`].
    Password(PasswordSpec),
    /// See [`BlockSpec`].
    Block(Box<BlockSpec>),
    /// See [`AuthorizedKeysSpec`].
    AuthorizedKeys(AuthorizedKeysSpec),
    /// See [`ImportKeysSpec`].
    ImportKeys(ImportKeysSpec),
    /// See [`MirrorSpec`].
    Mirror(Box<MirrorSpec>),
    /// A job for systemd, which is not waited for.
    Unit {
        /// What to do.
        verb: UnitVerb,
        /// `nginx.service`.
        name: String,
    },
    /// Lines on the system console, which EC2's get-console-output shows. Never secret.
    Console {
        /// What is written, each line with its line feed.
        text: String,
    },
    /// The same, with what is known only when it is written. Never secret.
    Message(Vec<Word>),
    /// See [`PackagesSpec`].
    Packages(Box<PackagesSpec>),
    /// See [`PostSpec`].
    Post(Box<PostSpec>),
    /// See [`PowerSpec`].
    Power(Box<PowerSpec>),
    /// Lines for syslog(3), which the console gets as well, each with its time. Never secret.
    Syslog {
        /// What is written, each line with its line feed.
        text: String,
    },
    /// See [`ToolSpec`].
    Tool(Box<ToolSpec>),
    /// See [`CommandSpec`].
    Run(CommandSpec),
}

impl Effect {
    /// A file that everyone may read, root's.
    #[must_use]
    pub fn file(at: impl Into<Target>, text: impl Into<Vec<u8>>) -> Self {
        Self::File(FileSpec {
            at: at.into(),
            content: Content::Plain(text.into()),
            mode: Mode::PUBLIC,
            owner: Owner::Root,
        })
    }

    /// A file that only root may read, never shown.
    #[must_use]
    pub fn secret_file(at: impl Into<Target>, bytes: Secret<Vec<u8>>, mode: Mode) -> Self {
        Self::File(FileSpec {
            at: at.into(),
            content: Content::Secret(bytes),
            mode,
            owner: Owner::Root,
        })
    }

    /// A directory of root's.
    #[must_use]
    pub fn directory(at: impl Into<Target>, mode: Mode) -> Self {
        Self::Directory {
            at: at.into(),
            mode,
            owner: Owner::Root,
        }
    }

    /// A user account.
    #[must_use]
    pub fn user(spec: UserSpec) -> Self {
        Self::User(Box::new(spec))
    }

    /// What somebody's password shall be.
    #[must_use]
    pub const fn password(user: UserName, state: Password) -> Self {
        Self::Password(PasswordSpec { user, state })
    }

    /// What a tool of the system brings about.
    #[must_use]
    pub fn tool(spec: ToolSpec) -> Self {
        Self::Tool(Box::new(spec))
    }

    /// Whether performing it twice does something twice.
    #[must_use]
    pub const fn runs_code(&self) -> bool {
        matches!(self, Self::Run(_))
    }

    /// The absolute path it is about, if there is one that is known before it is performed.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(FileSpec {
                at: Target::Path(path),
                ..
            })
            | Self::Directory {
                at: Target::Path(path),
                ..
            }
            | Self::Link {
                at: Target::Path(path),
                ..
            }
            | Self::Absent {
                at: Target::Path(path),
            } => Some(path),
            Self::Mirror(mirror) => Some(&mirror.dest),
            Self::Write(file) => Some(&file.path),
            Self::Block(block) => Some(&block.at),
            _ => None,
        }
    }
}

/// One line for a table: what shall be, without secret content.
impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => {
                write!(f, "file {} ({}", file.at, file.mode)?;
                if file.owner != Owner::Root {
                    write!(f, " {}", file.owner)?;
                }
                f.write_str(")")
            }
            Self::Write(file) => write!(f, "{file}"),
            Self::Directory { at, mode, .. } => write!(f, "directory {at} ({mode})"),
            Self::Link { at, to } => write!(f, "link {at} -> {}", to.display()),
            Self::Absent { at } => write!(f, "no file {at}"),
            Self::Hostname(name) => write!(f, "host name {name}"),
            Self::Group(name) => write!(f, "group {name}"),
            Self::User(user) => write!(f, "user {}", user.name),
            Self::Member { user, group } => write!(f, "user {user} in group {group}"),
            Self::Password(spec) => write!(f, "{} of {}", spec.state.name(), spec.user),
            Self::Block(block) => write!(f, "{} in {}", block.what, block.at.display()),
            Self::AuthorizedKeys(spec) => match spec.keys.len() {
                0 => write!(f, "authorized_keys of {}", spec.user),
                1 => write!(f, "1 authorized key of {}", spec.user),
                n => write!(f, "{n} authorized keys of {}", spec.user),
            },
            Self::Mirror(mirror) => {
                write!(f, "content {} = {}", mirror.dest.display(), mirror.origin)
            }
            Self::Unit { verb, name } => write!(f, "{} {name}", verb.as_str()),
            Self::ImportKeys(spec) => write!(f, "keys of {} for {}", spec.id, spec.user),
            Self::Console { text } | Self::Syslog { text } => match text.lines().count() {
                1 => f.write_str("1 line on the console"),
                n => write!(f, "{n} lines on the console"),
            },
            Self::Message(_) => f.write_str("message on the console"),
            Self::Packages(spec) => spec.fmt(f),
            Self::Post(spec) => spec.fmt(f),
            Self::Power(spec) => write!(f, "{} at the end of the run", spec.action.as_str()),
            Self::Tool(tool) => f.write_str(&tool.what),
            Self::Run(command) => write!(f, "run {}", command.label),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_display_nor_debug_shows_what_is_secret() {
        let secret = Secret::new(b"hunter2".to_vec());
        let effects = [
            Effect::secret_file("/root/key", secret, Mode::PRIVATE),
            Effect::Run(CommandSpec {
                label: "part-001".into(),
                program: Program::Shell("mysql -phunter2".into()),
                env: vec![("TOKEN".into(), "hunter2".into())],
                timeout: None,
            }),
            Effect::password(
                "web".parse().unwrap(),
                Password::Plain(Secret::new("hunter2".into())),
            ),
            Effect::Post(Box::new(PostSpec {
                url: Secret::new("https://me:hunter2@example.com/?token=hunter2".into()),
                form: vec![("instance_id".into(), "i-1".into())],
                tries: 1,
            })),
            Effect::tool(
                ToolSpec::new("password of web", ["chpasswd"])
                    .stdin(Secret::new(b"web:hunter2".to_vec())),
            ),
        ];
        for effect in effects {
            assert!(
                !format!("{effect} {effect:?}").contains("hunter2"),
                "{effect}"
            );
        }
    }
}
