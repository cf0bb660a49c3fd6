//! Transfer encodings and compression of user data as a whole.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;

const MAX_DECODED: usize = 16 << 20;

/// Why bytes could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("larger than 16 MiB when unpacked")]
    TooLarge,
    #[error("declared as gzip, but it is not")]
    NotGzip,
}

/// Undoes base64 if the whole is strictly that, then gzip once. Source: cloud-init,
/// `cloudinit/util.py`, `maybe_b64decode`.
pub(super) fn whole(raw: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let bytes = STANDARD.decode(raw).unwrap_or_else(|_| raw.to_vec());
    match gunzip(&bytes) {
        Ok(unpacked) => Ok(unpacked),
        Err(DecodeError::NotGzip) => Ok(bytes),
        Err(error) => Err(error),
    }
}

pub(super) fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(DecodeError::NotGzip);
    }
    let mut unpacked = Vec::new();
    let limit = u64::try_from(MAX_DECODED)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut reader = MultiGzDecoder::new(bytes).take(limit);
    reader
        .read_to_end(&mut unpacked)
        .map_err(|_| DecodeError::NotGzip)?;
    if unpacked.len() > MAX_DECODED {
        return Err(DecodeError::TooLarge);
    }
    Ok(unpacked)
}

/// The MIME types that cloud-init unpacks.
pub(super) fn is_gzip_type(mime: &str) -> bool {
    const SUBTYPES: [&str; 8] = [
        "gzip",
        "gzip-compressed",
        "gzipped",
        "x-compress",
        "x-compressed",
        "x-gunzip",
        "x-gzip",
        "x-gzip-compressed",
    ];
    mime.strip_prefix("application/")
        .is_some_and(|subtype| SUBTYPES.contains(&subtype))
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
