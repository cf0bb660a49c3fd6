//! What is fuzzed: functions that take any bytes, and panic only where something is wrong. They are
//! also built with the ordinary tests (`tests/fuzz.rs`), which replay the seeds.

mod authorized_keys;
mod custom_answer;
mod custom_manifest;
mod image;
mod json_patch;
mod merge;
mod metadata;
mod s3_xml;
mod support;
mod user_data;
mod yaml;

use cap::Cap;

/// The bytes that one input may make the program hold at the same time. The program itself takes
/// some MiB of the 64 that firstlight allows itself.
const LIMIT: usize = 56 << 20;

/// Beyond the limit there is no memory, which ends the program as a panic does: libFuzzer's own
/// limit is for all that a process ever held, and needs a sanitizer.
#[global_allocator]
static HEAP: Cap<std::alloc::System> = Cap::new(std::alloc::System, LIMIT);

type Target = (&'static str, fn(&[u8]));

/// All, by their names; the seeds of each are in `seeds/NAME`.
pub(crate) const ALL: [Target; 10] = [
    ("user_data", user_data::run),
    ("merge", merge::run),
    ("image", image::run),
    ("yaml", yaml::run),
    ("json_patch", json_patch::run),
    ("metadata", metadata::run),
    ("s3_xml", s3_xml::run),
    ("authorized_keys", authorized_keys::run),
    ("custom_manifest", custom_manifest::run),
    ("custom_answer", custom_answer::run),
];
