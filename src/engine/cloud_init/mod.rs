//! What tools that know cloud-init find on disk, for images that say
//! `firstlight: {cloud_init_compat: true}`.
//!
//! Everything here is made of what firstlight knows, and told in effects; firstlight's own books
//! stay the truth. Source of paths, names and forms: cloud-init 25.1.4, `cloudinit/helpers.py`
//! (`Paths`), `cloudinit/stages.py`, `cloudinit/cmd/main.py` and `cloudinit/sources/__init__.py`.

mod clock;
mod datasource;
mod files;
mod instance_data;
pub mod log;
pub mod query;
mod semaphores;
pub mod stages;
mod status;

use contract::config::Config;
use contract::effect::Effect;
use contract::instance::InstanceMetadata;
use contract::machine::Probe;
use contract::module::Stage;
use contract::user_data::{UserData, VendorData};

pub use datasource::canonical_cloud_id;
pub(crate) use datasource::short_hostname;
pub use files::scripts_dir;
pub use instance_data::{REDACTED, instance_data};
pub use semaphores::{Marks, reconcile};
pub use status::{Told, begun, disabled, failed, instead, published};

/// Everything that is known when it is known which instance this is.
#[derive(Debug)]
pub struct Instance<'a> {
    /// Who it is.
    pub metadata: &'a InstanceMetadata,
    /// The data source that said so: `Ec2`, `NoCloud`.
    pub datasource: &'a str,
    /// What the image configures.
    pub image: &'a Config,
    /// What all sources together configure.
    pub config: &'a Config,
    /// What the user data alone configures.
    pub user_config: &'a Config,
    /// The user data as it came.
    pub user_data: &'a UserData,
    /// The vendor data as it came.
    pub vendor_data: &'a VendorData,
}

/// What shall be once it is known which instance this is.
#[must_use]
pub fn known(probe: &dyn Probe, instance: &Instance<'_>) -> Vec<Effect> {
    let mut effects = files::effects(probe, instance);
    effects.extend(instance_data::effects(probe, instance));
    effects
}

/// What shall be when a stage has come to its end, before anybody is told of that.
#[must_use]
pub fn over(probe: &dyn Probe, stage: Stage, metadata: &InstanceMetadata) -> Vec<Effect> {
    match stage {
        Stage::Identity => files::named(probe, metadata),
        // Those who wait for the result look at this as well.
        Stage::Final => vec![files::finished(probe, &metadata.instance_id)],
        Stage::Early | Stage::Config => Vec::new(),
    }
}

/// The release of cloud-init whose commands, files and forms are followed. Tools compare it.
pub const VERSION: &str = "25.1.4";

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
