//! Where the output of children goes: of scripts, commands and the system's own tools.

use std::path::PathBuf;

/// The two streams of a stage's children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub out: Stream,
    /// Standard error; `None` goes where standard output goes.
    pub err: Option<Stream>,
}

/// Where a stream goes.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Stream {
    /// To the output log, and to our own standard output: the journal and the console.
    #[default]
    Log,
    /// To the end of a file.
    Append(PathBuf),
    /// To a file that is emptied when the stage begins.
    Replace(PathBuf),
    /// To the standard input of a line for `/bin/sh -c`.
    Pipe(String),
}

/// A line for the shell may hold a secret.
impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Log => f.write_str("Log"),
            Self::Append(path) => write!(f, "Append({})", path.display()),
            Self::Replace(path) => write!(f, "Replace({})", path.display()),
            Self::Pipe(_) => f.write_str("Pipe"),
        }
    }
}
