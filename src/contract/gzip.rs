//! Gzip (RFC 1952), unpacked within a limit.

use std::io::Read;

use flate2::bufread::GzDecoder;

/// Why bytes could not be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GunzipError {
    /// Unpacked, they are more than was allowed.
    #[error("it unpacks to more than the limit")]
    TooLarge,
    /// They are not gzip, or not whole.
    #[error("it is not gzip, or not whole")]
    NotGzip,
}

/// Whether it begins as gzip does, whole or not.
#[must_use]
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Unpacks gzip: members, and zeros behind them, as Python's `gzip` does, which cloud-init uses.
///
/// # Errors
/// When it is not whole, or unpacks to more than `limit` bytes.
pub fn gunzip(bytes: &[u8], limit: usize) -> Result<Vec<u8>, GunzipError> {
    let mut unpacked = Vec::new();
    let mut rest = bytes;
    while is_gzip(rest) {
        let left = limit.saturating_sub(unpacked.len()).saturating_add(1);
        let mut member = GzDecoder::new(rest);
        let mut some = member
            .by_ref()
            .take(u64::try_from(left).unwrap_or(u64::MAX));
        some.read_to_end(&mut unpacked)
            .map_err(|_| GunzipError::NotGzip)?;
        if unpacked.len() > limit {
            return Err(GunzipError::TooLarge);
        }
        rest = member.into_inner();
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        rest = rest.get(zeros..).unwrap_or_default();
    }
    let is_whole = rest.is_empty() && !bytes.is_empty();
    is_whole.then_some(unpacked).ok_or(GunzipError::NotGzip)
}
