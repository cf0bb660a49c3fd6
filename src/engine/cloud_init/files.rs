//! The files of an instance below /var/lib/cloud.
//!
//! Source: cloud-init, `cloudinit/stages.py` (`_initial_subdirs`, `_reflect_cur_instance`, `update`),
//! `cloudinit/helpers.py` (`Paths`), `cloudinit/config/cc_final_message.py`, `cc_set_hostname.py`.

use std::path::{Path, PathBuf};

use contract::effect::{Effect, Mode};
use contract::instance::InstanceMetadata;
use contract::machine::Probe;
use contract::name::InstanceId;
use contract::secret::Secret;
use contract::yaml;
use serde_json::json;

use super::{Instance, RUN, STATE, clock, datasource, json as written};

/// Directories that are there from the beginning, as images and people expect.
const DIRECTORIES: &[&str] = &[
    "data",
    "handlers",
    "instances",
    "scripts/per-boot",
    "scripts/per-instance",
    "scripts/per-once",
    "scripts/vendor",
    "seed",
    "sem",
];

/// What `previous-instance-id` says when there was none.
const NO_PREVIOUS: &str = "NO_PREVIOUS_INSTANCE_ID";

/// What firstlight set the host name to last.
const HOSTNAME: &str = "/var/lib/firstlight/previous-hostname";

/// Where an instance's files are.
pub(super) fn dir_of(id: &InstanceId) -> PathBuf {
    Path::new(STATE).join("instances").join(id.as_str())
}

/// Where the scripts of the instance's user data are, and are run.
#[must_use]
pub fn scripts_dir(id: &InstanceId) -> PathBuf {
    dir_of(id).join("scripts")
}

/// What is there as soon as it is known which instance this is.
pub(super) fn effects(probe: &dyn Probe, instance: &Instance<'_>) -> Vec<Effect> {
    let id = &instance.metadata.instance_id;
    let dir = dir_of(id);
    let mut effects = directories(probe, &dir);
    effects.push(Effect::Link {
        at: Path::new(STATE).join("instance").into(),
        to: dir.clone(),
    });
    let data = Path::new(STATE).join("data");
    let line = |path: PathBuf, text: &str| Effect::file(path, format!("{text}\n"));

    let class = datasource::class(instance.datasource);
    let class = format!("{class}: {class}");
    let before = text(probe, &dir.join("datasource")).unwrap_or_else(|| class.clone());
    effects.push(line(dir.join("datasource"), &class));
    effects.push(line(data.join("previous-datasource"), &before));

    let before = text(probe, &data.join("instance-id")).unwrap_or_else(|| NO_PREVIOUS.to_owned());
    effects.push(line(data.join("previous-instance-id"), &before));
    effects.push(line(data.join("instance-id"), id.as_str()));
    effects.push(line(Path::new(RUN).join(".instance-id"), id.as_str()));

    let secret = |name: &str, bytes: Vec<u8>| {
        Effect::secret_file(dir.join(name), Secret::new(bytes), Mode::PRIVATE)
    };
    let (first, second) = (&instance.vendor_data.first, &instance.vendor_data.second);
    let bytes = |data: &Option<contract::user_data::UserData>| {
        data.as_ref()
            .map_or(Vec::new(), |data| data.bytes().to_vec())
    };
    effects.push(secret("user-data.txt", instance.user_data.bytes().to_vec()));
    effects.push(secret("vendor-data.txt", bytes(first)));
    effects.push(secret("vendor-data2.txt", bytes(second)));
    effects.push(secret("cloud-config.txt", cloud_config(instance)));
    effects
}

/// Those that are not there yet; one that is there is left as somebody made it.
fn directories(probe: &dyn Probe, dir: &Path) -> Vec<Effect> {
    let own = ["handlers", "scripts", "sem"].map(|name| dir.join(name));
    let all = DIRECTORIES.iter().map(|name| Path::new(STATE).join(name));
    let all = all
        .chain([Path::new(RUN).join("sem"), dir.to_owned()])
        .chain(own);
    let missing = all.filter(|path| matches!(probe.kind(path), Ok(None)));
    missing
        .map(|path| Effect::directory(path, Mode::PUBLIC_DIR))
        .collect()
}

/// What the user data alone configures.
fn cloud_config(instance: &Instance<'_>) -> Vec<u8> {
    let root = instance.user_config.root();
    if root.is_empty() {
        return Vec::new();
    }
    let place = contract::place::Place::whole("user-data");
    let value = yaml::Value::new(yaml::Kind::Map(root.clone()), place);
    format!("#cloud-config\n\n{}", yaml::to_string(&value)).into_bytes()
}

