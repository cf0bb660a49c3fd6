//! Content: directories that hold what a bucket or another directory holds.

use std::fmt;
use std::path::PathBuf;

use crate::file::{Mode, Owner};

/// Where content comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `s3://BUCKET/PREFIX`.
    S3 {
        /// The bucket.
        bucket: String,
        /// Keys that begin with it are fetched; their rest is the path below the destination.
        prefix: String,
        /// `https://s3.example.com`: a store that speaks S3 and is not AWS.
        endpoint: Option<String>,
        /// Where to ask first; S3 tells if the bucket is in another region.
        region: Option<String>,
        /// The DNS suffix of the partition's services: `amazonaws.com`.
        domain: Option<String>,
        /// Whether to ask without credentials.
        anonymous: bool,
    },
    /// `file:///DIRECTORY`, on the machine itself.
    Directory(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, prefix, .. } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Directory(path) => write!(f, "file://{}", path.display()),
        }
    }
}

/// How new content takes the place of the old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// File by file, each replaced whole.
    InPlace,
    /// Staged beside the destination, then one rename; the last `keep` versions stay.
    Atomic {
        /// How many earlier versions to keep for a roll-back.
        keep: u32,
    },
}

/// A directory that holds what an origin holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorSpec {
    /// Where from.
    pub origin: Origin,
    /// An absolute path.
    pub dest: PathBuf,
    /// Whose the files are.
    pub owner: Owner,
    /// Mode of the files.
    pub file_mode: Mode,
    /// Mode of the directories.
    pub dir_mode: Mode,
    /// Whether to remove what the origin has not.
    pub delete: bool,
    /// How new content takes the place of the old.
    pub switch: Switch,
    /// Whether a destination may be taken over that holds files which no mirror put there.
    pub adopt: bool,
    /// Whether each file must match a SHA-256 that the origin keeps.
    pub verify_sha256: bool,
    /// A JSON file that remembers what was fetched: makes the next run incremental.
    pub manifest: PathBuf,
}
