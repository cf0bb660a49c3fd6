//! Rules about characters that hold before any structure is looked at, and that the parser, made
//! for YAML 1.2, takes more lightly than YAML 1.1 as `PyYAML` reads it.

use std::borrow::Cow;
use std::ops::Range;

/// The byte offset of the first character that may not stand in a YAML text.
///
/// Source: YAML 1.1, section 5.1 (`c-printable`).
pub(super) fn unprintable(text: &str) -> Option<usize> {
    text.char_indices()
        .find(|(_, c)| !is_printable(*c))
        .map(|(at, _)| at)
}

/// Whether a character may stand in a YAML text as it is.
pub(super) const fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}'
        | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The byte offset of the first tab outside of quotes, block scalars and comments.
///
/// `opaque` are the ranges of the quoted and block scalars, in order. Source: YAML 1.1 lets a tab
/// separate tokens, but `PyYAML`'s scanner stops at one.
pub(super) fn stray_tab(text: &str, opaque: &[Range<usize>]) -> Option<usize> {
    let mut ranges = opaque.iter().peekable();
    let (mut skip_to, mut in_comment, mut before) = (0, false, '\n');
    for (at, c) in text.char_indices() {
        while let Some(range) = ranges.next_if(|range| range.start <= at) {
            skip_to = range.end.max(skip_to);
        }
        if at >= skip_to {
            in_comment = match c {
                '\n' | '\r' => false,
                '#' => in_comment || before.is_whitespace(),
                '\t' if !in_comment => return Some(at),
                _ => in_comment,
            };
        } else {
            in_comment = false;
        }
        before = c;
    }
    None
}

/// Replaces a dash before a comma or bracket, as in `[tar, -xf, -, -C, /]`, by a character that
/// is not in the text, and gives that character. YAML 1.2 refuses such a dash; to `PyYAML` it is
/// text, and command lines hold it. Whoever reads a scalar puts the dash back.
pub(super) fn protect_dashes(text: &str) -> (Cow<'_, str>, Option<char>) {
    let lone = |at: usize| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + 1..).and_then(|after| after.chars().next());
        matches!(before, Some(' ' | '[' | '{' | ',' | '\n' | '\r'))
            && matches!(after, Some(',' | '[' | ']' | '{' | '}'))
    };
    let mut dashes = text
        .match_indices('-')
        .map(|(at, _)| at)
        .filter(|at| lone(*at))
        .peekable();
    let none = (Cow::Borrowed(text), None);
    if dashes.peek().is_none() {
        return none;
    }
    // Of the private use area.
    let Some(free) = ('\u{e000}'..='\u{f8ff}').find(|c| !text.contains(*c)) else {
        return none;
    };
    let mut protected = String::with_capacity(text.len() + 16);
    let mut written = 0;
    for at in dashes {
        protected.push_str(text.get(written..at).unwrap_or_default());
        protected.push(free);
        written = at + 1;
    }
    protected.push_str(text.get(written..).unwrap_or_default());
    (Cow::Owned(protected), Some(free))
}

/// Line and column, both from 1, of a byte offset.
pub(super) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before
        .get(line_start..)
        .map_or(0, |start| start.chars().count())
        + 1;
    (line, column)
}
