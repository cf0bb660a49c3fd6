//! Fields separated by commas, as RFC 4180 has it: one record, no header.

use super::Reader;

pub(super) fn read(text: &str, reader: &mut Reader<'_>) {
    let fields = match fields(text) {
        Ok(fields) => fields,
        Err((line, message)) => return reader.wrong(&reader.line(line), message),
    };
    for (index, (field, line)) in fields.iter().enumerate() {
        reader.put(&format!("p{}", index + 1), field, &reader.line(*line));
    }
}

/// The fields, each with the number of its line from 0; or what is wrong at which line.
fn fields(text: &str) -> Result<Vec<(String, usize)>, (usize, &'static str)> {
    let mut fields = Vec::new();
    let mut rest = text.trim();
    let before = text.len() - text.trim_start().len();
    let mut line = newlines(text.get(..before).unwrap_or_default());
    loop {
        let begin = line;
        rest = rest.trim_start_matches([' ', '\t']);
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted, line)?,
            None => {
                let end = rest.find([',', '\n']).unwrap_or(rest.len());
                let (field, after) = rest.split_at(end);
                (field.trim().to_owned(), after)
            }
        };
        line += newlines(&field);
        fields.push((field, begin));
        match after.trim_start_matches([' ', '\t', '\r']) {
            "" => return Ok(fields),
            after => match after.strip_prefix(',') {
                Some(after) => rest = after,
                None if after.starts_with('\n') => {
                    return Err((line + 1, "parameters are ignored: expected a single line"));
                }
                None => {
                    return Err((line, "parameters are ignored: expected `,` behind a quote"));
                }
            },
        }
    }
}

/// Up to the closing quote; two quotes are one in the text.
fn quoted_field(text: &str, line: usize) -> Result<(String, &str), (usize, &'static str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let Some((piece, after)) = rest.split_once('"') else {
            return Err((line, "parameters are ignored: a quote is not closed"));
        };
        field.push_str(piece);
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None => return Ok((field, after)),
        }
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}
