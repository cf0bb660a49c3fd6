//! Launch parameters: `key=value`, on lines or separated by `;` or `,`.

use contract::instance::LaunchIndex;
use contract::params::Params;

use crate::settings::{Parameters, Select};

/// Whether a text without a known header is parameters: every line is.
pub(super) fn looks_like(text: &str, parameters: &Parameters) -> bool {
    let text = text.trim();
    // `#cloud-confg` is a header somebody mistyped, not a comment.
    let header = text
        .strip_prefix('#')
        .is_some_and(|rest| rest.starts_with(char::is_alphabetic));
    if header || text.contains('\0') {
        return false;
    }
    let fields = match &parameters.select {
        Some(select) => text.split(select.delimiter.as_str()).collect(),
        None => vec![text],
    };
    let mut lines = fields.iter().flat_map(|field| lines(field)).peekable();
    lines.peek().is_some() && lines.all(|line| items(line).is_some())
}

/// What of a text concerns an instance.
pub(crate) enum Selected<'t> {
    /// This text.
    Text(&'t str),
    /// Nothing: its index is below the first one that takes a field.
    Nothing,
    /// Nothing: there are only so many fields.
    Beyond(usize),
}

/// The field of the instance with this index. Source: EC2 User Guide, "Example: AMI launch index
/// value": index 0 takes none, index n the n-th field.
pub(crate) fn select<'t>(
    text: &'t str,
    index: Option<LaunchIndex>,
    select: Option<&Select>,
) -> Selected<'t> {
    let (Some(select), Some(index)) = (select, index) else {
        return Selected::Text(text);
    };
    if !text.contains(select.delimiter.as_str()) {
        return Selected::Text(text);
    }
    let Some(nth) = index.0.checked_sub(select.first_index) else {
        return Selected::Nothing;
    };
    let mut fields = text.split(select.delimiter.as_str());
    match usize::try_from(nth).ok().and_then(|nth| fields.nth(nth)) {
        Some(field) => Selected::Text(field.trim()),
        None => Selected::Beyond(text.split(select.delimiter.as_str()).count()),
    }
}

/// Adds the parameters of a text.
pub(crate) fn read(text: &str, params: &mut Params) {
    for (name, value) in lines(text).filter_map(items).flatten() {
        params.insert(name, value);
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
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
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let fits = starts
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    fits.then(|| (name, value.trim()))
}
