//! Scripts that were put together from items, such as `runcmd`, and what becomes of each item.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::place::Place;
use crate::secret::Secret;

/// A script of `/bin/sh` whose items are told of one by one.
///
/// In place of the script another one runs, which is the same with a mark before each item and behind
/// the last: in a subshell it notes the exit code of what came before, and leaves `$?`, variables,
/// directory and descriptors as they were. It runs only if the shell finds each item whole.
#[derive(Clone, PartialEq, Eq)]
pub struct ItemsSpec {
    /// The script without marks, an executable file.
    pub script: PathBuf,
    /// The script with marks, an executable file of the same name in [`ItemsSpec::directory`].
    pub marked: PathBuf,
    /// What the shell is asked about without running it: each item in a function of its own.
    pub check: Secret<Vec<u8>>,
    /// Where each item stands.
    pub places: Vec<Place>,
    /// Whether the first item that fails ends it. Nothing runs then if an item is not whole.
    pub is_strict: bool,
    /// Whether no item sends the script's own output elsewhere.
    pub keeps_output: bool,
}

impl ItemsSpec {
    /// The directory of all this, below that of the instance's state.
    #[must_use]
    pub fn directory(instance_dir: &Path) -> PathBuf {
        instance_dir.join("runcmd-items")
    }

    /// Where the marks come: a line for each, `NUMBER CODE UPTIME pos: OFFSET`.
    #[must_use]
    pub fn marks(directory: &Path) -> PathBuf {
        directory.join("marks")
    }

    /// Where it is told what became of the items, for root alone: a list of [`ItemReport`].
    #[must_use]
    pub fn record(directory: &Path) -> PathBuf {
        directory.join("items.json")
    }
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemReport {
    /// Which, from 1.
    pub item: usize,
    /// Where it stands: `part-001:4:5`.
    pub place: String,
    /// Its exit code; of one that a signal ended what the shell makes of that, 128 and the signal.
    pub code: i32,
    /// How long it took, to a hundredth of a second; absent if nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The last lines of its output; absent if they cannot be told from those of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Vec<String>>,
}
