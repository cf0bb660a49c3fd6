//! A gzipped archive of small text files, as tar(1) reads it.
//!
//! Source: POSIX.1-2017, `pax`, "ustar Interchange Format"; tar(5).

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

const BLOCK: usize = 512;
/// Longer names do not go into the header's field.
const LONGEST_NAME: usize = 99;

/// An archive that is being made, in memory.
pub(super) struct Archive {
    out: GzEncoder<Vec<u8>>,
    /// Unix time of all files.
    time: u64,
}

impl Archive {
    pub(super) fn new(time: u64) -> Self {
        Self {
            out: GzEncoder::new(Vec::new(), Compression::default()),
            time,
        }
    }

    /// Adds a file of mode 0600. A name that is too long loses its beginning.
    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let name = tail(name, LONGEST_NAME);
        self.out.write_all(&header(name, bytes.len(), self.time))?;
        self.out.write_all(bytes)?;
        let rest = bytes.len().next_multiple_of(BLOCK) - bytes.len();
        self.out.write_all(&vec![0; rest])
    }

    /// The archive: two empty blocks end it.
    pub(super) fn finish(mut self) -> io::Result<Vec<u8>> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.finish()
    }
}

/// As many bytes of the end as that, whole letters.
fn tail(text: &str, most: usize) -> &str {
    let mut from = text.len().saturating_sub(most);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or_default()
}

fn header(name: &str, size: usize, time: u64) -> Vec<u8> {
    let before = [
        padded(name, 100),
        padded("0000600", 8),
        // User and group: root's.
        padded("0000000", 8),
        padded("0000000", 8),
        padded(&format!("{size:011o}"), 12),
        padded(&format!("{time:011o}"), 12),
    ]
    .concat();
    let after = [
        // A regular file, without a link.
        padded("0", 1),
        padded("", 100),
        padded("ustar", 6),
        padded("00", 2),
        padded("root", 32),
        padded("root", 32),
        padded("", 8),
        padded("", 8),
        padded("", 155),
        padded("", 12),
    ]
    .concat();
    // The sum counts its own field as blanks.
    let bytes = before.iter().chain(b"        ").chain(&after);
    let sum: u32 = bytes.map(|byte| u32::from(*byte)).sum();
    [before, padded(&format!("{sum:06o}\0 "), 8), after].concat()
}

/// A text in a field of that size.
fn padded(text: &str, size: usize) -> Vec<u8> {
    let mut field = text.as_bytes().to_vec();
    field.resize(size, 0);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_block_with_the_sum_of_its_bytes() {
        let header = header("logs/status.json", 5, 1_700_000_000);
        assert_eq!(header.len(), BLOCK);
        assert_eq!(&header[124..136], b"00000000005\0");
        assert_eq!(&header[257..265], b"ustar\x0000");
        let mut blank = header.clone();
        blank[148..156].fill(b' ');
        let sum: u32 = blank.iter().map(|byte| u32::from(*byte)).sum();
        assert_eq!(&header[148..156], format!("{sum:06o}\0 ").as_bytes());
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        assert_eq!(tail("ä/name", 5), "/name");
        assert_eq!(tail("ä/name", 6), "/name");
        assert_eq!(tail("name", 5), "name");
    }
}
