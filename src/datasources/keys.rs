//! The top-level keys that data sources read.

use contract::schema::{Key, Shape};

const EC2: &[Key] = &[
    Key::new(
        "metadata_urls",
        Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]),
        "other addresses of the metadata service",
    ),
    Key::new(
        "max_wait",
        Shape::Number,
        "seconds in which everything must have come",
    )
    .or("240"),
    Key::new("timeout", Shape::Number, "seconds for one request").or("5"),
    Key::new(
        "strict_id",
        Shape::OneOf(&[Shape::Bool, Shape::Text]),
        "whether DMI must say EC2",
    )
    .or("true"),
    Key::new("retries", Shape::Any, "cloud-init's; not read"),
    Key::new("sec_between_retries", Shape::Any, "cloud-init's; not read"),
    Key::new(
        "apply_full_imds_network_config",
        Shape::Any,
        "cloud-init's; not read",
    ),
];

/// The settings of every data source that cloud-init has; ours are read.
const SOURCES: &[Key] = &[
    Key::new("Ec2", Shape::Map(EC2), "of EC2's metadata service"),
    of_another("AliYun"),
    of_another("AltCloud"),
    of_another("Akamai"),
    of_another("Azure"),
    of_another("Bigstep"),
    of_another("CloudCIX"),
    of_another("CloudStack"),
    of_another("ConfigDrive"),
    of_another("DigitalOcean"),
    of_another("Exoscale"),
    of_another("GCE"),
    of_another("Hetzner"),
    of_another("IBMCloud"),
    of_another("LXD"),
    of_another("MAAS"),
    of_another("NoCloud"),
    of_another("None"),
    of_another("NWCS"),
    of_another("OpenNebula"),
    of_another("OpenStack"),
    of_another("Oracle"),
    of_another("OVF"),
    of_another("RbxCloud"),
    of_another("Scaleway"),
    of_another("SmartOS"),
    of_another("UpCloud"),
    of_another("VMware"),
    of_another("Vultr"),
    of_another("WSL"),
];

const fn of_another(name: &'static str) -> Key {
    Key::new(name, Shape::Any, "cloud-init's; not read")
}

/// The top-level keys that are read here.
pub const KEYS: &[Key] = &[
    Key::new(
        "datasource_list",
        Shape::List(&Shape::Text),
        "who may be asked who this machine is, in order",
    )
    .for_images(),
    Key::new(
        "datasource",
        Shape::Map(SOURCES),
        "how the data sources are asked",
    )
    .for_images(),
];
