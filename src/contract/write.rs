//! Files as an entry of `write_files` wants them.

use std::fmt;
use std::path::PathBuf;

use crate::fetch::shown;
use crate::file::{Content, Mode};
use crate::secret::Secret;

/// A file that somebody wrote into a configuration: it may be fetched, be appended to what is
/// there, and leave an owner as it is. Missing directories above it are made, 0755, its owner's.
///
/// Source: cloud-init, `cloudinit/config/cc_write_files.py` and `cloudinit/util.py`
/// (`write_file`, `ensure_dir`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteSpec {
    /// Where: an absolute path.
    pub path: PathBuf,
    /// What is in it; with a source, what is in it if nothing comes from there.
    pub content: Option<Content>,
    /// Where its content comes from.
    pub source: Option<Source>,
    /// Whether it goes behind what is in the file already.
    pub append: Option<Append>,
    /// Its mode.
    pub mode: Mode,
    /// Whose it is.
    pub owner: Keeper,
    /// What to do if there is no such owner yet.
    pub hint: &'static str,
}

impl WriteSpec {
    /// The longest file that a source may give, in bytes.
    pub const LIMIT: usize = 64 * 1024 * 1024;
}

/// A user and a group, each of whom may stay who it is: root in a new file. A name may be a number.
/// Names are looked up when the effect is performed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keeper {
    /// The user.
    pub user: Option<String>,
    /// The group.
    pub group: Option<String>,
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.user.as_deref().unwrap_or(""))?;
        match &self.group {
            Some(group) => write!(f, ":{group}"),
            None => Ok(()),
        }
    }
}

/// An address that a file's content comes from.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// `https://`, `http://`, `s3://BUCKET/KEY` or `file:///PATH`. Its query string may be a secret.
    pub url: Secret<String>,
    /// Sent with the request.
    pub headers: Vec<(String, Secret<String>)>,
    /// Of S3: where to ask first.
    pub region: Option<String>,
    /// Of S3: the DNS suffix of the partition's services.
    pub domain: Option<String>,
}

/// The address without what may be secret.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.url.expose()))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({self})")
    }
}

/// How an appended text is told from one that was there before: a record is made before it is
/// appended, so that a crash or a second run does not append it twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// The file of the records, of mode 0600.
    pub records: PathBuf,
    /// Of entries that append the same to the same file, which one this is: from 1.
    pub nth: usize,
}

/// `file /etc/motd (0644 web:web) = https://example.com/motd`
impl fmt::Display for WriteSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.append.is_some() {
            "append to"
        } else {
            "file"
        };
        write!(f, "{verb} {} ({}", self.path.display(), self.mode)?;
        let owner = self.owner.to_string();
        if !matches!(owner.as_str(), "" | "root" | "root:root") {
            write!(f, " {owner}")?;
        }
        f.write_str(")")?;
        match &self.source {
            Some(source) => write!(f, " = {source}"),
            None => Ok(()),
        }
    }
}
