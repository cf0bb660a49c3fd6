//! Launch parameters: from a text to names and values, for the instance that they concern.

mod fields;
mod key_value;
mod structured;

#[cfg(test)]
mod tests;

use contract::instance::LaunchIndex;
use contract::params::Params;
use contract::place::Place;
use contract::plan::Problem;

use crate::settings::{Format, Parameters, Select};

/// Most parameters of an instance.
const MAX_PARAMETERS: usize = 256;
/// Longest name, in bytes.
const MAX_NAME: usize = 128;
/// Longest value, in bytes; the kernel takes 128 KiB for a variable of an environment.
const MAX_VALUE: usize = 32 << 10;
/// Longest text of parameters, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// Whether a text without a known header is parameters.
pub(super) fn looks_like(text: &str, parameters: &Parameters) -> bool {
    if parameters.format == Format::None || text.contains('\0') || text.trim().is_empty() {
        return false;
    }
    if parameters.format == Format::Opaque {
        return true;
    }
    // `#cloud-confg` is a header somebody mistyped, not a comment.
    let header = text.trim().strip_prefix('#');
    if header.is_some_and(|rest| rest.starts_with(char::is_alphabetic)) {
        return false;
    }
    if parameters.format != Format::Auto {
        return true;
    }
    let fields: Vec<&str> = match &parameters.select {
        Some(select) => text.split(select.delimiter.as_str()).collect(),
        None => vec![text],
    };
    let mut given = fields.iter().filter(|field| !field.trim().is_empty());
    text.len() <= MAX_TEXT
        && given.all(|field| key_value::is_all(field) || structured::is_json_object(field))
}

/// What of a text concerns an instance.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Selected<'t> {
    /// This text, which begins so many lines below the first.
    Text(&'t str, u32),
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
        return Selected::Text(text, 0);
    };
    let delimiter = select.delimiter.as_str();
    // The line's end behind the last field is none between two.
    let whole = match text.strip_suffix(delimiter) {
        Some(fields) if delimiter == "\n" => fields,
        _ => text,
    };
    if !whole.contains(delimiter) {
        return Selected::Text(text, 0);
    }
    let Some(nth) = index.0.checked_sub(select.first_index) else {
        return Selected::Nothing;
    };
    let mut lines = 0_usize;
    for (number, field) in whole.split(delimiter).enumerate() {
        if u32::try_from(number).is_ok_and(|number| number == nth) {
            let begin = field.len() - field.trim_start().len();
            lines += newlines(field.get(..begin).unwrap_or_default());
            return Selected::Text(field.trim(), u32::try_from(lines).unwrap_or(0));
        }
        lines += newlines(field) + newlines(delimiter);
    }
    Selected::Beyond(whole.split(delimiter).count())
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// Adds the parameters of a text, which begins at line `first_line` of the part `source`, and gives
/// what is wrong with them: nothing of it shows a value.
pub(crate) fn read(
    text: &str,
    format: Format,
    source: &str,
    first_line: u32,
    params: &mut Params,
) -> Vec<Problem> {
    let mut reader = Reader {
        source,
        first_line,
        params,
        problems: Vec::new(),
        is_full: false,
    };
    if text.len() > MAX_TEXT {
        let message = format!("parameters are ignored: larger than {} MiB", MAX_TEXT >> 20);
        reader.wrong(&Place::whole(source), message);
        return reader.problems;
    }
    match format {
        Format::None => {}
        Format::Auto if structured::is_json_object(text) => structured::json(text, &mut reader),
        Format::Auto | Format::KeyValue => key_value::read(text, &mut reader),
        Format::Json => structured::json(text, &mut reader),
        Format::Yaml => structured::yaml(text, &mut reader),
        Format::Csv => fields::read(text, &mut reader),
        Format::Opaque => reader.put("text", text, &reader.line(0)),
    }
    reader.problems
}

/// Collects parameters within their limits.
struct Reader<'a> {
    source: &'a str,
    first_line: u32,
    params: &'a mut Params,
    problems: Vec<Problem>,
    is_full: bool,
}

impl Reader<'_> {
    /// The beginning of a line of the text, counted from 0.
    fn line(&self, number: usize) -> Place {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        Place::new(self.source, self.first_line.saturating_add(number), 1)
    }

    fn put(&mut self, name: &str, value: &str, place: &Place) {
        if name.len() > MAX_NAME {
            let message = format!("a parameter's name is longer than {MAX_NAME} bytes");
            return self.wrong(place, message);
        }
        if !is_name(name) {
            let message = "that is no parameter's name";
            let problem = Problem::error(Some(place.clone()), message);
            let hint = "letters, digits, `_`, `-` and `.`, beginning with a letter or `_`";
            return self.problems.push(problem.hint(hint));
        }
        if value.len() > MAX_VALUE {
            let size = MAX_VALUE >> 10;
            return self.wrong(
                place,
                format!("parameter `{name}` is longer than {size} KiB"),
            );
        }
        if self.params.get(name).is_none() && self.params.iter().count() >= MAX_PARAMETERS {
            if !std::mem::replace(&mut self.is_full, true) {
                let message = format!("parameters beyond {MAX_PARAMETERS} are ignored");
                self.wrong(place, message);
            }
            return;
        }
        self.params.insert(name, value);
    }

    fn wrong(&mut self, place: &Place, message: impl Into<String>) {
        self.problems
            .push(Problem::error(Some(place.clone()), message));
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}
