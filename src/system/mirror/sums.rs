//! What a file's content shall be: a list of checksums at the origin, as sha256sum(1) writes and
//! checks it, or the checksum that S3 keeps of an object.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contract::error::EffectError;
use contract::hex::hex as digits;

/// The list's name at the top of an origin.
pub(super) const NAME: &str = "SHA256SUMS";

/// Digests by path; empty without a list.
#[derive(Default)]
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

    /// Whether a file is what the list says, or what S3 `kept` (in base64) where there is no line
    /// for it; the list itself is not in it.
    pub(super) fn check(
        &self,
        path: &str,
        sha256: &str,
        kept: Option<&str>,
        at: &Path,
    ) -> Result<(), EffectError> {
        let reason = match (self.0.get(path), kept.map(|kept| matches(kept, sha256))) {
            _ if path == NAME => return Ok(()),
            (Some(digest), _) if *digest == sha256 => return Ok(()),
            (Some(_), _) => format!("its content does not match {NAME}"),
            (None, Some(true)) => return Ok(()),
            (None, Some(false)) => "its content does not match the checksum that S3 keeps".into(),
            (None, None) => format!(
                "there is nothing to verify it by: {NAME} has no line for it, and the origin keeps no SHA-256 of it"
            ),
        };
        Err(EffectError::Refused {
            path: at.to_owned(),
            reason,
        })
    }
}

/// Whether a checksum in base64 is this one in hexadecimal digits.
fn matches(base64: &str, hex: &str) -> bool {
    let Ok(bytes) = STANDARD.decode(base64) else {
        return false;
    };
    digits(&bytes) == hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_checked_by_its_line_else_by_what_s3_keeps() {
        let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let kept = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
        let listed = format!("{hello} *a\nnonsense\n");
        #[rustfmt::skip]
        let table = [
            // file     digest   kept by S3    fault
            ("a",       hello,   None,         None),
            ("a",       "00",    Some(kept),   Some("does not match SHA256SUMS")),
            ("b",       hello,   Some(kept),   None),
            ("b",       "00",    Some(kept),   Some("the checksum that S3 keeps")),
            ("b",       hello,   Some("?"),    Some("the checksum that S3 keeps")),
            ("b",       hello,   None,         Some("nothing to verify it by")),
            (NAME,      hello,   None,         None),
        ];
        for (path, digest, kept, fault) in table {
            let checked = Sums::parse(listed.as_bytes()).check(path, digest, kept, Path::new("/x"));
            match (checked, fault) {
                (Ok(()), None) => {}
                (Err(error), Some(fault)) => assert!(error.to_string().contains(fault), "{error}"),
                (checked, _) => panic!("{path} {digest}: {checked:?}"),
            }
        }
    }
}
