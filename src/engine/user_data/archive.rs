//! `#cloud-config-archive`: parts as a YAML list. Source: cloud-init, `cloudinit/user_data.py`,
//! `_explode_archive`.

use contract::plan::Problem;
use contract::user_data::PartKind;
use contract::yaml::{self, Kind, Limits, Mapping, Value};

use super::{Leaf, detect};

/// The items of an archive, and what is odd in it; `source` names it.
pub(super) fn items(leaf: &Leaf, source: &str) -> (Vec<(Leaf, PartKind)>, Vec<Problem>) {
    let mut problems = Vec::new();
    let text = String::from_utf8_lossy(&leaf.body);
    let line = leaf.first_line.max(1);
    let list = match yaml::parse_at(&text, source, line, &Limits::default()) {
        Ok(document) => {
            let odd = document.warnings.into_iter();
            problems.extend(odd.map(|odd| Problem::warning(Some(odd.place), odd.message)));
            match document.value.kind {
                Kind::List(list) => list,
                Kind::Null => Vec::new(),
                other => {
                    let message =
                        format!("archive ignored: expected a list, found {}", other.name());
                    problems.push(Problem::warning(Some(document.value.place), message));
                    Vec::new()
                }
            }
        }
        Err(error) => {
            let message = format!("archive ignored: {}", error.message);
            let problem = Problem::warning(Some(error.place), message);
            problems.push(Problem {
                hint: error.hint,
                ..problem
            });
            Vec::new()
        }
    };
    let none = Mapping::new();
    let items = list.iter().enumerate().filter_map(|(index, value)| {
        let made = match &value.kind {
            Kind::String(_) => part(Some(value), &none),
            Kind::Map(map) => {
                odd_index(map, index, &mut problems);
                part(map.get("content"), map)
            }
            _ => Err((value, "text or a mapping")),
        };
        made.map_err(|(value, wanted)| {
            let found = value.kind.name();
            let message = format!(
                "item {} ignored: expected {wanted}, found {found}",
                index + 1
            );
            problems.push(Problem::warning(Some(value.place.clone()), message));
        })
        .ok()
    });
    let items = items.collect();
    (items, problems)
}

/// Only the exact spelling counts.
fn odd_index(map: &Mapping, index: usize, problems: &mut Vec<Problem>) {
    for (key, _) in map.iter() {
        let name = key.as_str().unwrap_or_default();
        if name != "launch-index" && name.eq_ignore_ascii_case("launch-index") {
            let message = format!("item {}: `{name}` has no effect", index + 1);
            let problem = Problem::warning(Some(key.place.clone()), message);
            problems.push(problem.hint("write `launch-index`"));
        }
    }
}

fn part<'v>(
    content: Option<&'v Value>,
    map: &'v Mapping,
) -> Result<(Leaf, PartKind), (&'v Value, &'static str)> {
    let text = |key: &str| map.get(key).filter(|value| !value.is_null());
    let body = match content.map(|value| (value, &value.kind)) {
        None => Vec::new(),
        Some((_, Kind::String(text))) => text.clone().into_bytes(),
        Some((_, Kind::Bytes(bytes))) => bytes.clone(),
        Some((value, _)) => return Err((value, "text as its content")),
    };
    let is_binary = matches!(content.map(|value| &value.kind), Some(Kind::Bytes(_)));
    let declared = match text("type").filter(|value| value.as_str() != Some("")) {
        None if is_binary && detect::sniff(&body).is_none() => {
            Some("application/octet-stream".to_owned())
        }
        None => None,
        Some(value) => {
            let mime = value.as_str().filter(|mime| mime.contains('/'));
            Some(
                mime.ok_or((value, "a type such as text/x-shellscript"))?
                    .to_lowercase(),
            )
        }
    };
    let plain = declared
        .as_deref()
        .map(|mime| mime.split(';').next().unwrap_or(mime).trim());
    let kind = detect::of_item(plain, &body);
    let leaf = Leaf {
        declared,
        filename: text("filename").and_then(Value::to_text),
        launch_index: map
            .get("launch-index")
            .map(|value| value.to_text().unwrap_or_default()),
        merge_type: ["Merge-Type", "X-Merge-Type"].iter().find_map(|name| {
            let value = text(name)?.to_text()?;
            Some(value).filter(|value| !value.trim().is_empty())
        }),
        first_line: content.map_or(1, |value| value.place.line),
        body,
    };
    Ok((leaf, kind))
}
