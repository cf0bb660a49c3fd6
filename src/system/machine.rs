//! Effects, performed.

use std::path::Path;

use contract::effect::{Effect, Program};
use contract::error::EffectError;
use contract::machine::{Change, Joined, Machine};

use crate::host::Host;
use crate::{
    accounts, authorized_keys, beside, block, commands, console, files, import_keys, items, labels,
    mirror, packages, passwords, post, power, running, syslog, written,
};

impl Machine for Host {
    fn apply(&self, effect: &Effect) -> Result<Change, EffectError> {
        beside::advance(self);
        if matches!(effect, Effect::Run(_) | Effect::Unit { .. }) {
            labels::restore(self);
        }
        let top = labels::top(self, effect);
        let change = self.perform(effect)?;
        if let (Some(top), Change::Made { .. } | Change::MadeInstead { .. }) = (top, &change) {
            labels::note(self, top);
        }
        Ok(change)
    }

    fn label(&self) {
        labels::restore(self);
    }

    fn join(&self) -> Vec<Joined> {
        beside::join(self)
    }

    fn ends_here(&self) -> bool {
        power::ends_here(self)
    }

    fn settle(&self) -> Result<(), EffectError> {
        self.sync().map_err(|source| EffectError::System {
            what: "write everything to disk",
            source,
        })
    }

    fn append(&self, path: &Path, bytes: &[u8], durable: bool) -> Result<(), EffectError> {
        files::append(self, path, bytes, durable).map_err(|source| EffectError::Write {
            path: path.to_owned(),
            source,
        })
    }
}

impl Host {
    fn perform(&self, effect: &Effect) -> Result<Change, EffectError> {
        match effect {
            Effect::File(spec) => files::file(self, spec),
            Effect::Write(spec) => written::apply(self, spec),
            Effect::Directory { at, mode, owner } => files::directory(self, at, *mode, owner),
            Effect::Link { at, to } => files::link(self, at, to),
            Effect::Absent { at } => files::absent(self, at),
            Effect::Hostname(name) => running::hostname(self, name),
            Effect::Group(name) => accounts::group(self, name),
            Effect::User(spec) => accounts::user(self, spec),
            Effect::Member { user, group } => accounts::member(self, user, group),
            Effect::Password(spec) => passwords::apply(self, spec),
            Effect::Block(spec) => block::apply(self, spec),
            Effect::AuthorizedKeys(spec) => authorized_keys::apply(self, spec),
            Effect::Mirror(spec) => mirror::apply(self, spec),
            Effect::Unit { verb, name } => running::unit(self, *verb, name),
            Effect::ImportKeys(spec) => import_keys::apply(self, spec),
            Effect::Syslog { text } => Ok(syslog::write(self, text)),
            Effect::Console { text } => Ok(console::write(self, text)),
            Effect::Message(words) => Ok(console::say(self, words)),
            Effect::Packages(spec) => packages::apply(self, spec),
            Effect::Post(spec) => post::apply(self, spec),
            Effect::Power(spec) => power::keep(self, spec),
            Effect::Tool(spec) => beside::apply(self, spec),
            Effect::Run(spec) => match &spec.program {
                Program::Items(script) => items::run(self, spec, script),
                _ => commands::run(self, spec),
            },
        }
    }
}