/// What is there when the host name is set.
pub(super) fn named(probe: &dyn Probe, metadata: &InstanceMetadata) -> Vec<Effect> {
    let data = Path::new(STATE).join("data");
    let Some(name) = text(probe, Path::new(HOSTNAME)) else {
        return Vec::new();
    };
    let full = metadata.local_hostname.as_ref();
    let full = full.filter(|full| full.short() == name);
    let full = full.map_or(name.as_str(), contract::name::Hostname::as_str);
    let set = written(&json!({"fqdn": full, "hostname": name}));
    vec![
        Effect::file(data.join("previous-hostname"), format!("{name}\n")),
        Effect::file(data.join("set-hostname"), set),
    ]
}

/// What is there when everything is done: those who wait for it may go on.
pub(super) fn finished(probe: &dyn Probe, id: &InstanceId) -> Effect {
    let (uptime, time) = (clock::uptime(probe), clock::letter());
    let version = env!("CARGO_PKG_VERSION");
    let text = format!("{uptime:.2} - {time} - v. {version}\n");
    Effect::file(dir_of(id).join("boot-finished"), text)
}

fn text(probe: &dyn Probe, path: &Path) -> Option<String> {
    let bytes = probe.read(path).ok().flatten()?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use contract::config::Config;
    use contract::machine::Machine as _;
    use contract::testing::{FakeMachine, config, instance};
    use contract::user_data::{UserData, VendorData};

    use super::*;

    fn made(machine: &FakeMachine, datasource: &str, id: &str) {
        let mut metadata = instance();
        metadata.instance_id = id.parse().unwrap();
        let (image, user_config) = (Config::default(), config("runcmd: [echo hunter2]"));
        let user = UserData::new(b"#cloud-config\nruncmd: [echo hunter2]\n".to_vec());
        let vendor = VendorData::default();
        let own = Instance {
            metadata: &metadata,
            datasource,
            image: &image,
            config: &image,
            user_config: &user_config,
            user_data: &user,
            vendor_data: &vendor,
        };
        for effect in effects(machine, &own) {
            machine.apply(&effect).unwrap();
        }
    }

    #[test]
    fn an_instance_and_the_one_before_it_are_named() {
        let machine = FakeMachine::default();
        #[rustfmt::skip]
        let table = [
            // data source, id      previous id             previous data source
            ("NoCloud", "i-1",      NO_PREVIOUS,            "DataSourceNoCloud: DataSourceNoCloud"),
            ("NoCloud", "i-1",      "i-1",                  "DataSourceNoCloud: DataSourceNoCloud"),
            ("Ec2",     "i-1",      "i-1",                  "DataSourceNoCloud: DataSourceNoCloud"),
            ("Ec2",     "i-2",      "i-1",                  "DataSourceEc2Local: DataSourceEc2Local"),
        ];
        for (source, id, before, source_before) in table {
            made(&machine, source, id);
            let said = |path: &str| machine.text(path).unwrap().trim_end().to_owned();
            assert_eq!(said("/var/lib/cloud/data/instance-id"), id);
            assert_eq!(said("/run/cloud-init/.instance-id"), id);
            assert_eq!(
                said("/var/lib/cloud/data/previous-instance-id"),
                before,
                "{source} {id}"
            );
            assert_eq!(
                said("/var/lib/cloud/data/previous-datasource"),
                source_before,
                "{source} {id}"
            );
        }
    }

    #[test]
    fn what_may_hold_a_secret_is_for_root_alone() {
        let machine = FakeMachine::default();
        made(&machine, "Ec2", "i-1");
        let holding = machine.files.borrow();
        let holding = holding
            .iter()
            .filter(|(_, bytes)| String::from_utf8_lossy(bytes).contains("hunter2"));
        let names: Vec<String> = holding
            .map(|(path, _)| path.display().to_string())
            .collect();
        let dir = "/var/lib/cloud/instances/i-1";
        assert_eq!(
            names,
            [
                format!("{dir}/cloud-config.txt"),
                format!("{dir}/user-data.txt")
            ]
        );
        for name in names {
            assert!(
                machine
                    .log
                    .borrow()
                    .contains(&format!("file {name} (0600)")),
                "{name}"
            );
        }
    }

    #[test]
    fn a_host_name_has_its_domain_if_it_is_the_clouds() {
        let mut metadata = instance();
        metadata.local_hostname = Some("web-1.example.com".parse().unwrap());
        for (name, full) in [("web-1", "web-1.example.com"), ("db-1", "db-1")] {
            let machine = FakeMachine::with(&[(HOSTNAME, &format!("{name}\n"))]);
            for effect in named(&machine, &metadata) {
                machine.apply(&effect).unwrap();
            }
            let set = machine.text("/var/lib/cloud/data/set-hostname").unwrap();
            assert_eq!(
                set,
                format!("{{\n \"fqdn\": \"{full}\",\n \"hostname\": \"{name}\"\n}}\n")
            );
        }
    }
}
