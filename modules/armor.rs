//! OpenPGP's ASCII armor undone, which is what `gpg --dearmor` does.
//!
//! Source: RFC 9580, section 6.

use contract::base64;

const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END: &str = "-----END PGP PUBLIC KEY BLOCK-----";

/// The first octet of a packet has this bit (RFC 9580, section 4.2).
const PACKET: u8 = 0x80;

/// The packets of all public keys in a text, one behind the other; what stands around them is left
/// out.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn dearmor(text: &str) -> Result<Vec<u8>, &'static str> {
    let mut lines = text.lines().map(str::trim);
    let mut packets = Vec::new();
    while lines.any(|line| line == BEGIN) {
        // Of the lines before it the headers have a colon; some leave out the empty one behind them.
        let mut body: Vec<&str> = Vec::new();
        let mut is_whole = false;
        for line in lines.by_ref() {
            is_whole = line == END;
            if is_whole {
                break;
            }
            if !line.is_empty() && !line.contains(':') {
                body.push(line);
            }
        }
        let sum = body.pop_if(|line| line.starts_with('=') && line.len() == 5);
        let body = body.concat();
        let is_digit = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
        if !body.bytes().all(is_digit) {
            return Err("it holds characters that are not base64");
        }
        let bytes = base64::decode(&body).ok_or("its base64 is cut off")?;
        if bytes.first().is_none_or(|first| first & PACKET == 0) {
            return Err("there is no key in it");
        }
        // Readers may ignore a checksum; one that is wrong tells of a slip in copying.
        let sum = sum.and_then(|sum| base64::decode(sum.get(1..)?));
        match sum {
            Some(sum) if sum != crc24(&bytes) => {
                return Err("its checksum does not fit: something is missing or changed");
            }
            None if !is_whole => return Err("its last line is missing"),
            _ => {}
        }
        packets.extend(bytes);
    }
    match packets.is_empty() {
        true => Err("there is no line `-----BEGIN PGP PUBLIC KEY BLOCK-----`"),
        false => Ok(packets),
    }
}

/// Source: RFC 9580, section 6.1.1.
fn crc24(bytes: &[u8]) -> [u8; 3] {
    let mut crc: u32 = 0x00b7_04ce;
    for byte in bytes {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    let [_, high, middle, low] = crc.to_be_bytes();
    [high, middle, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key as gpg(1) exports it, and the same without armor.
    const ARMORED: &str = "\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawdDsxYJKwYBBAHaRw8BAQdAuUGtpvjlQb51C817v4LV3F+bLNYtcPOyeuHt
yZQSFXW0FW9uZSA8b25lQGV4YW1wbGUuY29tPoiQBBMWCAA4FiEE+4gdm+fxUSg3
u5zjw0cbVeA1wHQFAmsHQ7MCGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQ
w0cbVeA1wHRTnAEA94SkeX4vSVB4Nx31pU/gKegEakBOL43giWYYSRFGPWwA/18r
r7nnxKUfS7xCK3EjbSoJS6vxSka7W5eaReJpuXEH
=2mG5
-----END PGP PUBLIC KEY BLOCK-----
";

    #[test]
    fn a_key_comes_out_as_gpg_writes_it() {
        let bare = dearmor(ARMORED).unwrap();
        // A packet of tag 6 with 51 octets: a public key of version 4.
        assert!(bare.starts_with(&[0x98, 0x33, 0x04]));
        assert_eq!(bare.len(), 222);
        let indented = ARMORED.replace('\n', "\n    ");
        let with_header = ARMORED.replacen("\n\n", "\nVersion: GnuPG v2\nComment: a b\n\n", 1);
        let without_gap = ARMORED.replacen("\n\n", "\n", 1);
        let without_sum = ARMORED.replace("=2mG5\n", "");
        let without_end = ARMORED.replace(END, "");
        let with_text = format!("pub ed25519\n{ARMORED}\nbye\n");
        let of_windows = ARMORED.replace('\n', "\r\n");
        for same in [
            indented,
            with_header,
            without_gap,
            without_sum,
            without_end,
            with_text,
            of_windows,
        ] {
            assert_eq!(dearmor(&same).as_ref(), Ok(&bare), "{same}");
        }
        let both = dearmor(&[ARMORED, ARMORED].concat());
        assert_eq!(both, Ok([bare.as_slice(), bare.as_slice()].concat()));
    }

    #[test]
    fn what_is_no_key_says_why() {
        let private = ARMORED.replace("PUBLIC", "PRIVATE");
        let end = ARMORED.replace("=2mG5\n", "").replace(END, "");
        #[rustfmt::skip]
        let table = [
            ("",                                        "there is no line `-----BEGIN PGP PUBLIC KEY BLOCK-----`"),
            (private.as_str(),                          "there is no line `-----BEGIN PGP PUBLIC KEY BLOCK-----`"),
            (end.as_str(),                              "its last line is missing"),
            (&ARMORED.replace("mDMEawd", "mDMEbwd"),    "its checksum does not fit: something is missing or changed"),
            (&ARMORED.replace("mDMEawd", "mDME wd"),    "it holds characters that are not base64"),
            (&ARMORED.replace("uXEH", "uX"),            "its base64 is cut off"),
            (&format!("{BEGIN}\n\n{END}\n"),            "there is no key in it"),
        ];
        for (text, why) in table {
            assert_eq!(dearmor(text), Err(why), "{text}");
        }
    }
}
