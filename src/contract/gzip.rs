//! Gzip (RFC 1952), unpacked within a limit.

use std::io::Read;

use flate2::bufread::GzDecoder;

/// How much is unpacked at a time, in bytes.
const PIECE: usize = 64 << 10;

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
/// It is gone through twice, so that nothing is held of what is too large, and no more than its size
/// of what is not.
///
/// # Errors
/// When it is not whole, or unpacks to more than `limit` bytes.
pub fn gunzip(bytes: &[u8], limit: usize) -> Result<Vec<u8>, GunzipError> {
    let mut size = 0_usize;
    inflate(bytes, |some| {
        size = size.saturating_add(some.len());
        (size <= limit).then_some(()).ok_or(GunzipError::TooLarge)
    })?;
    let mut unpacked = Vec::with_capacity(size);
    inflate(bytes, |some| {
        unpacked.extend_from_slice(some);
        Ok(())
    })?;
    Ok(unpacked)
}

/// Gives what is packed, piece by piece.
fn inflate(
    bytes: &[u8],
    mut take: impl FnMut(&[u8]) -> Result<(), GunzipError>,
) -> Result<(), GunzipError> {
    let mut piece = vec![0; PIECE];
    let mut rest = bytes;
    while is_gzip(rest) {
        let mut member = GzDecoder::new(rest);
        loop {
            match member.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => take(piece.get(..count).unwrap_or_default())?,
                Err(_) => return Err(GunzipError::NotGzip),
            }
        }
        rest = member.into_inner();
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        rest = rest.get(zeros..).unwrap_or_default();
    }
    let is_whole = rest.is_empty() && !bytes.is_empty();
    is_whole.then_some(()).ok_or(GunzipError::NotGzip)
}
