//! What a public key says of itself, as ssh-keygen(1) shows it.

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::base64;

/// A public key in the form of RFC 4253, section 6.6.
struct PublicKey {
    blob: Vec<u8>,
}

/// How the hash of a key is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// All, by their names in Python's `hashlib`.
    pub const ALL: [(&str, Self); 4] = [
        ("sha224", Self::Sha224),
        ("sha256", Self::Sha256),
        ("sha384", Self::Sha384),
        ("sha512", Self::Sha512),
    ];

    /// The hash of some bytes.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha224 => Sha224::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

impl PublicKey {
    /// The key that base64 text says; `None` if it is none.
    fn read(body: &str) -> Option<Self> {
        let blob = base64::decode(body)?;
        let key = Self { blob };
        key.kind().is_some().then_some(key)
    }

    fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.blob.as_slice();
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (field, after) = after.split_at_checked(length)?;
            rest = after;
            Some(field)
        })
    }

    fn kind(&self) -> Option<&str> {
        std::str::from_utf8(self.fields().next()?).ok()
    }

    /// Size in bits and name of its type, as `ssh-keygen -l` shows them.
    fn size_and_name(&self) -> Option<(usize, &'static str)> {
        Some(match self.kind()? {
            "ssh-rsa" => (bits(self.fields().nth(2)?), "RSA"),
            "ssh-dss" => (bits(self.fields().nth(1)?), "DSA"),
            "ecdsa-sha2-nistp256" => (256, "ECDSA"),
            "ecdsa-sha2-nistp384" => (384, "ECDSA"),
            "ecdsa-sha2-nistp521" => (521, "ECDSA"),
            "ssh-ed25519" => (256, "ED25519"),
            _ => return None,
        })
    }
}

/// The size of a number in bits (RFC 4251, section 5, `mpint`).
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    let first = digits.first().map_or(0, |byte| byte.leading_zeros());
    digits.len() * 8 - usize::try_from(first).unwrap_or_default()
}

/// What `ssh-keygen -l` says of a line of a public key file: `256 SHA256:... comment (ED25519)`.
/// `None` if it holds no key, or one that is no host's.
#[must_use]
pub fn listed(line: &str) -> Option<String> {
    let (_, rest) = line.trim().split_once(' ')?;
    let (body, comment) = rest.split_once(' ').unwrap_or((rest, ""));
    let comment = match comment.trim() {
        "" => "no comment",
        comment => comment,
    };
    let key = PublicKey::read(body)?;
    let (size, name) = key.size_and_name()?;
    let hash = base64::encode(&Hash::Sha256.of(&key.blob));
    let hash = hash.trim_end_matches('=');
    Some(format!("{size} SHA256:{hash} {comment} ({name})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_listed_as_ssh_keygen_lists_it() {
        #[rustfmt::skip]
        let table = [
            ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDdEzlxSOOS8V/bcUtflukSI96rvjIv2aaDlBtiXxrsW+jTiOi4+KXq1usOeJmI09SQPvWtT53KclKRzsuGPBddO5ixCAN5flxpkwHybSoDzGXg/1mYQ3oV6Gzq9J3cPnIIrDon9b5UTejzIN9xkqM5LOV/8KYPybceFj8MrkC5Ew== root@one",
             "1024 SHA256:vsGBdfofgXYNNbG9RQHkxwxopJ0QzHFDIITwVNK3fG4 root@one (RSA)"),
            ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAGKoEM5eLxw9HDzdmUlPLFLbkcYpbE7taLqQ7tZxMBuCX8medx2JBNF8/zcq8iF61wcSM+LptyASEniUpptkGu2e4EosnemSkWNtI4NRJYv05E3v5TTBduy9XOWRLnHsoSuCvP/ixyKlMaeVyd6c4cMc9k2WTtfvR+JfpciTu3wJ4ayUl0weHt+FzRoNDP9/xdhwMF29ZBsFza3LT1KyEJ6uVUMIOUCwY5SAZXEuMhCt18Fp/se0pILRPE9kA74VqSmnl/2P/qaCK3jKTaSyb4kzjLZBckTf3n+4XoMoz2BilCHlHDKBgI9U2/abLWs96a+IDQL2xpJYZ8XC48zNgUU= two words",
             "2047 SHA256:pn5dVUYJk4RE2iPHg9iW2VcoQaYXXMbZ54ir9o+KHeA two words (RSA)"),
            ("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBB6W+h4CeC0Fe4a4MVtiq2DrmZP4W7EGyTveH4E+ItWlBRHX2Vv6zcZWebdLYvJm69/E+gF+g47f8YwLYO0KZ40= ",
             "256 SHA256:Im/F4+mUi647JuJ03IUB3hAYXDJOk4FLDTnDygQGBN8 no comment (ECDSA)"),
            ("ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBIumuhAIRI4nDmYOY1/VA/KyPl6JtL6cl6cN78IhGe9UPpaS4bCunbfmlA8s2Y64H0PJ3OneHJ7KUBBckk5C0PsdR/0atxLytFa5U6W3G6mBCtQZIrprtoYOOKNS6Ntngg== x",
             "384 SHA256:b6uuBFA1zM6wrlAYPeOlSRbpL8ZM9HdQk5ZlYf9eQwU x (ECDSA)"),
            ("ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAEOccBguYUEykTvji/q1z6TeY4pjFNxxyYb5fK47FdiIeHrwcz47SuLkIQjPiGa9LAm5gOJR5Pb4cg0PvuL+RheAgElS8HILOjRX4s5Vc2YgWT92GncfKg10sCpub2LXlcc18Q7B1aeuqsi1sL9yzV2IB7njJr7Khq+8yKu+cS4W1wWeQ== x",
             "521 SHA256:KsaAduOIC0ybzKfnFmqEmrD4WS1Z8Rsn62wDjvG5Tic x (ECDSA)"),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILCrt82t57S75lSKYdyzizBZa+T1h0i52tEn8MYW3CpX x",
             "256 SHA256:9KY8T+3aaLgRv/Qkde2kT6InR5qajAo7cuqU9VtfIEk x (ED25519)"),
        ];
        for (line, listed_as) in table {
            assert_eq!(listed(line).as_deref(), Some(listed_as), "{line}");
        }
    }

    #[test]
    fn what_is_no_key_is_not_listed() {
        for line in [
            "",
            "ssh-rsa",
            "ssh-rsa AAAA",
            "ssh-rsa AAAAB3NzaC1yc2E= x",
            "junk AAAAB2ZvcmVpZ24= x",
        ] {
            assert_eq!(listed(line), None, "{line}");
        }
    }
}
