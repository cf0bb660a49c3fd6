//! A list of checksums, as sha256sum(1) writes and checks it.

use std::collections::BTreeMap;
use std::path::Path;

use contract::error::EffectError;

use super::manifest::sha256;

/// The list's name at the top of an origin.
pub(super) const NAME: &str = "SHA256SUMS";

/// Digests by path.
pub(super) struct Sums(BTreeMap<String, String>);

impl Sums {
    /// Lines of another form are passed over: their files fail the check then.
    pub(super) fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let entry = |line: &str| {
            let (digest, rest) = line.split_at_checked(64)?;
            let path = rest
                .strip_prefix("  ")
                .or_else(|| rest.strip_prefix(" *"))?;
            let path = path.strip_prefix("./").unwrap_or(path);
            Some((path.to_owned(), digest.to_ascii_lowercase()))
        };
        Self(text.lines().filter_map(entry).collect())
    }

    /// Whether a file is what the list says; the list itself is not in it.
    pub(super) fn check(&self, path: &str, bytes: &[u8], at: &Path) -> Result<(), EffectError> {
        let reason = match self.0.get(path) {
            _ if path == NAME => return Ok(()),
            Some(digest) if *digest == sha256(bytes) => return Ok(()),
            Some(_) => format!("its content does not match {NAME}"),
            None => format!("{NAME} has no line for it"),
        };
        Err(EffectError::Refused {
            path: at.to_owned(),
            reason,
        })
    }
}
