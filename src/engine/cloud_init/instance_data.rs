//! `instance-data.json`: what is known of the instance, for everybody and for root.
//!
//! Source: cloud-init, `cloudinit/sources/__init__.py` (`persist_instance_data`,
//! `_get_standardized_metadata`, `redact_sensitive_keys`).

use contract::config::Config;
use contract::effect::{Effect, Mode};
use contract::instance::InstanceMetadata;
use contract::machine::Probe;
use contract::secret::Secret;
use serde_json::{Map, Value, json};

use super::{Instance, RUN, datasource, json as written};
use crate::system_info::{SystemInfo, of_kernel};

/// What stands where others than root may not read. Source: cloud-init, `REDACT_SENSITIVE_VALUE`.
pub const REDACTED: &str = "redacted for non-root user";

const DOC: &str = "as the cloud names it; these names may change";

/// The metadata that everybody may read, of EC2 and of seeds: what tells where the machine is and
/// what it is called, and no tag, no credential and nothing that somebody thought up.
const PUBLIC: &[&str] = &[
    "ami-id",
    "ami-launch-index",
    "ami-manifest-path",
    "availability-zone",
    "availability_zone",
    "block-device-mapping",
    "cloud-name",
    "dsmode",
    "hostname",
    "instance-action",
    "instance-id",
    "instance-life-cycle",
    "instance-type",
    "launch-index",
    "local-hostname",
    "local-ipv4",
    "mac",
    "network",
    "placement",
    "platform",
    "public-hostname",
    "public-ipv4",
    "public-keys",
    "region",
    "reservation-id",
    "security-groups",
    "services",
];

/// The files below /run/cloud-init that tell who the instance is.
pub(super) fn effects(probe: &dyn Probe, instance: &Instance<'_>) -> Vec<Effect> {
    let metadata = instance.metadata;
    let cloud = datasource::cloud_id(metadata);
    let mut data = instance_data(probe, metadata, instance.image);
    let mut effects = cloud_id(probe, cloud);
    let secret = |name: &str, value: &Value| {
        let bytes = Secret::new(written(value));
        Effect::secret_file(format!("{RUN}/{name}").as_str(), bytes, Mode::PRIVATE)
    };
    effects.push(secret("instance-data-sensitive.json", &data));
    redact(&mut data);
    let public = Effect::file(format!("{RUN}/instance-data.json").as_str(), written(&data));
    effects.push(public);
    let config = json!(instance.config.root());
    effects.push(secret("combined-cloud-config.json", &config));
    effects
}

/// The file that has the cloud's id in its name, and the link to it.
fn cloud_id(probe: &dyn Probe, cloud: &str) -> Vec<Effect> {
    let path = format!("{RUN}/cloud-id");
    let name = format!("cloud-id-{cloud}");
    let names = probe.list(std::path::Path::new(RUN)).ok().flatten();
    let names = names.unwrap_or_default().into_iter();
    let others = names.filter(|other| other.starts_with("cloud-id-") && *other != name);
    let mut effects = vec![
        Effect::file(format!("{RUN}/{name}").as_str(), format!("{cloud}\n")),
        Effect::Link {
            at: path.as_str().into(),
            to: format!("{RUN}/{name}").into(),
        },
    ];
    effects.extend(others.map(|other| Effect::Absent {
        at: format!("{RUN}/{other}").as_str().into(),
    }));
    effects
}

/// All of it, with the paths of what is sensitive: for root. `image` is what the image configures.
#[must_use]
pub fn instance_data(probe: &dyn Probe, metadata: &InstanceMetadata, image: &Config) -> Value {
    let system = SystemInfo::of(probe);
    let mut ds = raw(metadata);
    let mut sensitive: Vec<String> = Vec::new();
    for (group, values) in &ds {
        let Some(values) = values.as_object() else {
            continue;
        };
        let hidden = values.keys().filter(|name| !is_public(group, name));
        sensitive.extend(hidden.map(|name| format!("ds/{group}/{name}")));
    }
    sensitive.extend(["merged_cfg", "merged_system_cfg"].map(str::to_owned));
    sensitive.sort();
    ds.insert("_doc".to_owned(), json!(DOC));
    let image = json!(image.root());
    json!({
        "base64_encoded_keys": [],
        "ds": ds,
        "merged_cfg": image,
        "merged_system_cfg": image,
        "sensitive_keys": sensitive,
        "sys_info": sys_info(probe, &system),
        "v1": v1(metadata, &system),
    })
}

