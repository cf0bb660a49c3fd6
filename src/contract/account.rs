//! Users and their passwords.

use std::path::PathBuf;

use crate::name::UserName;
use crate::secret::Secret;

/// A user account, made by the system's own useradd(8) if it is absent. An account that is there
/// keeps its shell, home and groups. Source: cloud-init, `cloudinit/distros/__init__.py`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSpec {
    /// The login name.
    pub name: UserName,
    /// The comment field.
    pub gecos: Option<String>,
    /// Instead of a group of the user's own name.
    pub primary_group: Option<UserName>,
    /// Supplementary groups.
    pub groups: Vec<UserName>,
    /// Whether no group of the user's own name is made.
    pub no_user_group: bool,
    /// Instead of /home/NAME.
    pub homedir: Option<PathBuf>,
    /// Whether to make the home directory.
    pub create_home: bool,
    /// The login shell.
    pub shell: Option<PathBuf>,
    /// A fixed user id.
    pub uid: Option<u32>,
    /// A system account, without a home of its own.
    pub system: bool,
    /// Days from the end of a password to that of the account, as useradd(8) takes them.
    pub inactive: Option<String>,
    /// The account's last day, `YYYY-MM-DD`.
    pub expiredate: Option<String>,
    /// The `SELinux` user of the login.
    pub selinux_user: Option<String>,
    /// Whether lastlog and faillog are left alone.
    pub no_log_init: bool,
}

impl UserSpec {
    /// An ordinary account with a home, a group of its own and no password.
    #[must_use]
    pub const fn new(name: UserName) -> Self {
        Self {
            name,
            gecos: None,
            primary_group: None,
            groups: Vec::new(),
            no_user_group: false,
            homedir: None,
            create_home: true,
            shell: None,
            uid: None,
            system: false,
            inactive: None,
            expiredate: None,
            selinux_user: None,
            no_log_init: false,
        }
    }
}

/// What a user's password shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordSpec {
    /// Whose.
    pub user: UserName,
    /// What it shall be.
    pub state: Password,
}

/// What a password shall be. Source: cloud-init, `cloudinit/distros/__init__.py`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// This hash (crypt(5)); with a `!` before it, a locked one.
    Hash(Secret<String>),
    /// This text, hashed as the system hashes.
    Plain(Secret<String>),
    /// One that nobody chose, shown on the console alone.
    Random,
    /// Locked, whatever it is: nobody gets in with it.
    Locked,
    /// Not locked; empty if there is none.
    Unlocked,
    /// To be changed at the next login.
    Expired,
}

impl Password {
    /// What to call it in a table; never a secret.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hash(_) | Self::Plain(_) => "password",
            Self::Random => "random password",
            Self::Locked => "locked password",
            Self::Unlocked => "unlocked password",
            Self::Expired => "expired password",
        }
    }
}
