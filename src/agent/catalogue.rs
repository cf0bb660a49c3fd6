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
