//! Files: where they shall be, what is in them, and whose they are.

use std::fmt;
use std::path::PathBuf;

use crate::name::UserName;
use crate::secret::Secret;

/// Where a file shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An absolute path on the machine (below its root, whichever that is).
    Path(PathBuf),
    /// A path in the home directory that the user has when the effect is performed.
    Home {
        /// Whose home.
        user: UserName,
        /// Relative to it.
        rest: PathBuf,
    },
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Home { user, rest } => write!(f, "~{user}/{}", rest.display()),
        }
    }
}

impl From<&str> for Target {
    fn from(path: &str) -> Self {
        Self::Path(PathBuf::from(path))
    }
}

impl From<PathBuf> for Target {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

/// Permission bits of a file, set-id and sticky bits included: 0 to 0o7777.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(u32);

impl Mode {
    /// What everyone may read.
    pub const PUBLIC: Self = Self(0o644);
    /// What only the owner may read.
    pub const PRIVATE: Self = Self(0o600);
    /// A directory that everyone may enter.
    pub const PUBLIC_DIR: Self = Self(0o755);
    /// A program or directory of the owner alone.
    pub const PRIVATE_EXEC: Self = Self(0o700);

    /// The lowest twelve bits of `bits`.
    #[must_use]
    pub const fn new(bits: u32) -> Self {
        Self(bits & 0o7777)
    }

    /// As chmod(2) takes them.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether others than owner and group get nothing.
    #[must_use]
    pub const fn is_private(self) -> bool {
        self.0 & 0o007 == 0
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// Whose a file shall be. Names are looked up when the effect is performed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Owner {
    /// Whoever firstlight runs as, which on a live machine is root.
    #[default]
    Root,
    /// A user, and a group; without a group the user's primary one.
    Named {
        /// A user's name.
        user: String,
        /// A group's name.
        group: Option<String>,
    },
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::Named { user, group: None } => f.write_str(user),
            Self::Named {
                user,
                group: Some(group),
            } => write!(f, "{user}:{group}"),
        }
    }
}

/// The bytes of a file.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// May be shown by `plan`.
    Plain(Vec<u8>),
    /// Never shown.
    Secret(Secret<Vec<u8>>),
}

impl Content {
    /// The bytes themselves, for the one who writes them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Secret(bytes) => bytes.expose(),
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(bytes) => write!(f, "Plain({} bytes)", bytes.len()),
            Self::Secret(bytes) => write!(f, "{bytes:?}"),
        }
    }
}

/// A file with exactly these bytes; missing directories above it are made, 0755.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSpec {
    /// Where.
    pub at: Target,
    /// What is in it.
    pub content: Content,
    /// Its final mode, which it has from its first moment.
    pub mode: Mode,
    /// Whose it is.
    pub owner: Owner,
}
