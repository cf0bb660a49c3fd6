//! Transfer encodings of one part, as lenient as Python is with them.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Undoes an encoding, whose name is in lower case; `None` if there is nothing to undo.
pub(super) fn decode(encoding: &str, body: &[u8]) -> Option<Vec<u8>> {
    match encoding {
        "base64" => Some(base64(body)),
        "quoted-printable" => Some(quoted_printable(body)),
        _ => None,
    }
}

/// What is not in the alphabet is skipped, padding may lack, and what follows it does not count. A
/// text that is one character too long stays as it is. Source: Python, `Lib/email/_encoded_words.py`.
fn base64(body: &[u8]) -> Vec<u8> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&STANDARD, config);
    let mut digits = Vec::with_capacity(body.len());
    let mut pads = 0;
    for byte in body {
        match byte {
            b'=' if digits.len() % 4 >= 2 => {
                pads += 1;
                if digits.len() % 4 + pads >= 4 {
                    break;
                }
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => {
                digits.push(*byte);
                pads = 0;
            }
            _ => {}
        }
    }
    let is_eol = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let as_it_is = || body.iter().copied().filter(|byte| !is_eol(byte)).collect();
    engine.decode(&digits).unwrap_or_else(|_| as_it_is())
}

/// RFC 2045, section 6.7; a `=` that begins nothing stands for itself. Source: `CPython`,
/// `Modules/binascii.c`.
fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'=' {
            decoded.push(*first);
            continue;
        }
        match tail {
            [] => {}
            [b'\n' | b'\r', ..] => {
                let end = tail.iter().position(|byte| *byte == b'\n');
                rest = end.and_then(|end| tail.get(end + 1..)).unwrap_or_default();
            }
            [b'=', after @ ..] => {
                decoded.push(b'=');
                rest = after;
            }
            [high, low, after @ ..] => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high << 4 | low);
                    rest = after;
                }
                _ => decoded.push(b'='),
            },
            _ => decoded.push(b'='),
        }
    }
    decoded
}

fn digit(byte: u8) -> Option<u8> {
    let value = char::from(byte).to_digit(16)?;
    u8::try_from(value).ok()
}
