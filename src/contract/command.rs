//! Commands of people: scripts, and lines that user data gave.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::items::ItemsSpec;

/// What to run.
#[derive(Clone, PartialEq, Eq)]
pub enum Program {
    /// A program and its arguments, without a shell.
    Argv(Vec<String>),
    /// A line for `/bin/sh -c`.
    Shell(String),
    /// An executable file.
    Script(PathBuf),
    /// A script of items, each of which is told of.
    Items(Box<ItemsSpec>),
}

/// A command that cannot be idempotent: a script, a line that user data gave.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandSpec {
    /// What plans, logs and errors call it: never its text, which may hold secrets.
    pub label: String,
    /// What to run.
    pub program: Program,
    /// Added to the environment that every child gets.
    pub env: Vec<(String, String)>,
    /// Ends it, with its process group, when it is over. `None`: as long as it takes.
    pub timeout: Option<Duration>,
}

impl fmt::Debug for CommandSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandSpec")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}
