//! Who may log in: what authorized_keys files shall hold (sshd(8)).

use std::fmt;
use std::str::FromStr;

use crate::name::{AuthorizedKey, BadName, UserName};

/// Keys that a user's authorized_keys file shall hold, beside those that are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizedKeysSpec {
    /// Whose.
    pub user: UserName,
    /// The keys.
    pub keys: Vec<AuthorizedKey>,
    /// Options that replace those of every key given, such as a forced command.
    pub options: Option<String>,
}

/// The keys that somebody shows to the world, which a user's authorized_keys file shall hold beside
/// those that are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportKeysSpec {
    /// Whose file.
    pub user: UserName,
    /// Whose keys.
    pub id: KeysId,
}

/// Where public keys are kept: addresses up to the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyServers {
    /// Of GitHub's programming interface.
    pub github: String,
    /// Of Launchpad.
    pub launchpad: String,
}

impl Default for KeyServers {
    fn default() -> Self {
        Self {
            github: "https://api.github.com".to_owned(),
            launchpad: "https://launchpad.net".to_owned(),
        }
    }
}

/// Who keeps public keys for everybody to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyServer {
    /// <https://docs.github.com/en/rest/users/keys>
    Github,
    /// <https://launchpad.net/ssh-import-id>
    Launchpad,
}

/// Somebody at a key server, written `gh:NAME`, `lp:NAME` or `NAME`, which is Launchpad's.
///
/// Source: ssh-import-id(1). A name has 1 to 64 letters, digits, `.`, `_`, `+` and `-`: it becomes a
/// part of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysId {
    server: KeyServer,
    name: String,
}

impl KeysId {
    /// Who keeps the keys.
    #[must_use]
    pub const fn server(&self) -> KeyServer {
        self.server
    }

    /// Whose keys.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl KeyServer {
    /// As it stands before a name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Github => "gh",
            Self::Launchpad => "lp",
        }
    }
}

impl FromStr for KeysId {
    type Err = BadName;

    fn from_str(id: &str) -> Result<Self, BadName> {
        let (server, name) = match id.split_once(':') {
            Some(("gh", name)) => (Some(KeyServer::Github), name),
            Some(("lp", name)) => (Some(KeyServer::Launchpad), name),
            Some(_) => (None, ""),
            None => (Some(KeyServer::Launchpad), id),
        };
        let good = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
        let fits = (1..=64).contains(&name.len()) && name.bytes().all(good);
        let server = server.filter(|_| fits && !name.starts_with('.'));
        let server = server.ok_or(BadName {
            kind: "id of keys",
            rule: "`gh:NAME` for GitHub, `lp:NAME` or `NAME` for Launchpad",
        })?;
        let name = name.to_owned();
        Ok(Self { server, name })
    }
}

/// `gh:ada`
impl fmt::Display for KeysId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.server.as_str(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_a_server_and_somebody_there() {
        #[rustfmt::skip]
        let table = [
            ("gh:ada",        Some("gh:ada")),
            ("lp:ada+work",   Some("lp:ada+work")),
            ("ada",           Some("lp:ada")),
            ("gl:ada",        None),
            ("gh:",           None),
            ("gh:a/../b",     None),
            ("..",            None),
            ("gh:ada?x=1",    None),
            ("a b",           None),
        ];
        for (text, id) in table {
            let read = text.parse::<KeysId>().ok().map(|id| id.to_string());
            assert_eq!(read.as_deref(), id, "{text}");
        }
    }
}
