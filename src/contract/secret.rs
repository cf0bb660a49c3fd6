//! A value that cannot print itself.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer};

/// What stands where a secret would: in plans, logs, errors and `Debug`.
pub const REDACTED: &str = "‹secret›";

/// User data, a token, a password, a key: readable only through [`Secret::expose`].
///
/// There is no `Display` and no `Serialize`, and `Debug` shows [`REDACTED`], so that a secret
/// reaches a log or a report only by a call that a reviewer can search for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the one who needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value itself, owned.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// Another secret made from this one.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Secret<U> {
        Secret(change(self.0))
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

/// The end of the first and of the last line of a private key (RFC 7468).
pub const PRIVATE_KEY: &str = "PRIVATE KEY-----";

/// The ends of names whose values are secret.
const NAMES: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "secret_key",
    "secret_access_key",
];

/// Names that end so and whose values are none: a switch, and a tag of sudoers(5).
const NO_SECRETS: [&str; 2] = ["lock_passwd", "nopasswd"];

/// The last words of such names.
const WORDS: [&str; 2] = ["pass", "psk"];

/// Whether the value of a key that is called so is a secret: `http_proxy_password`, `mysql.pass`,
/// `password2`.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase().replace('-', "_");
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let mut words = name.rsplit(|c: char| !c.is_ascii_alphanumeric());
    let is_word = words.next().is_some_and(|last| WORDS.contains(&last));
    !NO_SECRETS.contains(&name) && (is_word || NAMES.iter().any(|end| name.ends_with(end)))
}

/// The values in a line that are secret by the names before them, and where they begin, in bytes:
/// `password: ...`, `API_KEY=...`.
pub fn values_of_secret_names(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    line.match_indices([':', '=']).filter_map(move |(at, _)| {
        let before = line.get(..at)?.trim_end().trim_end_matches(['"', '\'']);
        let outside = before.trim_end_matches(is_inner);
        let name = before.get(outside.len()..)?;
        if !is_secret_name(name) || outside.ends_with('$') || outside.ends_with("${") {
            return None;
        }
        let after = line.get(at + 1..)?;
        let value = after.trim_start().trim_start_matches(['"', '\'']);
        let start = line.len() - value.len();
        let end = value.find(|c: char| c.is_whitespace() || "\"',;}".contains(c));
        Some((start, value.get(..end.unwrap_or(value.len()))?))
    })
}

/// Where the first value in a line begins that is secret by its name, in bytes.
#[must_use]
pub fn first_secret(line: &str) -> Option<usize> {
    // A switch such as `disable_password: false` says nothing.
    let is_word = |value: &str| ["true", "false", "yes", "no", "null"].contains(&value);
    values_of_secret_names(line)
        .find(|(_, value)| !value.is_empty() && !is_word(&value.to_ascii_lowercase()))
        .map(|(at, _)| at)
}

/// A line of a file for people: without passwords in addresses, and cut off where a value begins that is
/// secret by its name.
fn without_secrets(line: &str) -> Cow<'_, str> {
    match first_secret(line).and_then(|at| line.get(..at)) {
        Some(before) => Cow::Owned(format!("{}{REDACTED}", without_passwords(before))),
        None => without_passwords(line),
    }
}

/// The lines of a file for people, without private keys and what is secret by its name.
pub fn lines_without_secrets<'a>(
    lines: impl IntoIterator<Item = &'a str>,
) -> impl Iterator<Item = Cow<'a, str>> {
    let mut is_key = false;
    lines.into_iter().map(move |line| {
        let (was_key, ends) = (is_key, line.contains("-----END "));
        match line.split_once("-----BEGIN ") {
            Some((before, after)) if after.contains(PRIVATE_KEY) => {
                is_key = !ends;
                match after.trim_end().ends_with(PRIVATE_KEY) && !ends {
                    true => without_secrets(line),
                    false => Cow::Owned(format!("{}{REDACTED}", without_secrets(before))),
                }
            }
            _ if was_key && !ends => Cow::Borrowed(REDACTED),
            _ => {
                is_key = false;
                without_secrets(line)
            }
        }
    })
}

