//! What tools that know cloud-init find on disk, for images that say
//! `firstlight: {cloud_init_compat: true}`.
//!
//! Everything here is made of what firstlight knows, and told in effects; firstlight's own books
//! stay the truth. Source of paths, names and forms: cloud-init 25.1.4, `cloudinit/helpers.py`
//! (`Paths`), `cloudinit/stages.py`, `cloudinit/cmd/main.py` and `cloudinit/sources/__init__.py`.

mod clock;
mod datasource;
mod status;

pub use status::{begun, disabled, published};

/// Where cloud-init keeps what outlasts a boot.
const STATE: &str = "/var/lib/cloud";

/// Where it keeps what is of this boot.
const RUN: &str = "/run/cloud-init";

/// JSON as cloud-init writes it. Source: `cloudinit/atomic_helper.py` (`json_dumps`).
fn json(value: &serde_json::Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    let form = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, form);
    // Writing to memory, and keys that are text, cannot fail.
    let _ = serde::Serialize::serialize(value, &mut writer);
    bytes.push(b'\n');
    bytes
}
