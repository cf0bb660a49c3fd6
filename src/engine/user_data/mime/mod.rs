//! MIME messages (RFC 2045 to 2049): their leaves in order.
//!
//! What is read of a message that breaks the rules is what Python's `email` package reads of it:
//! cloud-init reads user data with that. Source: Python, `Lib/email/feedparser.py`.

mod header;
mod lines;
mod transfer;

use contract::place::Place;
use contract::plan::Problem;

use super::Leaf;
use header::Headers;
use lines::Lines;

/// Where cloud-init looks for the header that makes a message of a text.
const HEAD: usize = 4096;

/// How deep multiparts may stand in each other.
const MAX_NESTING: usize = 16;

/// The type of what declares none.
const DEFAULT: &str = "text/plain";

/// Whether cloud-init takes the text for a message: not a content type decides that, only this
/// header anywhere near the beginning.
pub(super) fn is_message(bytes: &[u8]) -> bool {
    let head = bytes.get(..HEAD).unwrap_or(bytes).to_ascii_lowercase();
    head.windows(13).any(|window| window == b"mime-version:")
}

/// The leaves of a message, at most `most` of them, and what is odd in it; `source` names it in
/// problems.
pub(super) fn leaves(bytes: &[u8], source: &str, most: usize) -> (Vec<Leaf>, Vec<Problem>) {
    let mut parser = Parser {
        lines: Lines::of(bytes),
        source,
        most,
        leaves: Vec::new(),
        problems: Vec::new(),
    };
    if bytes.starts_with(b"\n") || bytes.starts_with(b"\r") {
        parser.warn(
            1,
            "the message begins with an empty line, so it has no headers",
            "remove the empty line",
        );
    }
    parser.message(DEFAULT, 0, false);
    (parser.leaves, parser.problems)
}

struct Parser<'a> {
    lines: Lines<'a>,
    source: &'a str,
    most: usize,
    leaves: Vec<Leaf>,
    problems: Vec<Problem>,
}

impl Parser<'_> {
    /// Reads one message or part; `inner` if it stands in a multipart, where the end of its last
    /// line belongs to the boundary.
    fn message(&mut self, default: &str, depth: usize, inner: bool) {
        let began = self.lines.number();
        let headers = Headers::read(&mut self.lines);
        let kind = headers.content_type(default);
        match kind.split('/').next() {
            Some("multipart" | "message") if depth >= MAX_NESTING => {
                let hint = "put the parts next to each other";
                let message = format!("parts deeper than MAX_NESTING ({MAX_NESTING}) are ignored");
                self.warn(began, &message, hint);
                self.lines.rest();
            }
            Some("multipart") => self.multipart(&headers, &kind, began, depth),
            Some("message") => {
                // The container is a part of its own, which nobody handles.
                self.leaf(&headers, kind, began, Vec::new());
                self.message(DEFAULT, depth + 1, inner);
            }
            _ => {
                let first_line = self.lines.number();
                let mut body = [&headers.envelope, self.lines.rest()].concat();
                if inner {
                    let end = lines::without_end(&body).len();
                    body.truncate(end);
                }
                let encoding = headers.get("content-transfer-encoding");
                let encoding = encoding.unwrap_or_default().trim().to_ascii_lowercase();
                if let Some(decoded) = transfer::decode(&encoding, &body) {
                    self.leaf(&headers, kind, 1, decoded);
                    return;
                }
                if !matches!(encoding.as_str(), "" | "7bit" | "8bit" | "binary") {
                    let message = "its `Content-Transfer-Encoding` is unknown; taken as it is";
                    let hint = "use base64, quoted-printable, 7bit, 8bit or binary";
                    self.warn(began, message, hint);
                }
                self.leaf(&headers, kind, first_line, body);
            }
        }
    }

    fn multipart(&mut self, headers: &Headers, kind: &str, began: u32, depth: usize) {
        let Some(boundary) = headers.parameter("content-type", "boundary") else {
            let message = "multipart without a `boundary`: everything in it is ignored";
            self.warn(began, message, "name one: `boundary=\"...\"`");
            self.lines.rest();
            return;
        };
        let default = if kind == "multipart/digest" {
            "message/rfc822"
        } else {
            DEFAULT
        };
        let boundary = boundary.trim_end().as_bytes().to_vec();
        let mut preamble = true;
        loop {
            let Some(line) = self.lines.next() else {
                let message = if preamble {
                    "the boundary is nowhere in the multipart: everything in it is ignored"
                } else {
                    "the multipart has no end: it may have been cut off"
                };
                self.warn(began, message, "end it with `--BOUNDARY--`");
                return;
            };
            match lines::separates(line, &boundary) {
                Some(true) => break,
                Some(false) => {}
                None => continue,
            }
            preamble = false;
            // Several in a row, the last one among them, are one.
            loop {
                let mark = self.lines.mark();
                let next = self.lines.next();
                if next.is_none_or(|line| lines::separates(line, &boundary).is_none()) {
                    self.lines.reset(mark);
                    break;
                }
            }
            if self.leaves.len() >= self.most {
                return;
            }
            self.lines.push(boundary.clone());
            self.message(default, depth + 1, true);
            self.lines.pop();
        }
        if preamble {
            let message = "the multipart ends before it begins: everything in it is ignored";
            self.warn(began, message, "begin each part with `--BOUNDARY`");
        }
        self.lines.rest();
    }

    fn leaf(&mut self, headers: &Headers, kind: String, first_line: u32, body: Vec<u8>) {
        if self.leaves.len() < self.most {
            self.leaves.push(Leaf {
                declared: Some(kind),
                filename: headers.filename(),
                launch_index: headers.get("launch-index").map(str::to_owned),
                merge_type: headers.merge_type(),
                first_line,
                body,
            });
        }
    }

    fn warn(&mut self, line: u32, message: &str, hint: &str) {
        let place = Place::new(self.source, line.max(1), 1);
        self.problems
            .push(Problem::warning(Some(place), message).hint(hint));
    }
}

#[cfg(test)]
mod tests;
