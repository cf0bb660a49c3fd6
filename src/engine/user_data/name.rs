//! The names of parts.

const MAX_NAME: usize = 128;

/// The name of the part with this number, from 1.
pub(super) fn numbered(number: usize) -> String {
    format!("part-{number:03}")
}

/// A file name as one harmless path component; `None` if nothing is left of it. Source of the
/// alphabet: cloud-init, `cloudinit/util.py`, `clean_filename`.
pub(super) fn safe(name: &str) -> Option<String> {
    let safe = |c: &char| c.is_ascii_alphanumeric() || "_.()-".contains(*c);
    let name = name.replace('/', "_");
    let name: String = name.chars().filter(safe).take(MAX_NAME).collect();
    (!name.trim_matches('.').is_empty()).then_some(name)
}
