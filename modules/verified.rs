//! Modules that belong to some distributions alone, and what happens to them elsewhere.
//!
//! Source: cloud-init, the `distros` of `cloudinit/config/cc_*.py` and `cloudinit/config/modules.py`
//! (`run_section`).

use contract::config::Config;
use contract::machine::Probe;
use contract::module::Entry;
use contract::place::Place;
use contract::plan::Problem;
use contract::yaml::Value;

use crate::distribution::Release;

const UBUNTU: &[&str] = &["ubuntu"];
const APT: &[&str] = &["ubuntu", "debian", "raspbian"];
const RHEL: &[&str] = &["rhel", "fedora", "openeuler"];
const SUSE: &[&str] = &[
    "opensuse",
    "opensuse-microos",
    "opensuse-tumbleweed",
    "opensuse-leap",
    "sle_hpc",
    "sle-micro",
    "sles",
    "suse",
];

/// The modules, and the ids of their distributions in os-release(5). A module that is not named
/// here belongs to all.
///
/// Amazon Linux, Oracle Linux and MIRACLE LINUX read the same repositories as the others that are
/// named with `yum_add_repo`; cloud-init leaves them out. What `ca_certs`, `keyboard`, `ntp` and
/// `ssh_import_id` do here is not bound to a distribution.
const VERIFIED: &[(&str, &[&str])] = &[
    ("apk_configure", &["alpine"]),
    ("apt_configure", APT),
    ("apt_pipelining", APT),
    ("byobu", APT),
    ("fan", UBUNTU),
    ("grub_dpkg", APT),
    ("landscape", UBUNTU),
    ("lxd", UBUNTU),
    (
        "resolv_conf",
        &[
            "alpine",
            "azurelinux",
            "fedora",
            "mariner",
            "openeuler",
            "opensuse",
            "opensuse-leap",
            "opensuse-microos",
            "opensuse-tumbleweed",
            "photon",
            "rhel",
            "sle_hpc",
            "sle-micro",
            "sles",
            "suse",
        ],
    ),
    ("rh_subscription", RHEL),
    ("snap", UBUNTU),
    ("spacewalk", RHEL),
    ("ubuntu_drivers", UBUNTU),
    ("ubuntu_pro", UBUNTU),
    ("wireguard", UBUNTU),
    (
        "yum_add_repo",
        &[
            "almalinux",
            "amzn",
            "azurelinux",
            "centos",
            "cloudlinux",
            "eurolinux",
            "fedora",
            "mariner",
            "miraclelinux",
            "ol",
            "opencloudos",
            "openeuler",
            "openmandriva",
            "photon",
            "rhel",
            "rocky",
            "tencentos",
            "virtuozzo",
        ],
    ),
    ("zypper_add_repo", SUSE),
];

/// Takes out of `entries` those that would do something and do not belong to this distribution,
/// unless `unverified_modules` names them. That one of their keys is given is told.
///
/// The machine is looked at only if there is such a module.
pub fn keep_verified(entries: &mut Vec<Entry>, config: &Config, probe: &dyn Probe) -> Vec<Problem> {
    let mut release = None;
    let mut left = Vec::new();
    entries.retain(|entry| {
        let name = entry.facts.name;
        // Most have nothing to do, and that is seen at once.
        let ids = if entry.is_awake(config) {
            of(name)
        } else {
            None
        };
        let Some(ids) = ids else { return true };
        let release = release.get_or_insert_with(|| Release::of(probe));
        if release.is_one_of(ids) || is_called_one_of(ids, config) || is_insisted_on(name, config) {
            return true;
        }
        left.push(*entry);
        false
    });
    let told = left
        .iter()
        .filter_map(|entry| left_out(entry, entries, config));
    told.collect()
}

fn of(module: &str) -> Option<&'static [&'static str]> {
    let found = VERIFIED.iter().find(|(name, _)| *name == module);
    found.map(|(_, ids)| *ids)
}

/// Whether the image's `system_info.distro` says so, which is what cloud-init goes by: that of Oracle
/// Linux says `rhel`.
fn is_called_one_of(ids: &[&str], config: &Config) -> bool {
    let system = config.get("system_info");
    let name = system.and_then(|system| system.get("distro")?.as_str());
    name.is_some_and(|name| ids.iter().any(|id| id.eq_ignore_ascii_case(name)))
}