/// What the cloud said; a seed's is `meta_data`, as with cloud-init's NoCloud.
fn raw(metadata: &InstanceMetadata) -> Map<String, Value> {
    let mut ds = metadata.rest.as_object().cloned().unwrap_or_default();
    if metadata.platform != "ec2" {
        let data = ds.remove("meta-data");
        ds.insert("meta_data".to_owned(), data.unwrap_or_else(|| json!({})));
    }
    ds
}

fn is_public(group: &str, name: &str) -> bool {
    match group {
        "meta-data" | "meta_data" => PUBLIC.contains(&name),
        // The identity document beside its signatures.
        "dynamic" => name == "instance-identity",
        _ => false,
    }
}

fn redact(data: &mut Value) {
    let paths = data.get("sensitive_keys").and_then(Value::as_array);
    let paths: Vec<String> = paths
        .into_iter()
        .flatten()
        .filter_map(|path| path.as_str().map(ToOwned::to_owned))
        .collect();
    for path in paths {
        let mut place = Some(&mut *data);
        for name in path.split('/') {
            place = place.and_then(|place| place.get_mut(name));
        }
        if let Some(place) = place {
            *place = json!(REDACTED);
        }
    }
}

fn sys_info(probe: &dyn Probe, system: &SystemInfo) -> Value {
    let machine = std::env::consts::ARCH;
    json!({
        "dist": [system.distro, system.version, system.codename],
        "platform": system.platform(),
        "release": system.kernel,
        "system": "Linux",
        "uname": ["Linux", of_kernel(probe, "hostname"), system.kernel, of_kernel(probe, "version"), machine, ""],
        "variant": system.variant,
    })
}

fn v1(metadata: &InstanceMetadata, system: &SystemInfo) -> Value {
    let hostname = datasource::short_hostname(metadata);
    let zone = &metadata.availability_zone;
    let cloud = datasource::cloud_name(metadata);
    let id = &metadata.instance_id;
    json!({
        "_beta_keys": ["subplatform"],
        "availability-zone": zone,
        "availability_zone": zone,
        "cloud-name": cloud,
        "cloud_id": datasource::cloud_id(metadata),
        "cloud_name": cloud,
        "distro": system.distro,
        "distro_release": system.codename,
        "distro_version": system.version,
        "instance-id": id,
        "instance_id": id,
        "kernel_release": system.kernel,
        "local-hostname": hostname,
        "local_hostname": hostname,
        "machine": std::env::consts::ARCH,
        "platform": datasource::platform(metadata),
        "public_ssh_keys": metadata.public_keys,
        "region": metadata.region,
        "subplatform": datasource::subplatform(metadata),
        "system_platform": system.platform(),
        "variant": system.variant,
    })
}

#[cfg(test)]
mod tests {
    use contract::config::Config;
    use contract::machine::Machine as _;
    use contract::testing::{FakeMachine, config, instance};
    use contract::user_data::{UserData, VendorData};

    use super::*;