/// A text for people, in which addresses do not show whoever logs in with a password:
/// `https://user:password@host/x.rpm`.
#[must_use]
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    if !text.contains("://") || !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_whitespace() || "'\"`<>".contains(c));
        let address = part.get(..end.unwrap_or(part.len())).unwrap_or_default();
        let login = address.rsplit_once('@').map(|(login, _)| login);
        let hidden = login.filter(|login| login.contains(':'));
        shown.push_str("://");
        shown.push_str(hidden.map_or("", |_| REDACTED));
        shown.push_str(part.get(hidden.map_or(0, str::len)..).unwrap_or_default());
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known() {
        #[rustfmt::skip]
        let table = [
            ("http_proxy_Password", true),
            ("mysql.pass",          true),
            ("api-key",             true),
            ("password2",           true),
            ("pass",                true),
            ("lock_passwd",         false),
            ("NOPASSWD",            false),
            ("bypass",              false),
            ("credentials",         false),
        ];
        for (name, wanted) in table {
            assert_eq!(is_secret_name(name), wanted, "{name}");
        }
    }

    #[test]
    fn an_address_does_not_show_its_password() {
        #[rustfmt::skip]
        let table = [
            ("no such package: https://u:hunter2@h/x.rpm, b", "no such package: https://‹secret›@h/x.rpm, b"),
            ("`dnf install git+https://u:p/w@h/x` and http://a:b@c/", "`dnf install git+https://‹secret›@h/x` and http://‹secret›@c/"),
            ("https://h:80/x me@here",                        "https://h:80/x me@here"),
            ("ssh://git@h/x",                                 "ssh://git@h/x"),
        ];
        for (text, wanted) in table {
            assert_eq!(without_passwords(text), wanted);
        }
    }

    #[test]
    fn a_line_does_not_show_what_is_secret_by_its_name() {
        #[rustfmt::skip]
        let table = [
            ("http_proxy_password = hunter2",                "http_proxy_password = ‹secret›"),
            ("  \"token\": \"hunter2\", \"a\": 1",           "  \"token\": \"‹secret›"),
            ("Acquire::http::Proxy \"http://u:hunter2@h\";", "Acquire::http::Proxy \"http://‹secret›@h\";"),
            ("disable_password: false",                      "disable_password: false"),
            ("PermitEmptyPasswords no",                      "PermitEmptyPasswords no"),
            ("ada ALL=(ALL) NOPASSWD:ALL",                   "ada ALL=(ALL) NOPASSWD:ALL"),
            ("root:x:0:0:root:/root:/bin/sh",                "root:x:0:0:root:/root:/bin/sh"),
        ];
        for (line, wanted) in table {
            assert_eq!(without_secrets(line), wanted);
        }
    }

    #[test]
    fn lines_do_not_show_a_private_key() {
        #[rustfmt::skip]
        let table: [(&[&str], &[&str]); 4] = [
            (&["a", "-----BEGIN RSA PRIVATE KEY-----", "MII", "-----END RSA PRIVATE KEY-----", "b"],
             &["a", "-----BEGIN RSA PRIVATE KEY-----", "‹secret›", "-----END RSA PRIVATE KEY-----", "b"]),
            (&["pem: '-----BEGIN PRIVATE KEY-----MII-----END PRIVATE KEY-----'", "b"], &["pem: '‹secret›", "b"]),
            (&["-----BEGIN PRIVATE KEY-----\\nMII", "token: a"], &["‹secret›", "‹secret›"]),
            (&["-----BEGIN CERTIFICATE-----", "MII", "-----END CERTIFICATE-----", "token: a"],
             &["-----BEGIN CERTIFICATE-----", "MII", "-----END CERTIFICATE-----", "token: ‹secret›"]),
        ];
        for (lines, wanted) in table {
            let shown: Vec<_> = lines_without_secrets(lines.iter().copied()).collect();
            assert_eq!(shown, wanted);
        }
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(
            format!("{:?}", Some(Secret::new("hunter2"))),
            "Some(‹secret›)"
        );
    }
}
