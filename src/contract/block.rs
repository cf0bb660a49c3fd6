//! Text that a file holds among other text.

use std::path::PathBuf;

use crate::file::Mode;

/// Text that a file of root's shall hold: added at its end if it is nowhere in it, and all else in
/// it stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockSpec {
    /// What it is, in one line for tables: `sudo rules of web`. Never secret.
    pub what: String,
    /// The file.
    pub at: PathBuf,
    /// The text, whole lines.
    pub text: String,
    /// How the file begins if it is made.
    pub head: String,
    /// The file's mode if it is made; one that is there keeps its own.
    pub mode: Mode,
    /// A program and its arguments. It gets the file on its standard input as it would be, and
    /// nothing is written if it refuses that. An image that has not the program goes without.
    pub check: Option<Vec<String>>,
}
