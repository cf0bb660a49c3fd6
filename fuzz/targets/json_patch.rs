//! A JSON patch, and the YAML document that it is applied to.

use contract::yaml::{self, Limits};
use engine::json_patch::Patch;

use super::support;

pub(super) fn run(data: &[u8]) {
    let mut pieces = support::pieces(data);
    let (patch, text) = (
        pieces.next().unwrap_or_default(),
        pieces.next().unwrap_or_default(),
    );
    let Ok(patch) = Patch::parse(patch, "patch", 1) else {
        return;
    };
    if let Ok(document) = yaml::parse(text, "document", &Limits::default()) {
        let _ = patch.apply(&document.value);
    }
}
