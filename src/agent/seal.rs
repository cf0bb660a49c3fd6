//! What an image must not take along from the instance that it is made of.
//!
//! Here it is only looked up. Sources: machine-id(5), random-seed in systemd-random-seed.service(8),
//! file-hierarchy(7), and the places where the DHCP clients of the distributions keep leases.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use contract::config::Config;
use contract::instance::InstanceMetadata;
use contract::machine::{Account, FileKind, Probe};
use contract::place::Place;
use contract::sshd;
use contract::yaml::{Kind, Value};

/// Directories and what goes from them, with one `*` at most in a name. All of it is made anew by
/// whoever needs it.
const GOES: &[(&str, &[&str])] = &[
    ("/var/lib/cloud", &["*"]),
    ("/run", &["cloud-init"]),
    ("/var/log/journal", &["*"]),
    ("/var/log/audit", &["*"]),
    ("/var/log/amazon", &["*"]),
    (
        "/var/log",
        &[
            "firstlight*",
            "cloud-init*",
            "syslog*",
            "messages*",
            "auth.log*",
            "secure*",
            "kern.log*",
            "daemon.log*",
            "user.log*",
            "debug*",
            "dmesg*",
            "boot.log*",
            "cron*",
            "maillog*",
            "mail.*",
            "wtmp*",
            "btmp*",
            "lastlog*",
        ],
    ),
    ("/var/lib/wtmpdb", &["*"]),
    ("/var/lib/lastlog", &["*"]),
    ("/etc/ssh", &["ssh_host_*"]),
    // Whether passwords open the door, as user data said it.
    ("/etc/ssh/sshd_config.d", &["50-cloud-init.conf"]),
    ("/var/lib/systemd", &["random-seed", "credential.secret"]),
    ("/boot/loader", &["random-seed"]),
    ("/boot/efi/loader", &["random-seed"]),
    ("/efi/loader", &["random-seed"]),
    ("/var/lib/dhcp", &["*.leases*"]),
    ("/var/lib/dhclient", &["*"]),
    ("/var/lib/dhcpcd", &["*"]),
    (
        "/var/lib/NetworkManager",
        &["*.lease", "secret_key", "seen-bssids", "timestamps"],
    ),
];

/// What of [`GOES`] is the image's own all the same: a seed, baked in to be found.
const STAYS: [&str; 1] = ["/var/lib/cloud/seed"];

/// What shells, and what is like one, remember in a home directory.
const HISTORIES: [&str; 9] = [
    ".bash_history",
    ".zsh_history",
    ".zhistory",
    ".sh_history",
    ".ash_history",
    ".history",
    ".python_history",
    ".lesshst",
    ".local/share/fish/fish_history",
];

/// D-Bus has it as a link to the machine's or, of old, as a copy.
const DBUS_MACHINE_ID: &str = "/var/lib/dbus/machine-id";
pub(crate) const MACHINE_ID: &str = "/etc/machine-id";
/// What cloud-init tells everybody of the instance.
const CLOUD_INITS_INSTANCE: &str = "/run/cloud-init/instance-data.json";
const HOSTNAME: &str = "/etc/hostname";

/// What is to be done to make an image of this machine.
#[derive(Debug, Default)]
pub(crate) struct Seal {
    /// What goes, in this order, directories with all that is in them.
    pub(crate) goes: Vec<PathBuf>,
    /// The machine has an id, which is to be emptied.
    pub(crate) has_machine_id: bool,
    /// What user data has changed and nobody but the image's builder can judge. Never secret.
    pub(crate) stays: Vec<String>,
}

/// Whose machine it was.
pub(crate) struct Instance<'a> {
    /// What the image and the instance's user data say together, or the image alone.
    pub(crate) config: &'a Config,
    /// What its data source said of it, if that is known.
    pub(crate) metadata: Option<&'a InstanceMetadata>,
}

/// Looks up what is there.
pub(crate) fn look(probe: &dyn Probe, instance: &Instance<'_>) -> Seal {
    let mut seal = Seal::default();
    for (dir, patterns) in GOES {
        for name in names(probe, dir) {
            let path = Path::new(dir).join(&name);
            let is_kept = STAYS.iter().any(|kept| path == Path::new(kept));
            if !is_kept && patterns.iter().any(|pattern| fits(&name, pattern)) {
                seal.goes.push(path);
            }
        }
    }
    let accounts = probe.users().unwrap_or_default();
    seal.homes(probe, &accounts);
    seal.keys(probe, instance, &accounts);
    seal.hostname(probe, instance);
    if is_file(probe, Path::new(DBUS_MACHINE_ID)) {
        seal.goes.push(DBUS_MACHINE_ID.into());
    }
    let id = probe.read(Path::new(MACHINE_ID)).ok().flatten();
    let id = id.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    seal.has_machine_id = id.is_some_and(|id| !id.is_empty() && id != "uninitialized");
    seal.changes(instance.config);
    seal
}

impl Seal {
    fn homes(&mut self, probe: &dyn Probe, accounts: &[Account]) {
        let homes: BTreeSet<&str> = accounts
            .iter()
            .map(|account| account.home.as_str())
            .collect();
        for home in homes.into_iter().filter(|home| home.starts_with('/')) {
            let files = HISTORIES.iter().map(|name| Path::new(home).join(name));
            self.goes.extend(files.filter(|path| is_file(probe, path)));
        }
    }

