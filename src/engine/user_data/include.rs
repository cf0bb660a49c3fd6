//! `#include` and `#include-once`: user data that is somewhere else.

use std::path::Path;

use contract::hex::hex;
use contract::place::Place;
use sha2::{Digest, Sha256};

use super::Leaf;

/// One address of an include.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Include {
    /// It may hold a secret: see [`contract::fetch::shown`].
    pub(super) url: String,
    /// Whether it is fetched once for each instance, and not at every boot.
    pub(super) once: bool,
    /// What its SHA-256 has to be, in hexadecimal digits.
    pub(super) pin: Option<String>,
    /// Where it stands.
    pub(super) place: Place,
}

impl Include {
    pub(super) fn accepts(&self, body: &[u8]) -> bool {
        let pin = self.pin.as_ref();
        pin.is_none_or(|pin| pin.eq_ignore_ascii_case(&hex(&Sha256::digest(body))))
    }
}

/// The addresses of an include, in order. Each word switches to its own way, and an address may
/// stand behind it; other lines that begin with `#` are comments.
pub(super) fn addresses(leaf: &Leaf, source: &str) -> Vec<Include> {
    let text = String::from_utf8_lossy(&leaf.body);
    let mut once = false;
    let mut addresses = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let rest = match (after(line, "#include-once"), after(line, "#include")) {
            (Some(rest), _) => {
                once = true;
                rest.trim_start()
            }
            (None, Some(rest)) => {
                once = false;
                rest.trim_start()
            }
            (None, None) => line,
        };
        let url = rest.trim();
        if rest.starts_with('#') || url.is_empty() {
            continue;
        }
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        let place = Place::new(source, leaf.first_line.max(1).saturating_add(number), 1);
        let (url, pin) = match url.rsplit_once("#sha256=") {
            Some((url, pin)) => (url, Some(pin.to_owned())),
            None => (url, None),
        };
        let local = Path::new(url).is_absolute();
        addresses.push(Include {
            url: if local {
                format!("file://{url}")
            } else {
                url.to_owned()
            },
            once,
            pin,
            place,
        });
    }
    addresses
}

/// What follows a word, in any case, at the beginning of a line.
fn after<'l>(line: &'l str, word: &str) -> Option<&'l str> {
    let start = line.get(..word.len())?;
    let found = start.eq_ignore_ascii_case(word);
    found.then(|| line.get(word.len()..).unwrap_or_default())
}
