//! Ending the machine's run: the last act, after everything is done and recorded.

use std::fmt;

use crate::command::Program;

/// What becomes of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerAction {
    /// Off.
    Poweroff,
    /// Stopped, and not off.
    Halt,
    /// Booted anew.
    Reboot,
}

impl PowerAction {
    /// As cloud-init's configuration spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Poweroff => "poweroff",
            Self::Halt => "halt",
            Self::Reboot => "reboot",
        }
    }
}

/// On what it depends, looked at when everything else is done.
#[derive(Clone, PartialEq, Eq)]
pub enum PowerCondition {
    /// On nothing.
    Always,
    /// One of these files is there; looked at when the effect is performed.
    AnyFile(&'static [&'static str]),
    /// This command ends with exit code 0; 1 is a no, and anything else a no that is warned of.
    Command(Program),
}

/// An end of the machine's run. It is kept when it is performed, and comes about as the last act
/// of the process.
#[derive(Clone, PartialEq, Eq)]
pub struct PowerSpec {
    /// The module that asks. Its record must be on the disk before: else every boot would end so.
    pub asked_by: &'static str,
    /// What becomes of the machine.
    pub action: PowerAction,
    /// The command that does it. Never secret.
    pub argv: Vec<String>,
    /// On what it depends.
    pub condition: PowerCondition,
    /// Whether the modules behind it are left for the next boot.
    pub ends_run: bool,
}

/// Shows no command of the user: it may hold secrets.
impl fmt::Debug for PowerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PowerSpec")
            .field("asked_by", &self.asked_by)
            .field("argv", &self.argv)
            .finish_non_exhaustive()
    }
}
