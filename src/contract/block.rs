//! Text files that others write as well.

use std::path::PathBuf;

use crate::file::Mode;
use crate::secret::Secret;

/// A text file of root's. One that is there keeps its mode and its owner, but it is closed to all others than
/// its group when a secret comes into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockSpec {
    /// What it is, in one line for tables: `sudo rules of web`. Never secret.
    pub what: String,
    /// The file.
    pub at: PathBuf,
    /// The text.
    pub text: Text,
    /// The file's mode if it is made.
    pub mode: Mode,
    /// A program and its arguments. It gets the file on its standard input as it would be, and
    /// nothing is written if it refuses that. An image that has not the program goes without.
    pub check: Option<Vec<String>>,
}

/// How much of a file a text is; whole lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// All of it.
    All(String),
    /// Added at its end if it is nowhere in it, and all else in it stays.
    Added {
        /// What is added.
        text: String,
        /// How the file begins if it is made.
        head: String,
    },
    /// Lines `name = value`: one that is there gets the value, another is added, and all else in the
    /// file stays.
    Settings {
        /// In their order.
        settings: Vec<Setting>,
        /// Whether what is in the file is never shown, nor there for everybody to read.
        is_secret: bool,
    },
}

/// A line of a file of settings (ini).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The section, `[main]`, in which it stands; `None` is before the first one.
    pub section: Option<String>,
    /// Its name, of one line and without `=`.
    pub name: String,
    /// Its value, of one line.
    pub value: Secret<String>,
}
