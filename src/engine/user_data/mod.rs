//! User data: from bytes to parts. Source: cloud-init, `cloudinit/user_data.py`.

mod archive;
mod decode;
mod decoder;
mod detect;
mod include;
mod mime;
mod name;
mod number;
pub(crate) mod params;
pub(crate) mod script;
mod surroundings;

#[cfg(test)]
mod tests;

use contract::user_data::PartKind;

pub(crate) use decoder::Decoded;
pub use detect::type_by_beginning;
pub(crate) use number::int;
pub(crate) use surroundings::{Kept, decode};
pub use surroundings::{Reach, Surroundings};

/// What a text begins like, if that is a part of its own.
pub(crate) fn sniffed(body: &[u8]) -> Option<PartKind> {
    match detect::sniff(body)? {
        detect::Type::Part(kind) => Some(kind),
        detect::Type::Archive | detect::Type::Include => None,
    }
}

/// A leaf of a message before it is known what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Leaf {
    /// Its type, in lower case; none after unpacking.
    declared: Option<String>,
    filename: Option<String>,
    launch_index: Option<String>,
    merge_type: Option<String>,
    /// The line at which the body begins in the text that it stands in; 1 if it was encoded.
    first_line: u32,
    body: Vec<u8>,
}
