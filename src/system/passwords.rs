//! Passwords, set by the system's own tools and told them on their standard input.
//! Source: cloud-init, `cloudinit/distros/__init__.py`.

use contract::effect::{Password, PasswordSpec};
use contract::error::EffectError;
use contract::machine::{Change, NotDone, Probe};
use contract::secret::Secret;

use crate::accounts;
use crate::files::lookup;
use crate::host::Host;
use crate::program;
use crate::tools;

const SHADOW: &str = "/etc/shadow";

/// The row of /etc/shadow (shadow(5)) that is about somebody.
#[derive(Debug, Default)]
pub(crate) struct Shadow {
    password: Secret<String>,
    last_change: String,
}

/// Brings a password about, unless it is so already.
pub(crate) fn apply(host: &Host, spec: &PasswordSpec) -> Result<Change, EffectError> {
    if lookup(host, spec.user.as_str())?.is_none() {
        return accounts::without(host, &spec.user);
    }
    if !host.privileged {
        return Ok(Change::NotDone(NotDone::NeedsRoot));
    }
    let now = shadow(host, spec.user.as_str())?;
    if is_so(&spec.state, &now) {
        return Ok(Change::AlreadySo);
    }
    tools::feed(host, &tool(host, spec, &now), &stdin(spec))
}

/// The tool for it, and its arguments.
pub(crate) fn tool(probe: &dyn Probe, spec: &PasswordSpec, now: &Shadow) -> Vec<String> {
    let user = spec.user.as_str();
    // Of passwd(1) every version has the short options, but not the long ones.
    let has_passwd = program::is_there(probe, "passwd");
    let argv: &[&str] = match spec.state {
        Password::Hash(_) => &["chpasswd", "-e"],
        Password::Plain(_) => &["chpasswd"],
        Password::Locked if has_passwd => &["passwd", "-l", user],
        Password::Locked => &["usermod", "--lock", user],
        Password::Unlocked if now.is_empty() && has_passwd => &["passwd", "-d", user],
        Password::Unlocked if now.is_empty() => &["usermod", "--password", "", user],
        Password::Unlocked if has_passwd => &["passwd", "-u", user],
        Password::Unlocked => &["usermod", "--unlock", user],
        Password::Expired => &["passwd", "--expire", user],
    };
    argv.iter().map(ToString::to_string).collect()
}

fn stdin(spec: &PasswordSpec) -> Secret<Vec<u8>> {
    match &spec.state {
        Password::Hash(text) | Password::Plain(text) => {
            Secret::new(format!("{}:{}\n", spec.user, text.expose()).into_bytes())
        }
        Password::Locked | Password::Unlocked | Password::Expired => Secret::default(),
    }
}

/// Whether a password is so already, as far as its hash tells.
pub(crate) fn is_so(state: &Password, now: &Shadow) -> bool {
    let password = now.password.expose();
    match state {
        Password::Hash(hash) => password == hash.expose(),
        Password::Plain(_) => false,
        Password::Locked => password.starts_with('!'),
        Password::Unlocked => !password.starts_with('!'),
        Password::Expired => now.last_change == "0",
    }
}

/// Somebody's row; an empty one if there is none.
pub(crate) fn shadow(probe: &dyn Probe, user: &str) -> Result<Shadow, EffectError> {
    let text = probe.read(SHADOW.as_ref());
    let text = text.map_err(|source| EffectError::Read {
        path: SHADOW.into(),
        source,
    })?;
    let text = text.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let row = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(user)).then(|| Shadow {
            password: Secret::new(fields.next().unwrap_or("").to_owned()),
            last_change: fields.next().unwrap_or("").to_owned(),
        })
    });
    Ok(row.unwrap_or_default())
}

impl Shadow {
    /// Whether there is no password behind the lock, if there is a lock.
    fn is_empty(&self) -> bool {
        self.password.expose().trim_start_matches('!').is_empty()
    }
}
