//! The modules of a machine: firstlight's own, and those that its image brings along.

use std::borrow::Cow;

use anyhow::bail;
use contract::config::Config;
use contract::machine::Probe;
use contract::module::Entry;
use contract::plan::Problem;
use engine::custom::{self, Own};
use engine::module_list::{CloudInit, wanted};
use engine::validate::Schema;
use system::Host;

use crate::image_tree;
use crate::target::Target;

const OWN: Own = Own {
    table: modules::TABLE,
    names: modules::CLOUD_INIT,
    keys: modules::CLOUD_INIT_KEYS,
    others: datasources::KEYS,
    packages: modules::packages_needed,
};

/// What the lists of modules may name.
const CLOUD_INIT: CloudInit<'static> = CloudInit {
    modules: modules::CLOUD_INIT,
    renamed: modules::RENAMED,
};

/// The machine that a command is about, for a look at its modules and nothing else.
pub(crate) fn machine(target: &Target) -> Option<Host> {
    let image = target
        .image()
        .filter(|_| image_tree::is_vacant(&target.root));
    Host::new(&image.unwrap_or_else(|| target.root.clone())).ok()
}

/// Every module, in the order of the boot.
pub(crate) struct Catalogue {
    entries: Cow<'static, [Entry]>,
    /// What is wrong with those of the image.
    pub(crate) problems: Vec<Problem>,
}

impl Catalogue {
    /// Those of a machine.
    pub(crate) fn of(probe: &dyn Probe) -> Self {
        let (entries, problems) = custom::load(probe, &OWN);
        Self { entries, problems }
    }

    /// Those of the machine that a command is about; firstlight's own if there is none.
    pub(crate) fn at(target: &Target) -> Self {
        machine(target).map_or_else(Self::own, |host| Self::of(&host))
    }

    /// Firstlight's own.
    pub(crate) const fn own() -> Self {
        Self {
            entries: Cow::Borrowed(modules::TABLE),
            problems: Vec::new(),
        }
    }

    /// All of them.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The one of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.facts.name == name)
    }

    /// The one of this name.
    ///
    /// # Errors
    /// When there is none: names those there are.
    pub(crate) fn find(&self, name: &str) -> anyhow::Result<&Entry> {
        let Some(entry) = self.get(name) else {
            let names = self.entries.iter().map(|entry| entry.facts.name);
            let names = names.collect::<Vec<_>>().join(", ");
            bail!("there is no module `{name}`; the modules are {names}")
        };
        Ok(entry)
    }

    /// Those that somebody means by a name: the module that cloud-init calls so, or else those that
    /// read the top-level key of this name.
    ///
    /// # Errors
    /// When there is none: names those there are.
    pub(crate) fn meant(&self, name: &str) -> anyhow::Result<Vec<&Entry>> {
        let called = module_name(name);
        let renamed = modules::RENAMED.iter().find(|(old, _)| *old == called);
        let today = renamed.map_or(called.as_str(), |(_, today)| today);
        if let Some(entry) = self.get(name).or_else(|| self.get(today)) {
            return Ok(vec![entry]);
        }
        let reads = |entry: &&Entry| entry.facts.key_names().contains(&name.trim());
        let readers: Vec<&Entry> = self.entries.iter().filter(reads).collect();
        match readers.is_empty() {
            true => self.find(name).map(|entry| vec![entry]),
            false => Ok(readers),
        }
    }

    /// Those that a configuration's lists let run, in their order, and what is odd about the lists.
    pub(crate) fn wanted(&self, config: &Config) -> (Vec<Entry>, Vec<Problem>) {
        wanted(&self.entries, CLOUD_INIT, config)
    }

    /// The same without those that are not for the distribution of this machine.
    pub(crate) fn wanted_on(
        &self,
        probe: &dyn Probe,
        config: &Config,
    ) -> (Vec<Entry>, Vec<Problem>) {
        let (mut entries, mut problems) = self.wanted(config);
        problems.extend(modules::keep_verified(&mut entries, config, probe));
        (entries, problems)
    }

    /// Those that are not among `wanted`.
    pub(crate) fn left_out(&self, wanted: &[Entry]) -> Vec<Entry> {
        let name = |entry: &Entry| entry.facts.name;
        let is_wanted = |entry: &Entry| wanted.iter().any(|own| name(own) == name(entry));
        let all = self.entries.iter().copied();
        all.filter(|entry| !is_wanted(entry)).collect()
    }

    /// Everything that the configuration may hold.
    pub(crate) fn schema(&self) -> Schema {
        let keys = self.entries.iter().flat_map(|entry| entry.facts.keys);
        Schema::new(keys.chain(datasources::KEYS), modules::CLOUD_INIT_KEYS)
    }
}

/// A module's name as the table has it: `cc_set-hostname.py` is `set_hostname`.
pub(crate) fn module_name(name: &str) -> String {
    let name = name.trim().replace('-', "_");
    let name = name.strip_suffix(".py").unwrap_or(&name);
    name.strip_prefix("cc_").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_known_by_each_of_cloud_inits_spellings() {
        for name in [
            "set_hostname",
            "set-hostname",
            "cc_set_hostname",
            " cc_set-hostname.py",
        ] {
            assert_eq!(module_name(name), "set_hostname");
        }
    }

    #[test]
    fn a_module_is_meant_by_its_name_or_by_a_key_that_it_reads() {
        let table = [
            ("ntp", "ntp"),
            ("cc_ntp", "ntp"),
            ("cc_ntp.py", "ntp"),
            ("ca-certs", "ca_certs"),
            ("set-passwords", "set_passwords"),
            ("ubuntu_advantage", "ubuntu_pro"),
            ("apt", "apt_configure"),
            ("apt_mirror", "apt_configure"),
            ("chpasswd", "set_passwords"),
            ("disk_setup", "disk_setup"),
            ("fs_setup", "disk_setup"),
            ("device_aliases", "disk_setup mounts"),
        ];
        let catalogue = Catalogue::own();
        for (name, wanted) in table {
            let meant = catalogue.meant(name).unwrap();
            let names: Vec<&str> = meant.iter().map(|entry| entry.facts.name).collect();
            assert_eq!(names.join(" "), wanted, "{name}");
        }
        let error = catalogue.meant("nosuch").unwrap_err().to_string();
        assert!(error.starts_with("there is no module `nosuch`; the modules are part_handlers,"));
    }
}
