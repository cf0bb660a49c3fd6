//! User data: from bytes to parts. Source: cloud-init, `cloudinit/user_data.py`.

mod decode;
mod detect;
mod mime;
pub(crate) mod params;

pub(crate) use detect::mime_of;

use contract::instance::LaunchIndex;
use contract::place::Place;
use contract::plan::Problem;
use contract::secret::Secret;
use contract::user_data::{Part, PartKind, UserData};

use crate::settings::Parameters;

/// Longer raw user data is refused; EC2 takes 16 KiB.
const MAX_RAW: usize = 64 << 10;
const MAX_PARTS: usize = 256;

/// A leaf of the message before it is known what it is.
struct Leaf {
    declared: Option<String>,
    filename: Option<String>,
    launch_index: Option<String>,
    merge_type: Option<String>,
    first_line: u32,
    body: Vec<u8>,
}

/// All parts, whosever they are; `what` names the whole in problems.
pub(crate) fn parts(
    data: &UserData,
    what: &str,
    parameters: &Parameters,
) -> (Vec<Part>, Vec<Problem>) {
    let mut problems = Vec::new();
    let whole = || Some(Place::whole(what));
    if data.bytes().len() > MAX_RAW {
        problems.push(Problem::error(whole(), "ignored: larger than 64 KiB"));
        return (Vec::new(), problems);
    }
    let bytes = match decode::whole(data.bytes()) {
        Ok(bytes) => bytes,
        Err(error) => {
            problems.push(Problem::error(whole(), format!("ignored: {error}")));
            return (Vec::new(), problems);
        }
    };
    if bytes.is_empty() {
        return (Vec::new(), problems);
    }
    let mut leaves = mime::leaves(bytes);
    if leaves.len() > MAX_PARTS {
        problems.push(Problem::error(
            whole(),
            format!("parts beyond {MAX_PARTS} are ignored"),
        ));
        leaves.truncate(MAX_PARTS);
    }
    let numbered = leaves.into_iter().enumerate();
    let parts = numbered
        .filter_map(|(index, leaf)| part(leaf, index + 1, parameters, &mut problems))
        .collect();
    (parts, problems)
}

fn part(
    leaf: Leaf,
    number: usize,
    parameters: &Parameters,
    problems: &mut Vec<Problem>,
) -> Option<Part> {
    let numbered = format!("part-{number:03}");
    let name = leaf
        .filename
        .as_deref()
        .and_then(safe_name)
        .unwrap_or(numbered);
    let place = || Some(Place::whole(name.as_str()));
    let (mut declared, mut body, mut first_line) = (leaf.declared, leaf.body, leaf.first_line);
    if declared.as_deref().is_some_and(decode::is_gzip_type) {
        match decode::gunzip(&body) {
            Ok(bytes) => (declared, body, first_line) = (None, bytes, 1),
            Err(error) => {
                problems.push(Problem::error(place(), format!("part ignored: {error}")));
                return None;
            }
        }
    }
    let launch_index = leaf.launch_index.as_deref().and_then(|text| {
        let index = text.parse::<LaunchIndex>();
        if index.is_err() {
            let message = "header `Launch-Index` is not a number; the part is for every instance";
            problems.push(Problem::warning(place(), message));
        }
        index.ok()
    });
    let kind = detect::kind(declared.as_deref(), &body, parameters);
    if kind == PartKind::Script {
        body = decode::unix_lines(body);
    }
    Some(Part {
        name,
        number,
        kind,
        launch_index,
        merge_type: leaf.merge_type,
        first_line,
        body: Secret::new(body),
    })
}

/// The file name as one harmless path component. Source of the alphabet: cloud-init,
/// `cloudinit/util.py`, `clean_filename`.
fn safe_name(name: &str) -> Option<String> {
    let safe = |c: &char| c.is_ascii_alphanumeric() || "_.()-".contains(*c);
    let name: String = name
        .replace('/', "_")
        .chars()
        .filter(safe)
        .take(128)
        .collect();
    (!name.trim_matches('.').is_empty()).then_some(name)
}

#[cfg(test)]
mod tests;
