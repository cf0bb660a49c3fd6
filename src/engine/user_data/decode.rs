//! Encodings and compression of user data as a whole, and the ends of its lines.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contract::gzip::{self, GunzipError};

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

/// Unpacks gzip.
///
/// # Errors
/// When it is not whole, or unpacks to more than `limit` bytes.
pub(super) fn gunzip(bytes: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    gzip::gunzip(bytes, limit).map_err(|error| match error {
        GunzipError::TooLarge => DecodeError::TooLarge,
        GunzipError::NotGzip => DecodeError::NotGzip,
    })
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
