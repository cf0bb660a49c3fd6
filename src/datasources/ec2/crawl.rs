//! The whole tree of the metadata service, for whoever asks for it: the boot needs but a few items.
//!
//! Lists are not always true: an entry without `/` may be a directory, and one with it may be an
//! item. So what an answer is, is known by asking below it. Credentials are left out.
//! Source: EC2 User Guide, "Instance metadata categories"; cloud-init,
//! `cloudinit/sources/helpers/ec2.py`.

use std::collections::{BTreeMap, BTreeSet};

use contract::datasource::SourceError;
use contract::error::chain;
use serde_json::{Map, Value, json};

use super::Service;

/// More than any instance has.
const ITEMS_MAX: usize = 5_000;
/// `meta-data/network/interfaces/macs/MAC/ipv4-associations/ADDRESS` is the deepest there is.
const DEPTH_MAX: usize = 12;
/// Whatever is below these names are keys of accounts.
const CREDENTIALS: &str = "security-credentials";

/// Everything but credentials, and what could not be had.
///
/// # Errors
/// When not even the first lists can be had.
pub(super) fn crawl(service: &dyn Service) -> Result<(Value, Vec<String>), SourceError> {
    let mut crawler = Crawler::default();
    let mut due: BTreeSet<String> = ["meta-data/", "dynamic/"].map(str::to_owned).into();
    let mut first = true;
    while !due.is_empty() {
        let items: Vec<String> = due.iter().cloned().collect();
        due.clear();
        for (item, answer) in items.iter().zip(service.get_all(&items)) {
            match answer {
                Ok(Some(bytes)) => {
                    let text = String::from_utf8_lossy(bytes.expose()).into_owned();
                    due.extend(crawler.found(item, text));
                }
                Ok(None) => {}
                Err(error) if first => return Err(error),
                Err(error) => crawler.faults.push(chain(&error)),
            }
        }
        first = false;
        if crawler.found.len() + due.len() > ITEMS_MAX {
            crawler
                .faults
                .push(format!("what comes after {ITEMS_MAX} items is left out"));
            break;
        }
    }
    Ok((crawler.tree(), crawler.faults))
}

#[derive(Default)]
struct Crawler {
    /// By path without a `/` at its end.
    found: BTreeMap<String, String>,
    faults: Vec<String>,
}

impl Crawler {
    /// Notes an answer, and gives what to ask because of it.
    fn found(&mut self, item: &str, text: String) -> Vec<String> {
        let path = item.trim_end_matches('/').to_owned();
        let names: Vec<String> = text
            .lines()
            .map(|line| name(&path, line.trim()))
            .filter(|name| !name.is_empty() && name.trim_end_matches('/') != CREDENTIALS)
            .collect();
        let listed = item.ends_with('/');
        let deep = path.split('/').count() >= DEPTH_MAX;
        // A value is asked for entries too, unless it can be no list of names.
        let like_names = !text.contains(['{', ' ', '<', '=']) && text.len() < 4096;
        // A folder of nothing but credentials is not worth a name.
        if names.is_empty() && text.contains(CREDENTIALS) {
            return Vec::new();
        }
        self.found.insert(path.clone(), text);
        if deep || !(listed || like_names) {
            return Vec::new();
        }
        let below = names.iter().map(|name| format!("{path}/{name}"));
        below
            .filter(|item| !self.found.contains_key(item.trim_end_matches('/')))
            .collect()
    }

    /// Answers that have others below them are folders, all others are values.
    fn tree(&self) -> Value {
        let mut root = Map::new();
        for (path, text) in &self.found {
            let below = format!("{path}/");
            let is_folder = self
                .found
                .range(below.clone()..)
                .next()
                .is_some_and(|(next, _)| next.starts_with(&below));
            let mut steps: Vec<&str> = path.split('/').collect();
            let Some(last) = steps.pop() else { continue };
            let folder = steps.iter().try_fold(&mut root, |folder, step| {
                let next = folder.entry(*step).or_insert_with(|| json!({}));
                next.as_object_mut()
            });
            if let Some(folder) = folder {
                let value = if is_folder { json!({}) } else { leaf(text) };
                folder.entry(last).or_insert(value);
            }
        }
        Value::Object(root)
    }
}

