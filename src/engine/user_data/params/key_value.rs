//! `name=value` on lines, or separated by `;` or `,`.

use super::{Reader, is_name};

/// Whether there are pairs and nothing but pairs.
pub(super) fn is_all(text: &str) -> bool {
    let mut lines = lines(text).peekable();
    lines.peek().is_some() && lines.all(|(_, line)| items(line).is_some())
}

pub(super) fn read(text: &str, reader: &mut Reader<'_>) {
    for (number, line) in lines(text) {
        let place = reader.line(number);
        match items(line) {
            Some(pairs) => {
                for (name, value) in pairs {
                    reader.put(name, value, &place);
                }
            }
            None => reader.wrong(&place, "line ignored: expected `name=value`"),
        }
    }
}

/// Lines with their numbers from 0; blank ones and comments left out.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().map(str::trim).enumerate();
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// The pairs of a line. A separator only counts where it separates pairs: `hosts=a,b` is one.
fn items(line: &str) -> Option<Vec<(&str, &str)>> {
    let split = |by: char| {
        let pieces = line
            .split(by)
            .map(str::trim)
            .filter(|piece| !piece.is_empty());
        pieces.map(pair).collect::<Option<Vec<_>>>()
    };
    split(';')
        .or_else(|| split(','))
        .or_else(|| Some(vec![pair(line)?]))
        .map(|pairs| match pairs.as_slice() {
            [_] => split(',').filter(|pairs| pairs.len() > 1).unwrap_or(pairs),
            _ => pairs,
        })
}

fn pair(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim();
    is_name(name).then(|| (name, value.trim()))
}
