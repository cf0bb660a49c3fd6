//! The lines of a message, up to the boundary of whatever multipart one is in.

/// Lines that end with `\n`, `\r\n` or `\r`.
pub(super) struct Lines<'a> {
    bytes: &'a [u8],
    at: Mark,
    boundaries: Vec<Vec<u8>>,
}

/// A place between two lines.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    offset: usize,
    number: u32,
}

impl<'a> Lines<'a> {
    pub(super) const fn of(bytes: &'a [u8]) -> Self {
        let at = Mark {
            offset: 0,
            number: 1,
        };
        Self {
            bytes,
            at,
            boundaries: Vec::new(),
        }
    }

    pub(super) const fn mark(&self) -> Mark {
        self.at
    }

    pub(super) const fn reset(&mut self, mark: Mark) {
        self.at = mark;
    }

    /// The number of the next line, from 1, as editors count.
    pub(super) const fn number(&self) -> u32 {
        self.at.number
    }

    /// The next line with its end; `None` before a boundary and at the end.
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at.offset..)?;
        let line = first(rest);
        let ends = |boundary: &Vec<u8>| separates(line, boundary).is_some();
        if line.is_empty() || self.boundaries.iter().any(ends) {
            return None;
        }
        self.at.offset += line.len();
        if line.ends_with(b"\n") {
            self.at.number = self.at.number.saturating_add(1);
        }
        Some(line)
    }

    /// Everything up to a boundary or the end.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let begin = self.at.offset;
        while self.next().is_some() {}
        self.bytes.get(begin..self.at.offset).unwrap_or_default()
    }

    /// From here on this boundary ends the text, too.
    pub(super) fn push(&mut self, boundary: Vec<u8>) {
        self.boundaries.push(boundary);
    }

    /// Forgets the boundary pushed last.
    pub(super) fn pop(&mut self) {
        self.boundaries.pop();
    }
}

fn first(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    let end = end.map_or(text.len(), |at| {
        let is_pair = text.get(at..).is_some_and(|rest| rest.starts_with(b"\r\n"));
        at + if is_pair { 2 } else { 1 }
    });
    text.get(..end).unwrap_or(text)
}

/// Whether a line is a boundary, and if so, whether it is the last one.
pub(super) fn separates(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let (rest, last) = match rest.strip_prefix(b"--") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let space = rest.iter().take_while(|byte| blank(byte)).count();
    let end = rest.get(space..).unwrap_or_default();
    matches!(end, b"" | b"\n" | b"\r\n" | b"\r").then_some(last)
}

/// Without the end of its last line.
pub(super) fn without_end(text: &[u8]) -> &[u8] {
    let end = [b"\r\n".as_slice(), b"\n", b"\r"];
    let stripped = end.iter().find_map(|end| text.strip_suffix(*end));
    stripped.unwrap_or(text)
}