    fn files(platform: &str, change: impl FnOnce(&mut Instance<'_>)) -> FakeMachine {
        let mut metadata = instance();
        metadata.platform = platform.to_owned();
        metadata.region = Some("eu-west-1".to_owned());
        metadata.local_hostname = Some("web-1.example.com".parse().unwrap());
        metadata.rest = json!({
            "meta-data": {"ami-id": "ami-1", "tags": {"instance": {"Password": "hunter2"}}, "instance-id": "i-1"},
            "dynamic": {"instance-identity": {"document": {"accountId": "1"}}, "fws": {"key": "hunter2"}},
        });
        let (image, all) = (config("users: [hunter2]"), config("runcmd: [hunter2]"));
        let (user, vendor) = (UserData::default(), VendorData::default());
        let none = Config::default();
        let mut own = Instance {
            metadata: &metadata,
            datasource: "Ec2",
            image: &image,
            config: &all,
            user_config: &none,
            user_data: &user,
            vendor_data: &vendor,
        };
        change(&mut own);
        let machine = FakeMachine::default();
        for effect in effects(&machine, &own) {
            machine.apply(&effect).unwrap();
        }
        machine
    }

    fn parsed(machine: &FakeMachine, name: &str) -> Value {
        serde_json::from_str(&machine.text(&format!("{RUN}/{name}")).unwrap()).unwrap()
    }

    #[test]
    fn what_somebody_thought_up_is_for_root_alone() {
        let machine = files("ec2", |_| {});
        let public = machine.text(&format!("{RUN}/instance-data.json")).unwrap();
        assert!(!public.contains("hunter2"), "{public}");
        let (public, all) = (
            parsed(&machine, "instance-data.json"),
            parsed(&machine, "instance-data-sensitive.json"),
        );
        assert_eq!(public["ds"]["meta-data"]["ami-id"], "ami-1");
        assert_eq!(
            public["sensitive_keys"],
            json!([
                "ds/dynamic/fws",
                "ds/meta-data/tags",
                "merged_cfg",
                "merged_system_cfg"
            ])
        );
        assert_eq!(public["ds"]["meta-data"]["tags"], REDACTED);
        assert_eq!(
            all["ds"]["meta-data"]["tags"]["instance"]["Password"],
            "hunter2"
        );
        assert_eq!(all["merged_system_cfg"]["users"], json!(["hunter2"]));
        let combined = parsed(&machine, "combined-cloud-config.json");
        assert_eq!(combined, json!({"runcmd": ["hunter2"]}));
        let log = machine.log.borrow();
        for (name, mode) in [
            ("instance-data.json", "0644"),
            ("instance-data-sensitive.json", "0600"),
            ("combined-cloud-config.json", "0600"),
        ] {
            assert!(
                log.contains(&format!("file {RUN}/{name} ({mode})")),
                "{name}: {log:?}"
            );
        }
    }

    #[test]
    fn v1_has_both_spellings_and_the_short_name() {
        let v1 = parsed(&files("ec2", |_| {}), "instance-data.json")["v1"].take();
        for name in [
            "cloud_name",
            "instance_id",
            "local_hostname",
            "availability_zone",
        ] {
            assert_eq!(v1[name], v1[name.replace('_', "-").as_str()], "{name}");
        }
        assert_eq!(v1["local_hostname"], "web-1");
        assert_eq!(v1["cloud_name"], "aws");
        assert_eq!(v1["availability_zone"], Value::Null);
    }

    #[test]
    fn a_seeds_metadata_is_where_no_cloud_has_it() {
        let data = parsed(&files("seed", |_| {}), "instance-data.json");
        assert_eq!(data["ds"]["meta_data"]["instance-id"], "i-1");
        assert_eq!(data["v1"]["platform"], "nocloud");
        assert_eq!(data["v1"]["cloud_name"], "unknown");
        assert_eq!(data["v1"]["cloud_id"], "nocloud");
    }

    #[test]
    fn the_file_of_another_clouds_id_goes() {
        let machine = FakeMachine::with(&[("/run/cloud-init/cloud-id-nocloud", "nocloud\n")]);
        let lines: Vec<String> = cloud_id(&machine, "aws")
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            lines,
            [
                "file /run/cloud-init/cloud-id-aws (0644)",
                "link /run/cloud-init/cloud-id -> /run/cloud-init/cloud-id-aws",
                "no file /run/cloud-init/cloud-id-nocloud",
            ]
        );
    }
}
