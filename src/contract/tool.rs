//! Tools of the system that firstlight runs itself, beside those that make groups and users.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::secret::Secret;

/// A tool of the system that brings about what shall be, and may be run again without harm.
///
/// Whoever plans it has looked, as far as can be seen, whether it is so already.
#[derive(Clone, PartialEq, Eq)]
pub struct ToolSpec {
    /// What shall be, in one line for tables: `time zone Europe/Paris`. Never secret.
    pub what: String,
    /// The program, looked for in the system's own directories, and its arguments. Never secret:
    /// everybody sees them in /proc.
    pub argv: Vec<String>,
    /// Its standard input, where secrets go.
    pub stdin: Secret<Vec<u8>>,
    /// Added to the environment that every child gets. Never secret.
    pub env: Vec<(String, String)>,
    /// It is not run when this is there.
    pub creates: Option<PathBuf>,
    /// The exit codes, beside 0, with which it says that it was so already.
    pub unchanged: &'static [i32],
    /// Whether it speaks to the running kernel, so that below another root there is nothing to do.
    pub is_live_only: bool,
    /// Ends it, with its process group, when it is over.
    pub timeout: Duration,
    /// How long others wait for it.
    pub wait: Wait,
}

/// How long others wait for a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until it has ended.
    Here,
    /// It runs beside what follows, after those like it that were planned before; its stage is over
    /// when it is.
    Stage,
    /// As [`Wait::Stage`], and nobody waits for its end.
    Never,
}

impl ToolSpec {
    /// Most tools end in a moment; a hanging one must not hold the boot.
    pub const TIMEOUT: Duration = Duration::from_secs(120);

    /// A tool with these arguments.
    pub fn new<S: Into<String>>(
        what: impl Into<String>,
        argv: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            what: what.into(),
            argv: argv.into_iter().map(Into::into).collect(),
            stdin: Secret::default(),
            env: Vec::new(),
            creates: None,
            unchanged: &[],
            is_live_only: false,
            timeout: Self::TIMEOUT,
            wait: Wait::Here,
        }
    }

    /// The same, and it is not run when `path` is there.
    #[must_use]
    pub fn creates(mut self, path: impl Into<PathBuf>) -> Self {
        self.creates = Some(path.into());
        self
    }

    /// The same with this on its standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: Secret<Vec<u8>>) -> Self {
        self.stdin = bytes;
        self
    }

    /// The same, and below another root there is nothing to do.
    #[must_use]
    pub const fn live_only(mut self) -> Self {
        self.is_live_only = true;
        self
    }
}

impl fmt::Debug for ToolSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolSpec")
            .field("what", &self.what)
            .field("argv", &self.argv)
            .finish_non_exhaustive()
    }
}
