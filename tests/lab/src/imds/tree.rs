//! What is at a path of the metadata tree.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// The versions that the service lists; each shows the same tree here.
const VERSIONS: [&str; 6] = [
    "1.0",
    "2009-04-04",
    "2016-09-02",
    "2021-03-23",
    "2021-07-15",
    "latest",
];
/// The entry of a directory that is listed in place of its names: some real lists are not true.
const LISTING: &str = "(listing)";
/// The one entry of an item that is not text.
const BYTES: &str = "(base64)";

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Item(Vec<u8>),
    UserData(Vec<u8>),
}

/// `path` is as in the request: `/latest/meta-data/instance-id`, encoded where it must be.
pub(super) fn find(tree: &Value, path: &str) -> Found {
    let path = decode(path);
    let below = path.trim_matches('/');
    let (version, below) = below.split_once('/').unwrap_or((below, ""));
    if version.is_empty() {
        return Found::Item(VERSIONS.join("\n").into_bytes());
    }
    if !VERSIONS.contains(&version) {
        return Found::Nothing;
    }
    let Some((directory, node)) = walk("", tree, below) else {
        return Found::Nothing;
    };
    let bytes = match node {
        Value::String(text) => text.clone().into_bytes(),
        Value::Object(object) => match object.get(BYTES) {
            Some(Value::String(text)) => STANDARD.decode(text).unwrap(),
            _ => listing(directory, object).into_bytes(),
        },
        _ => return Found::Nothing,
    };
    match below {
        "user-data" => Found::UserData(bytes),
        _ => Found::Item(bytes),
    }
}

/// Follows a path down from `node`, which is called `name`. A name may hold slashes, as tags do:
/// the longest that fits is taken.
fn walk<'a>(name: &'a str, node: &'a Value, path: &'a str) -> Option<(&'a str, &'a Value)> {
    if path.is_empty() {
        return Some((name, node));
    }
    let object = node.as_object()?;
    let ends = path.rmatch_indices('/').map(|(end, _)| end);
    for end in std::iter::once(path.len()).chain(ends) {
        let (name, rest) = path.split_at_checked(end)?;
        if let Some(next) = entry(object, name) {
            return walk(name, next, rest.trim_start_matches('/'));
        }
    }
    None
}

/// An entry by its name, or by the number that stands before its name (`0=my-key` is `0`).
fn entry<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let numbered = |(whole, _): &(&String, &Value)| {
        whole.split_once('=').map(|(number, _)| number) == Some(name)
    };
    object
        .get(name)
        .or_else(|| object.iter().find(numbered).map(|(_, value)| value))
}

/// Directories end in `/`, but launch keys are listed by number and name only.
fn listing(directory: &str, object: &Map<String, Value>) -> String {
    if let Some(Value::String(text)) = object.get(LISTING) {
        return text.clone();
    }
    let line = |(name, value): (&String, &Value)| match value {
        Value::Object(below) if directory != "public-keys" && !below.contains_key(BYTES) => {
            format!("{name}/")
        }
        _ => name.clone(),
    };
    object.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Undoes the encoding of a path; what is no encoding stays as it is.
fn decode(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let byte = after
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(b'%'));
        rest = match byte {
            Some(_) => after.get(2..).unwrap_or_default(),
            None => after,
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_to_items_and_lists_even_where_lists_are_not_true() {
        let tree = json!({
            "meta-data": {
                "instance-id": "i-1",
                "public-keys": {"0=my-key": {"openssh-key": "ssh-ed25519 A"}},
                "tags": {"instance": {"a/b c": "slash and blank", "Name": "web"}},
                "iam": {"(listing)": "info/\nsecurity-credentials", "info": "{}"},
            },
            "user-data": {"(base64)": "AAEC/w=="},
        });
        #[rustfmt::skip]
        let table = [
            // path                                            what is there
            ("/latest/meta-data/instance-id",                  Some("i-1")),
            ("/2021-03-23/meta-data/instance-id",              Some("i-1")),
            ("/2031-01-01/meta-data/instance-id",              None),
            ("/latest/meta-data/instance-i",                   None),
            ("/latest/meta-data/",                             Some("iam/\ninstance-id\npublic-keys/\ntags/")),
            ("/latest",                                        Some("meta-data/\nuser-data")),
            ("/latest/meta-data/public-keys/",                 Some("0=my-key")),
            ("/latest/meta-data/public-keys/0/",               Some("openssh-key")),
            ("/latest/meta-data/public-keys/0/openssh-key",    Some("ssh-ed25519 A")),
            ("/latest/meta-data/tags/instance/a/b%20c",        Some("slash and blank")),
            ("/latest/meta-data/tags/instance/a%2Fb%20c",      Some("slash and blank")),
            ("/latest/meta-data/iam/",                         Some("info/\nsecurity-credentials")),
            ("/latest/meta-data/100%",                         None),
        ];
        for (path, text) in table {
            let wanted = text.map_or(Found::Nothing, |text| Found::Item(text.into()));
            assert_eq!(find(&tree, path), wanted, "{path}");
        }
        let binary = Found::UserData(vec![0, 1, 2, 255]);
        assert_eq!(find(&tree, "/latest/user-data"), binary);
    }
}
