//! Groups, users and passwords that would be made.

use std::io;
use std::path::PathBuf;

use contract::effect::{
    BlockSpec, Content, FileSpec, Owner, Password, PasswordSpec, Text, UserSpec,
};
use contract::error::EffectError;
use contract::machine::{Account, Change, NotDone, Probe};
use contract::name::UserName;
use contract::secret::Secret;

use super::{DryRun, unreadable, would};
use crate::accounts;
use crate::block;
use crate::kit::Kit;
use crate::passwords;
use crate::tools;

impl DryRun<'_> {
    pub(super) fn make_group(&self, name: &UserName) -> io::Result<Change> {
        if self.group(name.as_str())?.is_some() {
            return Ok(Change::AlreadySo);
        }
        let argv = Kit::of(self).group(name);
        if let Some(why) = self.missing(&argv) {
            return Ok(Change::NotDone(why));
        }
        self.groups.borrow_mut().push(name.to_string());
        Ok(run(&argv))
    }

    pub(super) fn make_user(&self, spec: &UserSpec) -> io::Result<Change> {
        let name = spec.name.to_string();
        if self.user(&name)?.is_some() {
            return Ok(Change::AlreadySo);
        }
        let argv = Kit::of(self).user(spec, self.group(&name)?.is_some());
        if let Some(why) = self.missing(&argv) {
            return Ok(Change::NotDone(why));
        }
        let home = spec.homedir.clone();
        let home = home.unwrap_or_else(|| PathBuf::from("/home").join(&name));
        let account = Account {
            name: name.clone(),
            uid: spec.uid.unwrap_or(u32::MAX),
            gid: u32::MAX,
            home: home.display().to_string(),
            shell: String::new(),
        };
        self.users.borrow_mut().insert(name.clone(), account);
        self.groups.borrow_mut().push(name);
        Ok(run(&argv))
    }

    pub(super) fn member(&self, user: &UserName, group: &UserName) -> io::Result<Change> {
        if self.user(user.as_str())?.is_none() {
            return Ok(Change::NotDone(self.nobody()));
        }
        if accounts::is_member(self, user, group).map_err(cause)? {
            return Ok(Change::AlreadySo);
        }
        let argv = Kit::of(self).member(user, group);
        if let Some(why) = self.missing(&argv) {
            return Ok(Change::NotDone(why));
        }
        Ok(run(&argv))
    }

    pub(super) fn password(&self, spec: &PasswordSpec) -> io::Result<Change> {
        let name = spec.user.as_str();
        if self.user(name)?.is_none() {
            return Ok(Change::NotDone(self.nobody()));
        }
        if !self.host.privileged {
            return Ok(Change::NotDone(NotDone::NeedsRoot));
        }
        let is_new = self.users.borrow().contains_key(name);
        let now = if is_new {
            None
        } else {
            Some(passwords::shadow(self, name).map_err(cause)?)
        };
        let is_so = match &now {
            Some(now) => passwords::is_so(&spec.state, now),
            // Nobody gets in with the password of an account that was just made.
            None => spec.state == Password::Locked,
        };
        if is_so {
            return Ok(Change::AlreadySo);
        }
        if let Some(why) = passwords::why_not(self.host, &spec.state) {
            return Ok(Change::NotDone(why));
        }
        let tool = passwords::tool(self, spec, &now.unwrap_or_default());
        if let Some(why) = self.missing(&tool) {
            return Ok(Change::NotDone(why));
        }
        Ok(would(format!(
            "{} of {name} would be set",
            spec.state.name()
        )))
    }

    pub(super) fn block(&self, spec: &BlockSpec) -> io::Result<Change> {
        let old = self.read(&spec.at).or_else(unreadable)?;
        let Some(new) = block::joined(old.as_deref(), spec) else {
            return Ok(Change::AlreadySo);
        };
        let is_secret = matches!(&spec.text, Text::Settings { is_secret, .. } if *is_secret);
        self.file(&FileSpec {
            at: spec.at.clone().into(),
            content: match is_secret {
                true => Content::Secret(Secret::new(new)),
                false => Content::Plain(new),
            },
            mode: spec.mode,
            owner: Owner::Root,
        })
    }

    /// Why something that is about a user who is not there cannot be done: who is to be made by an
    /// effect is there by now, unless that was not possible.
    pub(super) fn nobody(&self) -> NotDone {
        self.missing(&[Kit::of(self).maker().to_owned()])
            .unwrap_or(NotDone::NeedsRoot)
    }

    fn missing(&self, argv: &[String]) -> Option<NotDone> {
        tools::missing(self.host, self, argv.first().map_or("", String::as_str))
    }
}

/// No argument of these tools is secret.
fn run(argv: &[String]) -> Change {
    would(format!("`{}` would be run", argv.join(" ")))
}

fn cause(error: EffectError) -> io::Error {
    match error {
        EffectError::Read { source, .. } => source,
        other => io::Error::other(other),
    }
}