    /// Keys that open the door: of root and the default user, of whom user data named, and wherever
    /// the launch key is.
    fn keys(&mut self, probe: &dyn Probe, instance: &Instance<'_>, accounts: &[Account]) {
        let wanted = modules::accounts_of(instance.config, probe);
        let of_metadata = instance.metadata.map_or(&[][..], |own| &own.public_keys);
        let of_metadata = of_metadata.iter().map(|key| key.as_str().to_owned());
        let lines: Vec<String> = of_metadata.chain(of_cloud_init(probe)).collect();
        let launch_keys: Vec<&str> = lines.iter().filter_map(|line| blob(line)).collect();
        for account in accounts {
            let mut named = wanted.iter().filter(|(name, _)| *name == account.name);
            let is_instances =
                account.name == "root" || named.any(|(_, place)| is_of_instance(place));
            for file in sshd::authorized_keys_files(probe, account) {
                let text = probe.read(&file).ok().flatten();
                let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                let has_launch_key = |text: &String| {
                    let mut words = text.split_ascii_whitespace();
                    words.any(|word| launch_keys.contains(&word))
                };
                if text.is_some_and(|text| is_instances || has_launch_key(&text)) {
                    self.goes.push(file);
                }
            }
        }
        let there = |name: &String| accounts.iter().any(|account| account.name == *name);
        let asked_for = wanted
            .iter()
            .filter(|(name, place)| place.is_some() && is_of_instance(place) && there(name));
        for (name, _) in asked_for {
            let what = format!("account {name}, which user data asks for (without its keys)");
            self.stays.push(what);
        }
    }

    /// The name of an instance is no name of an image; one that the builder chose stays.
    fn hostname(&mut self, probe: &dyn Probe, instance: &Instance<'_>) {
        let text = probe.read(Path::new(HOSTNAME)).ok().flatten();
        let text = String::from_utf8_lossy(&text.unwrap_or_default())
            .trim()
            .to_owned();
        let is_short = |full: &str| full == text || full.split('.').next() == Some(&text);
        let own = instance
            .metadata
            .and_then(|metadata| metadata.local_hostname.as_ref());
        let of_metadata = own.is_some_and(|name| is_short(name.as_str()));
        let of_user_data = ["hostname", "fqdn"].iter().any(|key| {
            let value = instance.config.get(key).filter(|value| is_data(value));
            value.and_then(Value::as_str).is_some_and(is_short)
        });
        if !text.is_empty() && (of_metadata || of_user_data) {
            self.goes.push(HOSTNAME.into());
        }
    }

    /// What user data made of the machine beside that.
    fn changes(&mut self, config: &Config) {
        let passwords = ["password", "chpasswd"]
            .iter()
            .filter_map(|key| config.get(key));
        if passwords.into_iter().any(is_data) {
            self.stays.push("passwords that user data set".to_owned());
        }
        let files = config.get("write_files").filter(|files| is_data(files));
        let Some(Kind::List(files)) = files.map(|files| &files.kind) else {
            return;
        };
        let paths = files.iter().filter_map(|file| file.get("path")?.as_str());
        let files = paths.map(|path| format!("file {path}, which user data wrote"));
        self.stays.extend(files);
    }
}

/// Whether something stands in user data or metadata, and not in a file of the image; the default
/// user, who has no place of their own, has the instance's keys.
fn is_of_instance(place: &Option<Place>) -> bool {
    place
        .as_ref()
        .is_none_or(|place| !place.source.starts_with('/'))
}

fn is_data(value: &Value) -> bool {
    !value.place.source.starts_with('/')
}

/// The launch keys of an instance that cloud-init has configured, as one is that becomes an image for
/// firstlight. Source: cloud-init, `cloudinit/sources/__init__.py` (`_get_standardized_metadata`).
fn of_cloud_init(probe: &dyn Probe) -> Vec<String> {
    let bytes = probe.read(Path::new(CLOUD_INITS_INSTANCE)).ok().flatten();
    let data: Option<serde_json::Value> =
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let keys = data
        .as_ref()
        .and_then(|data| data.pointer("/v1/public_ssh_keys")?.as_array());
    let keys = keys.into_iter().flatten();
    keys.filter_map(|key| key.as_str().map(ToOwned::to_owned))
        .collect()
}

/// The key itself: of options, type, key and comment the word that no other key has.
fn blob(line: &str) -> Option<&str> {
    line.split_ascii_whitespace()
        .find(|word| word.starts_with("AAAA"))
}

fn names(probe: &dyn Probe, dir: &str) -> Vec<String> {
    // A link may lead to where something else lives.
    match probe.kind(Path::new(dir)) {
        Ok(Some(FileKind::Directory)) => probe.list(Path::new(dir)).ok().flatten(),
        _ => None,
    }
    .unwrap_or_default()
}

fn is_file(probe: &dyn Probe, path: &Path) -> bool {
    matches!(probe.kind(path), Ok(Some(FileKind::File)))
}

fn fits(name: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => name == pattern,
        Some((begin, end)) => {
            let rest = name.strip_prefix(begin);
            match end.strip_suffix('*') {
                Some(within) => rest.is_some_and(|rest| rest.contains(within)),
                None => rest.is_some_and(|rest| rest.ends_with(end)),
            }
        }
    }
}
