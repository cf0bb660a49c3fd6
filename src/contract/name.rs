//! Names that are checked where they enter.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Text that is not the name it should be. It never shows more of the text than the kind of fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}: {rule}")]
pub struct BadName {
    /// `host name`, `user name`, `instance id`.
    pub kind: &'static str,
    /// What a valid one looks like.
    pub rule: &'static str,
}

macro_rules! text_newtype {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::try_from(text.to_owned())
            }
        }
    };
}

/// A host name (RFC 1123): labels of 1 to 63 letters, digits and inner hyphens; 253 bytes at most.
///
/// An underscore is let through as well: RFC 1123 has none, but Linux and cloud-init take it, and
/// user data in the wild uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hostname(String);

text_newtype!(Hostname);

impl Hostname {
    /// The first label: `web-1` of `web-1.example.com`.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }

    /// What stands after the first dot, if anything does.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.0.split_once('.').map(|(_, domain)| domain)
    }
}

impl TryFrom<String> for Hostname {
    type Error = BadName;

    fn try_from(name: String) -> Result<Self, BadName> {
        let label = |l: &str| {
            (1..=63).contains(&l.len())
                && l.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !l.starts_with('-')
                && !l.ends_with('-')
        };
        if name.len() <= 253 && name.split('.').all(label) {
            Ok(Self(name))
        } else {
            Err(BadName {
                kind: "host name",
                rule: "labels of 1 to 63 letters, digits and inner hyphens, joined by dots",
            })
        }
    }
}

/// A user's or group's name, as useradd(8) takes it: 32 bytes at most, no leading hyphen, a
/// trailing `$` allowed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

text_newtype!(UserName);

impl TryFrom<String> for UserName {
    type Error = BadName;

    fn try_from(name: String) -> Result<Self, BadName> {
        let body = name.strip_suffix('$').unwrap_or(&name);
        let fits = (1..=32).contains(&name.len())
            && body
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            && body.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if fits {
            Ok(Self(name))
        } else {
            Err(BadName {
                kind: "user name",
                rule: "a letter or `_`, then letters, digits, `.`, `_` and `-`; 32 at most",
            })
        }
    }
}

/// The cloud's name for this instance (`i-0123456789abcdef0`): it names a directory of state, so
/// it is 1 to 128 bytes of letters, digits, `.`, `_`, `-` and `:`, and not `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId(String);

text_newtype!(InstanceId);

impl TryFrom<String> for InstanceId {
    type Error = BadName;

    fn try_from(id: String) -> Result<Self, BadName> {
        let fits = (1..=128).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-:".contains(&b))
            && !id.starts_with('.');
        if fits {
            Ok(Self(id))
        } else {
            Err(BadName {
                kind: "instance id",
                rule: "1 to 128 letters, digits, `.`, `_`, `-` and `:`, not beginning with a dot",
            })
        }
    }
}

/// One line of an authorized_keys file (sshd(8), AUTHORIZED_KEYS FILE FORMAT): options if any, key
/// type, base64 body, comment. Not secret, and never more than one line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AuthorizedKey(String);

text_newtype!(AuthorizedKey);

impl AuthorizedKey {
    /// The base64 body: what makes two lines the same key.
    #[must_use]
    pub fn body(&self) -> &str {
        key_body(&self.0).unwrap_or(&self.0)
    }

    /// The same key with these options instead of its own; `None` if they do not fit in a line.
    #[must_use]
    pub fn with_options(&self, options: &str) -> Option<Self> {
        format!("{options} {}", self.without_options()).parse().ok()
    }

    /// The line from the key type on, without options before it.
    #[must_use]
    pub fn without_options(&self) -> &str {
        let start = key_type_at(&self.0).unwrap_or(0);
        self.0.get(start..).unwrap_or(&self.0)
    }
}

impl TryFrom<String> for AuthorizedKey {
    type Error = BadName;

    fn try_from(line: String) -> Result<Self, BadName> {
        let line = line.trim();
        let fits = line.len() <= 16 * 1024
            && !line.contains(|c: char| c.is_control() && c != '\t')
            && !line.starts_with('#')
            && key_body(line).is_some();
        if fits {
            Ok(Self(tidy(line)))
        } else {
            Err(BadName {
                kind: "SSH public key",
                rule: "one line of key type, base64 body and comment, such as `ssh-ed25519 AAAA... me`",
            })
        }
    }
}

/// A line with one blank between options, type, body and comment.
///
/// Source: cloud-init, `cloudinit/ssh_util.py` (`AuthKeyLine`).
fn tidy(line: &str) -> String {
    let (options, key) = line.split_at(key_type_at(line).unwrap_or(0));
    let (kind, rest) = key.split_once([' ', '\t']).unwrap_or((key, ""));
    let rest = rest.trim_start();
    let (body, comment) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let words = [options.trim_end(), kind, body, comment.trim_start()];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// The base64 body of an authorized_keys line, if the line holds a key.
#[must_use]
pub fn key_body(line: &str) -> Option<&str> {
    let at = key_type_at(line)?;
    let body = line.get(at..)?.split_ascii_whitespace().nth(1)?;
    let base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
    (body.len() >= 16 && body.bytes().all(base64)).then_some(body)
}

/// Where the key type begins: the first word outside quotes that names one.
fn key_type_at(line: &str) -> Option<usize> {
    let mut quoted = false;
    let mut word_start = true;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if word_start && !quoted {
            let word = line
                .get(at..)?
                .split_ascii_whitespace()
                .next()
                .unwrap_or("");
            let known = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"];
            if known.iter().any(|prefix| word.starts_with(prefix)) {
                return Some(at);
            }
        }
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && !escaped;
        word_start = c == ' ' || c == '\t';
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_follows_rfc_1123() {
        #[rustfmt::skip]
        let table = [
            ("web-1",              true),
            ("ip-10-0-0-1.eu-central-1.compute.internal", true),
            ("my_host",            true),
            ("",                   false),
            ("-web",               false),
            ("web..example",       false),
            ("web\nexample",       false),
        ];
        for (text, good) in table {
            assert_eq!(text.parse::<Hostname>().is_ok(), good, "{text:?}");
        }
        assert!("a".repeat(64).parse::<Hostname>().is_err());
    }

    #[test]
    fn an_instance_id_cannot_leave_its_directory() {
        for bad in ["", ".", "..", "../etc", "a/b", "i-0\n", ".hidden"] {
            assert!(bad.parse::<InstanceId>().is_err(), "{bad:?}");
        }
        assert!("i-0123456789abcdef0".parse::<InstanceId>().is_ok());
    }

    #[test]
    fn a_key_is_known_by_its_body_whatever_stands_around_it() {
        let body = "AAAAC3NzaC1lZDI1NTE5AAAAIGvG";
        #[rustfmt::skip]
        let lines = [
            format!("ssh-ed25519 {body}"),
            format!("ssh-ed25519 {body} me@home"),
            format!("no-pty,command=\"echo \\\"ssh-rsa x\\\" y\" ssh-ed25519 {body} me"),
        ];
        for line in lines {
            assert_eq!(
                line.parse::<AuthorizedKey>().unwrap().body(),
                body,
                "{line}"
            );
        }
        for bad in [
            "",
            "# note",
            "ssh-ed25519",
            "ssh-rsa ***",
            "hello world",
            "ssh-rsa AAAAB3NzaC1yc2EAAAA\nx",
        ] {
            assert!(bad.parse::<AuthorizedKey>().is_err(), "{bad:?}");
        }
    }
}
