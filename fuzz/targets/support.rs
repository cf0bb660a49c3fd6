//! What the targets share.

use std::io::Write as _;

use contract::instance::InstanceMetadata;
use contract::plan::{Plan, Problem};
use contract::yaml::{Kind, Value};
use engine::custom::Own;
use flate2::Compression;
use flate2::write::GzEncoder;

/// What no custom module may take, as in the program.
pub(super) const OWN: Own = Own {
    table: modules::TABLE,
    names: modules::CLOUD_INIT,
    keys: modules::CLOUD_INIT_KEYS,
    others: datasources::KEYS,
    packages: modules::packages_needed,
};

/// An instance of a launch of several.
pub(super) fn instance() -> InstanceMetadata {
    let mut instance = contract::testing::instance();
    instance.launch_index = "1".parse().ok();
    instance
}

/// The pieces of an input that stands for several texts.
pub(super) fn pieces(data: &[u8]) -> impl Iterator<Item = &str> {
    data.split(|byte| *byte == 0)
        .map(|piece| std::str::from_utf8(piece).unwrap_or_default())
}

/// The bytes as gzip.
pub(super) fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// Makes of a plan what is shown of it.
pub(super) fn shown(plan: &Plan) {
    for effect in plan.effects() {
        let _ = effect.to_string();
    }
    problems(&plan.problems);
}

/// Makes of problems what is shown of them.
pub(super) fn problems(problems: &[Problem]) {
    for problem in problems {
        let _ = problem.to_string();
    }
}

/// Whether two values mean the same, wherever they stand; a number that is none is like itself.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (&one.kind, &other.kind) {
        (Kind::Float(one), Kind::Float(other)) => {
            one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
        }
        (Kind::Int(one), Kind::Int(other)) => one.value == other.value,
        (Kind::List(one), Kind::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Kind::Map(one), Kind::Map(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other.iter())
                    .all(|((key, one), (other_key, other))| {
                        same(key, other_key) && same(one, other)
                    })
        }
        (one, other) => one == other,
    }
}