fn is_insisted_on(module: &str, config: &Config) -> bool {
    let names = config.get("unverified_modules").and_then(Value::as_list);
    let mut names = names.unwrap_or_default().iter().filter_map(Value::as_str);
    names.any(|name| name.replace('-', "_") == module)
}

/// What to say of it: nothing if nobody asked for it. A key that one of the others reads asks nothing of
/// this one, such as `system_info`, which every image has.
fn left_out(entry: &Entry, others: &[Entry], config: &Config) -> Option<Problem> {
    let is_read = |key: &str| {
        others
            .iter()
            .any(|own| own.facts.key_names().contains(&key))
    };
    let asked = |key| Some((key, config.get(key)?.place.clone()));
    let mut keys = entry
        .facts
        .key_names()
        .into_iter()
        .filter(|key| !is_read(key));
    let (key, place): (&str, Place) = keys.find_map(asked)?;
    let name = entry.facts.name;
    let message = format!("{key}: nothing is done on this distribution, as with cloud-init");
    let hint = format!("`unverified_modules: [{name}]` does it nevertheless");
    Some(Problem::notice(Some(place), message).hint(hint))
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, config};

    use super::*;
    use crate::{CLOUD_INIT, TABLE};

    fn kept(release: &str, text: &str) -> (bool, Vec<String>) {
        let machine = FakeMachine::with(&[("/etc/os-release", release)]);
        let mut entries = TABLE.to_vec();
        let problems = keep_verified(&mut entries, &config(text), &machine);
        let is_kept = entries
            .iter()
            .any(|entry| entry.facts.name == "resolv_conf");
        (is_kept, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_module_of_other_distributions_is_left_out_and_that_is_told() {
        const ASKED: &str = "manage_resolv_conf: true";
        #[rustfmt::skip]
        let table = [
            // os-release                          configuration                                        kept   told
            ("ID=fedora\n",                        ASKED.to_owned(),                                    true,  false),
            ("ID=\"opensuse-leap\"\n",             ASKED.to_owned(),                                    true,  false),
            ("ID=\"openEuler\"\n",                 ASKED.to_owned(),                                    true,  false),
            ("ID=nobara\nID_LIKE=fedora\n",        ASKED.to_owned(),                                    true,  false),
            ("ID=\"amzn\"\nID_LIKE=\"fedora\"\n",  ASKED.to_owned(),                                    false, true),
            ("ID=debian\n",                        ASKED.to_owned(),                                    false, true),
            ("",                                   ASKED.to_owned(),                                    false, true),
            ("ID=\"ol\"\nID_LIKE=\"fedora\"\n",    ASKED.to_owned(),                                    false, true),
            ("ID=\"ol\"\nID_LIKE=\"fedora\"\n",    format!("{{{ASKED}, system_info: {{distro: rhel}}}}"), true, false),
            ("ID=debian\n",                        format!("{{{ASKED}, unverified_modules: [ntp]}}"),   false, true),
            ("ID=debian\n",                        format!("{{{ASKED}, unverified_modules: [resolv-conf]}}"), true, false),
            // Nothing is to be done, and nothing is said.
            ("ID=debian\n",                        "packages: [a]".to_owned(),                          true,  false),
            ("ID=\"amzn\"\n",                      "system_info: {distro: amazon}".to_owned(),          true,  false),
        ];
        for (release, config, is_kept, is_told) in table {
            let (found, told) = kept(release, &config);
            assert_eq!(found, is_kept, "{release} {config}");
            assert_eq!(!told.is_empty(), is_told, "{release} {config}: {told:?}");
        }
        let (_, told) = kept("ID=debian\n", ASKED);
        assert_eq!(
            told,
            [
                "test:1:21: manage_resolv_conf: nothing is done on this distribution, as with \
                 cloud-init (`unverified_modules: [resolv_conf]` does it nevertheless)"
            ]
        );
    }

    #[test]
    fn the_modules_of_some_distributions_are_modules_of_cloud_init() {
        for (name, ids) in VERIFIED {
            assert!(CLOUD_INIT.contains(name), "{name}");
            assert!(!ids.is_empty(), "{name}");
        }
    }
}
