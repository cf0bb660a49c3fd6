//! What is remembered of where a stage's output goes.

use std::os::fd::OwnedFd;

use contract::output::Output;

/// The streams of a stage: opened when its first child starts.
#[derive(Debug, Default)]
pub(crate) struct Redirection {
    pub(crate) wanted: Output,
    /// Standard output and standard error.
    pub(crate) opened: Option<(Opened, Opened)>,
}

impl Redirection {
    pub(crate) fn to(wanted: Output) -> Self {
        Self {
            wanted,
            opened: None,
        }
    }
}

/// One open stream.
#[derive(Debug)]
pub(crate) enum Opened {
    /// The output log, opened anew for each child.
    Log,
    Given(OwnedFd),
}
