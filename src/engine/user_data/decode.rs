//! Encodings and compression of user data as a whole, and the ends of its lines.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::bufread::GzDecoder;

/// The types that cloud-init unpacks. Source: `cloudinit/user_data.py`, `DECOMP_TYPES`.
const GZIP_TYPES: [&str; 8] = [
    "application/gzip",
    "application/gzip-compressed",
    "application/gzipped",
    "application/x-compress",
    "application/x-compressed",
    "application/x-gunzip",
    "application/x-gzip",
    "application/x-gzip-compressed",
];

/// Why bytes could not be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("it unpacks to more than MAX_DECODED (16 MiB)")]
    TooLarge,
    #[error("declared as gzip, but it is not")]
    NotGzip,
}

/// Undoes base64 if the whole is strictly that: in groups of four, and no line end behind it.
/// Source: cloud-init, `cloudinit/util.py`, `maybe_b64decode`.
pub(super) fn base64(raw: &[u8]) -> Vec<u8> {
    STANDARD.decode(raw).unwrap_or_else(|_| raw.to_vec())
}

/// Unpacks gzip, once, to at most `limit` bytes; what is not gzip stays as it is.
///
/// # Errors
/// When it unpacks to more than that.
pub(super) fn maybe_gunzip(bytes: Vec<u8>, limit: usize) -> Result<Vec<u8>, DecodeError> {
    match gunzip(&bytes, limit) {
        Err(DecodeError::NotGzip) => Ok(bytes),
        unpacked => unpacked,
    }
}

/// Whether it begins as gzip does (RFC 1952), whole or not.
pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Unpacks gzip: members, and zeros behind them (RFC 1952; Python's `gzip`, which cloud-init uses).
///
/// # Errors
/// When it is not whole, or unpacks to more than `limit` bytes.
pub(super) fn gunzip(bytes: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut unpacked = Vec::new();
    let mut rest = bytes;
    while is_gzip(rest) {
        let left = limit.saturating_sub(unpacked.len()).saturating_add(1);
        let mut member = GzDecoder::new(rest);
        let mut some = member
            .by_ref()
            .take(u64::try_from(left).unwrap_or(u64::MAX));
        some.read_to_end(&mut unpacked)
            .map_err(|_| DecodeError::NotGzip)?;
        if unpacked.len() > limit {
            return Err(DecodeError::TooLarge);
        }
        rest = member.into_inner();
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        rest = rest.get(zeros..).unwrap_or_default();
    }
    let is_whole = rest.is_empty() && !bytes.is_empty();
    is_whole.then_some(unpacked).ok_or(DecodeError::NotGzip)
}

/// Whether parts of this type are unpacked.
pub(super) fn is_gzip_type(mime: &str) -> bool {
    GZIP_TYPES.contains(&mime)
}

/// A script written on Windows: its first line tells.
pub(super) fn unix_lines(body: Vec<u8>) -> Vec<u8> {
    let end = body.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    if !body.get(..end).is_some_and(|line| line.ends_with(b"\r")) {
        return body;
    }
    let mut lines = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\r\n") {
            Some(text) => {
                lines.extend_from_slice(text);
                lines.push(b'\n');
            }
            None => lines.extend_from_slice(line),
        }
    }
    lines
}
