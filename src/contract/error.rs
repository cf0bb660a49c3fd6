//! Errors that cross a wall, and who can mend them.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Who can mend an error: decides the exit code and whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorClass {
    /// What the user or the image's builder wrote.
    Config,
    /// The network or a service: again may help.
    Transient,
    /// This host: a full disk, a missing program.
    Machine,
    /// firstlight itself.
    Bug,
}

/// Why an effect did not take hold: what was tried, on which thing. `source` says why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EffectError {
    /// A file, directory or link could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// As the machine under its root sees it.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file, directory or link could not be brought to its wanted state.
    #[error("cannot write {}", path.display())]
    Write {
        /// As the machine under its root sees it.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A path that must not be followed or replaced.
    #[error("refused {}: {reason}", path.display())]
    Refused {
        /// The path.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// A command that ended with something else than success.
    #[error("`{program}` {ended}")]
    Command {
        /// The program or script, without its arguments: these may hold secrets.
        program: String,
        /// `ended with exit code 3`, `was killed by signal 9`, `did not end within 30 s`.
        ended: String,
        /// The exit code, where there is one.
        code: Option<i32>,
    },
    /// A command that could not be started.
    #[error("cannot start `{program}`")]
    Start {
        /// The program or script.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A command that ended because the machine is going down: no fault of its own.
    #[error("`{program}` was ended by the machine's shutdown")]
    EndedByShutdown {
        /// The program or script.
        program: String,
    },
    /// An account or group that nobody has made.
    #[error("there is no {kind} `{name}`")]
    NoSuchAccount {
        /// `user` or `group`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A file that is written, but not its owner's, because nobody has made that account.
    #[error("{} is root's for now: there is no {kind} `{name}` ({hint})", path.display())]
    Ownerless {
        /// The file.
        path: PathBuf,
        /// `user` or `group`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// Something fetched over a network.
    #[error("cannot fetch {what}")]
    Fetch {
        /// The bucket, object or host: never a query string, never credentials.
        what: String,
        /// Whether another try may help.
        transient: bool,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something sent over a network.
    #[error("cannot send it to {to}")]
    Send {
        /// The address: never a query string, never credentials.
        to: String,
        /// Whether another try may help.
        transient: bool,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Packages that are not all as they shall be.
    #[error("{message}")]
    Packages {
        /// What became of each, and why.
        message: String,
        /// Whether another try may help: the network, a lock.
        transient: bool,
    },
    /// A system call on the running machine.
    #[error("cannot {what}")]
    System {
        /// `set the host name`.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl EffectError {
    /// Who can mend it.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Read { .. }
            | Self::Write { .. }
            | Self::Start { .. }
            | Self::System { .. }
            | Self::EndedByShutdown { .. } => ErrorClass::Machine,
            Self::Refused { .. }
            | Self::Command { .. }
            | Self::NoSuchAccount { .. }
            | Self::Ownerless { .. } => ErrorClass::Config,
            Self::Fetch {
                transient: true, ..
            }
            | Self::Send {
                transient: true, ..
            }
            | Self::Packages {
                transient: true, ..
            } => ErrorClass::Transient,
            Self::Fetch {
                transient: false, ..
            }
            | Self::Send {
                transient: false, ..
            }
            | Self::Packages {
                transient: false, ..
            } => ErrorClass::Config,
        }
    }
}

/// The whole chain of an error in one line: `cannot write /etc/hosts: no space left on device`.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
