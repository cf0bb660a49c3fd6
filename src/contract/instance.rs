//! Who this machine is, as the cloud tells it.

use std::net::IpAddr;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::{AuthorizedKey, Hostname, InstanceId};

/// This instance's number within one RunInstances call: 0, 1, 2 ...
///
/// It is only as unique as that call: Auto Scaling and instance-by-instance launches give 0 to
/// everyone. Source: EC2 User Guide, "Example: AMI launch index value".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LaunchIndex(pub u32);

impl LaunchIndex {
    /// Whether this is index 0, the launch's original.
    #[must_use]
    pub const fn is_first(self) -> bool {
        self.0 == 0
    }
}

impl FromStr for LaunchIndex {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.trim().parse().map(Self)
    }
}

/// What every cloud's metadata comes down to; all data sources fill the same fields.
///
/// `None` and an empty list mean that the cloud did not say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceMetadata {
    /// A new id is a new machine: everything that is done once for an instance is done again.
    pub instance_id: InstanceId,
    /// The data source's name in lower case: `ec2`, `seed`, `none`.
    pub platform: String,
    /// `eu-central-1`.
    #[serde(default)]
    pub region: Option<String>,
    /// `eu-central-1a`; of a Local Zone `us-west-2-lax-1a`.
    #[serde(default)]
    pub availability_zone: Option<String>,
    /// `aws`, `aws-cn`, `aws-us-gov`.
    #[serde(default)]
    pub partition: Option<String>,
    /// The DNS suffix of the partition's services: `amazonaws.com`.
    #[serde(default)]
    pub service_domain: Option<String>,
    /// The private host name, with its domain.
    #[serde(default)]
    pub local_hostname: Option<Hostname>,
    /// See [`LaunchIndex`].
    #[serde(default)]
    pub launch_index: Option<LaunchIndex>,
    /// One for all instances of a launch.
    #[serde(default)]
    pub reservation_id: Option<String>,
    /// The launch keys, one line each.
    #[serde(default)]
    pub public_keys: Vec<AuthorizedKey>,
    /// Private addresses, the primary one first.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// What this cloud said, by its own names: `{"meta-data": {...}, "dynamic": {...}}`.
    #[serde(default)]
    pub rest: serde_json::Value,
}

impl InstanceMetadata {
    /// An instance of which nothing but its id and platform is known.
    #[must_use]
    pub fn new(instance_id: InstanceId, platform: &str) -> Self {
        Self {
            instance_id,
            platform: platform.to_owned(),
            region: None,
            availability_zone: None,
            partition: None,
            service_domain: None,
            local_hostname: None,
            launch_index: None,
            reservation_id: None,
            public_keys: Vec::new(),
            addresses: Vec::new(),
            rest: serde_json::Value::Null,
        }
    }
}
