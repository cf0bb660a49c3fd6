//! What is remembered of the tools that run beside what follows them.

use std::collections::VecDeque;
use std::fmt;

use contract::effect::{ToolSpec, Wait};
use contract::error::EffectError;
use contract::machine::{Change, Joined};

/// A tool that goes on.
pub(crate) trait Going: Send {
    /// Whether it does.
    fn is_running(&mut self) -> bool;

    /// Waits for its end, and says what became of it.
    fn end(self: Box<Self>) -> Result<Change, EffectError>;
}

/// Such tools run one after another, in the order in which they were planned.
#[derive(Default)]
pub(crate) struct Lane {
    pub(crate) waiting: VecDeque<ToolSpec>,
    pub(crate) running: Option<(String, Wait, Box<dyn Going>)>,
    pub(crate) over: Vec<Joined>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}
