//! The manifests of two custom modules, then a document that is held against what they declare.

use contract::testing::FakeMachine;
use contract::yaml::{self, Kind, Limits};
use engine::custom;
use engine::validate::Schema;

use super::support;

/// In the order of the pieces of an input.
const NAMES: [&str; 2] = ["site", "other"];

pub(super) fn run(data: &[u8]) {
    // A module lives as long as the process: the limit is for what this input adds.
    let _ = super::HEAP.set_limit(super::HEAP.allocated() + super::LIMIT);
    let mut pieces = support::pieces(data);
    let mut files = Vec::new();
    for (name, manifest) in NAMES.into_iter().zip(pieces.by_ref()) {
        let path = format!("{}/{name}", custom::DIR);
        files.extend([(format!("{path}.yaml"), manifest), (path, "#!/bin/sh\n")]);
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), *text))
        .collect();
    let (table, problems) = custom::load(&FakeMachine::with(&files), &support::OWN);
    support::problems(&problems);
    let own: Vec<_> = table.iter().filter(|entry| entry.is_custom()).collect();
    assert_eq!(
        (own.len() + problems.len()) * 2,
        files.len(),
        "a manifest is either a module or a problem"
    );
    let schema = Schema::new(own.iter().flat_map(|entry| entry.facts.keys), &[]);
    let _ = schema.to_json_schema();
    let text = pieces.next().unwrap_or_default();
    if let Ok(document) = yaml::parse(text, "document", &Limits::default())
        && let Kind::Map(root) = document.value.kind
    {
        support::problems(&schema.check(&root));
    }
}
