//! The headers of a part and their parameters.

use super::lines::{Lines, without_end};

/// So many bytes of a part's headers count; those behind them are passed over.
const MAX_HEADERS: usize = 256 << 10;

/// Headers in their order.
pub(super) struct Headers {
    fields: Vec<(String, String)>,
    /// The envelope of a mailbox (`From ...`) where the body should begin: it begins the body.
    pub(super) envelope: Vec<u8>,
}

impl Headers {
    /// Reads headers up to the empty line behind them, or up to a line that is none.
    pub(super) fn read(lines: &mut Lines<'_>) -> Self {
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut envelope: &[u8] = b"";
        // Whether a line that goes on belongs to the last header.
        let mut open = false;
        let mut first = true;
        let mut kept = 0;
        loop {
            let mark = lines.mark();
            let Some(line) = lines.next() else { break };
            if !is_header(line) {
                if !without_end(line).is_empty() {
                    lines.reset(mark);
                }
                break;
            }
            let text = String::from_utf8_lossy(line);
            envelope = b"";
            kept += line.len();
            if kept > MAX_HEADERS {
                first = false;
                continue;
            }
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                if let Some((_, value)) = headers.last_mut().filter(|_| open) {
                    value.push_str(&text);
                }
            } else if line.starts_with(b"From ") {
                open = false;
                if !first {
                    envelope = line;
                }
            } else if let Some((name, value)) = text.split_once(':') {
                open = !name.is_empty();
                if open {
                    let value = value.trim_start_matches([' ', '\t']);
                    headers.push((name.to_owned(), value.to_owned()));
                }
            }
            first = false;
        }
        for (_, value) in &mut headers {
            value.truncate(value.trim_end_matches(['\r', '\n']).len());
        }
        Self {
            fields: headers,
            envelope: envelope.to_vec(),
        }
    }

    /// The first header of this name, in any case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let named = |own: &&(String, String)| own.0.eq_ignore_ascii_case(name);
        self.fields
            .iter()
            .find(named)
            .map(|(_, value)| value.as_str())
    }

    /// In lower case; what is no type at all is text/plain.
    pub(super) fn content_type(&self, default: &str) -> String {
        let Some(value) = self.get("content-type") else {
            return default.to_owned();
        };
        let kind = value.split(';').next().unwrap_or_default();
        let kind = kind.trim().to_lowercase();
        if kind.matches('/').count() == 1 {
            kind
        } else {
            super::DEFAULT.to_owned()
        }
    }

    /// The name that the part gives itself.
    pub(super) fn filename(&self) -> Option<String> {
        let disposition = self.parameter("content-disposition", "filename");
        let name = disposition.or_else(|| self.parameter("content-type", "name"))?;
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    }

    /// How the part says that it is merged: the first of two headers that is given and not empty,
    /// in exactly this spelling. Source: cloud-init, `cloudinit/handlers/cloud_config.py`.
    pub(super) fn merge_type(&self) -> Option<String> {
        let exact = |name: &str| {
            let header = self.fields.iter().find(|(own, _)| own == name)?;
            Some(header.1.trim().to_owned()).filter(|text| !text.is_empty())
        };
        exact("Merge-Type").or_else(|| exact("X-Merge-Type"))
    }

    /// A parameter of a header: quotes are undone, and what RFC 2231 does to put more than ASCII
    /// or long values there.
    pub(super) fn parameter(&self, header: &str, name: &str) -> Option<String> {
        let all = parameters(self.get(header)?);
        let plain = all.iter().skip(1).chain(all.first());
        let mut plain = plain.filter(|(own, _)| own == name).map(|(_, value)| value);
        if let Some(value) = plain.next().cloned() {
            return Some(value);
        }
        let mut pieces: Vec<(u32, bool, &str)> = Vec::new();
        for (own, value) in all.iter().skip(1) {
            let Some(rest) = own
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('*'))
            else {
                continue;
            };
            let (number, is_encoded) = match rest.strip_suffix('*') {
                Some(number) => (number, true),
                None => (rest, rest.is_empty()),
            };
            let number = if number.is_empty() {
                Some(0)
            } else {
                number.parse().ok()
            };
            pieces.push((number?, is_encoded, value));
        }
        pieces.sort_unstable();
        let mut bytes = Vec::new();
        for (_, is_encoded, value) in &pieces {
            if *is_encoded {
                bytes.extend(percent(value));
            } else {
                bytes.extend_from_slice(value.as_bytes());
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let charset = pieces.iter().any(|(_, is_encoded, _)| *is_encoded);
        // CHARSET'LANGUAGE'TEXT
        let value = match text.splitn(3, '\'').nth(2) {
            Some(value) if charset => value.to_owned(),
            _ => text,
        };
        (!pieces.is_empty()).then_some(value)
    }
}

fn is_header(line: &[u8]) -> bool {
    let name = |byte: &&u8| matches!(byte, b'!'..=b'9' | b';'..=b'~');
    let end = line.iter().take_while(name).count();
    line.starts_with(b"From ")
        || line.starts_with(b" ")
        || line.starts_with(b"\t")
        || line.get(end) == Some(&b':')
}

/// The pieces between semicolons that stand in no quotes, as names in lower case and values.
fn parameters(value: &str) -> Vec<(String, String)> {
    let mut pieces = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in value.chars() {
        if c == ';' && !quoted {
            pieces.push(String::new());
            continue;
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\';
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    let pair = |piece: String| match piece.split_once('=') {
        Some((name, value)) => (name.trim().to_lowercase(), unquote(value.trim())),
        None => (piece.trim().to_lowercase(), String::new()),
    };
    pieces.into_iter().map(pair).collect()
}

fn unquote(value: &str) -> String {
    let inner = |open: char, close: char| value.strip_prefix(open)?.strip_suffix(close);
    match (inner('"', '"'), inner('<', '>')) {
        (Some(text), _) => text.replace("\\\\", "\\").replace("\\\"", "\""),
        (None, Some(text)) => text.to_owned(),
        _ => value.to_owned(),
    }
}

/// The bytes of a text in which `%41` is `A`.
fn percent(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}
