//! Base64 (RFC 4648, section 4), read as leniently as Python's `base64.decodebytes` reads it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes as text, padded, in one line.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let digit = |sextet: u8| {
        ALPHABET
            .get(usize::from(sextet & 63))
            .copied()
            .map_or('=', char::from)
    };
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        match *group {
            [a, b, c] => text.extend([
                digit(a >> 2),
                digit((a << 4) | (b >> 4)),
                digit((b << 2) | (c >> 6)),
                digit(c),
            ]),
            [a, b] => {
                text.extend([
                    digit(a >> 2),
                    digit((a << 4) | (b >> 4)),
                    digit(b << 2),
                    '=',
                ]);
            }
            [a] => text.extend([digit(a >> 2), digit(a << 4), '=', '=']),
            _ => {}
        }
    }
    text
}

/// The bytes that a text says up to its padding; characters outside of the alphabet are skipped.
/// `None` if the padding is missing.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() {
        return None;
    }
    let mut digits: Vec<u8> = Vec::with_capacity(text.len());
    let (mut padding, mut ended) = (0, false);
    for byte in text.bytes() {
        if byte == b'=' {
            padding += 1;
            let filled = digits.len() % 4;
            if filled >= 2 && filled + padding >= 4 {
                ended = true;
                break;
            }
        } else if let Some(digit) = ALPHABET.iter().position(|own| *own == byte) {
            digits.push(u8::try_from(digit).ok()?);
            padding = 0;
        }
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 3);
    for group in digits.chunks(4) {
        match *group {
            [a, b, c, d] => {
                bytes.extend([(a << 2) | (b >> 4), (b << 4) | (c >> 2), (c << 6) | d]);
            }
            [a, b, c] if ended => bytes.extend([(a << 2) | (b >> 4), (b << 4) | (c >> 2)]),
            [a, b] if ended => bytes.push((a << 2) | (b >> 4)),
            _ => return None,
        }
    }
    Some(bytes)
}