/// The entry that a line of a list names: `0=my-key` of the launch keys is the folder `0/`.
fn name(path: &str, line: &str) -> String {
    match line.split_once('=') {
        Some((number, _)) if path.ends_with("public-keys") => format!("{number}/"),
        _ => line.to_owned(),
    }
}

/// JSON as what it is, several lines as a list. Source: cloud-init,
/// `cloudinit/sources/helpers/ec2.py` (`MetadataLeafDecoder`).
fn leaf(text: &str) -> Value {
    let text = text.trim_end();
    if text.starts_with('{')
        && let Ok(value) = serde_json::from_str(text)
    {
        return value;
    }
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() > 1 {
        json!(lines)
    } else {
        json!(text)
    }
}

#[cfg(test)]
mod tests {
    use contract::secret::Secret;

    use super::super::Answer;
    use super::*;

    /// Answers by path; a list has no `/` at its own end.
    struct Fake(&'static [(&'static str, &'static str)]);

    impl Service for Fake {
        fn get_all(&self, items: &[String]) -> Vec<Answer> {
            let find = |item: &String| {
                let path = item.trim_end_matches('/');
                let found = self.0.iter().find(|(known, _)| *known == path);
                Ok(found.map(|(_, text)| Secret::new(text.as_bytes().to_vec())))
            };
            items.iter().map(find).collect()
        }
    }

    #[test]
    fn the_tree_is_whole_though_the_lists_lie_and_credentials_are_not_in_it() {
        let service = Fake(&[
            (
                "meta-data",
                "ami-id\niam/\nlone/\npublic-keys/\nhidden\ntags/",
            ),
            ("meta-data/ami-id", "ami-1"),
            ("meta-data/identity-credentials", "security-credentials/"),
            ("meta-data/iam", "info\nsecurity-credentials/"),
            ("meta-data/iam/info", "{\"Code\": \"Success\"}"),
            ("meta-data/iam/security-credentials", "web"),
            (
                "meta-data/iam/security-credentials/web",
                "{\"Token\": \"hunter2\"}",
            ),
            ("meta-data/lone", "a value that is listed as a folder"),
            ("meta-data/public-keys", "0=my-key"),
            ("meta-data/public-keys/0", "openssh-key"),
            ("meta-data/public-keys/0/openssh-key", "ssh-ed25519 AAAA me"),
            ("meta-data/hidden", "one\ntwo"),
            ("meta-data/hidden/one", "1"),
            ("meta-data/hidden/two", "2"),
            ("meta-data/tags", "instance/"),
            ("meta-data/tags/instance", "Name\nmy tag"),
            ("meta-data/tags/instance/Name", "web"),
            ("meta-data/tags/instance/my tag", "x\ny"),
            ("dynamic", "instance-identity/"),
            ("dynamic/instance-identity", "document"),
            ("dynamic/instance-identity/document", "{\"region\": \"r\"}"),
        ]);
        let (tree, faults) = crawl(&service).unwrap();
        assert!(faults.is_empty(), "{faults:?}");
        let expected = json!({
            "meta-data": {
                "ami-id": "ami-1",
                "iam": {"info": {"Code": "Success"}},
                "lone": "a value that is listed as a folder",
                "public-keys": {"0": {"openssh-key": "ssh-ed25519 AAAA me"}},
                "hidden": {"one": "1", "two": "2"},
                "tags": {"instance": {"Name": "web", "my tag": ["x", "y"]}},
            },
            "dynamic": {"instance-identity": {"document": {"region": "r"}}},
        });
        assert_eq!(tree, expected);
    }
}
