//! Passwords, set by the system's own tools and told them on their standard input.
//! Source: cloud-init, `cloudinit/distros/__init__.py`.

use std::io;

use contract::effect::{Password, PasswordSpec};
use contract::error::EffectError;
use contract::machine::{Change, NotDone, Probe};
use contract::secret::Secret;

use crate::accounts;
use crate::aging;
use crate::console;
use crate::files::lookup;
use crate::host::Host;
use crate::kit::Kit;
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
    match spec.state {
        Password::Random => return random(host, spec),
        Password::Expired if Kit::of(host) == Kit::Busybox => {
            return aging::set(host, spec.user.as_str(), &aging::expired());
        }
        _ => {}
    }
    tools::feed(host, &tool(host, spec, &now), &stdin(spec))
}

/// Why one cannot be set here that is shown on the console; `None` if it can.
pub(crate) fn why_not(host: &Host, state: &Password) -> Option<NotDone> {
    (*state == Password::Random)
        .then(|| console::why_not(host))
        .flatten()
}

/// A password that nobody could read would shut its user out, so the console comes first.
fn random(host: &Host, spec: &PasswordSpec) -> Result<Change, EffectError> {
    if let Some(why) = why_not(host, &spec.state) {
        return Ok(Change::NotDone(why));
    }
    let failed = |source: io::Error| EffectError::Write {
        path: console::CONSOLE.into(),
        source,
    };
    let console = console::open().map_err(failed)?;
    let text = random_text().map_err(failed)?;
    let line = text.clone().map(|text| format!("{}:{text}\n", spec.user));
    let bytes = line.clone().map(String::into_bytes);
    let change = tools::feed(host, &["chpasswd"], &bytes)?;
    if change.is_change() {
        let text =
            line.map(|line| format!("\nThe random password of a user, as NAME:PASSWORD\n{line}\n"));
        console::show(&console, &text).map_err(failed)?;
    }
    Ok(change)
}

/// Twenty characters, each of any kind that is on a keyboard, and of every kind at least one.
/// Source: cloud-init, `cloudinit/config/cc_set_passwords.py` (`rand_user_password`).
fn random_text() -> io::Result<Secret<String>> {
    const LENGTH: usize = 20;
    let kinds: [fn(&u8) -> bool; 4] = [
        u8::is_ascii_digit,
        u8::is_ascii_lowercase,
        u8::is_ascii_uppercase,
        u8::is_ascii_punctuation,
    ];
    loop {
        let mut text: Vec<u8> = Vec::with_capacity(LENGTH);
        while text.len() < LENGTH {
            let mut bytes = [0; 64];
            getrandom::getrandom(&mut bytes)
                .map_err(|error| io::Error::other(error.to_string()))?;
            // Bytes that are none are left out, so every character is as likely as any other.
            let fit = bytes.iter().map(|byte| byte & 0x7f);
            text.extend(fit.filter(u8::is_ascii_graphic).take(LENGTH - text.len()));
        }
        if kinds.iter().all(|kind| text.iter().any(kind)) {
            return Ok(Secret::new(text.into_iter().map(char::from).collect()));
        }
    }
}

/// The tool for it, and its arguments.
pub(crate) fn tool(probe: &dyn Probe, spec: &PasswordSpec, now: &Shadow) -> Vec<String> {
    let user = spec.user.as_str();
    // Of passwd(1) every version has the short options, but not the long ones.
    let has_passwd = program::is_there(probe, "passwd");
    let argv: &[&str] = match spec.state {
        Password::Hash(_) => &["chpasswd", "-e"],
        Password::Plain(_) | Password::Random => &["chpasswd"],
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
        _ => Secret::default(),
    }
}

/// Whether a password is so already, as far as its hash tells.
pub(crate) fn is_so(state: &Password, now: &Shadow) -> bool {
    let password = now.password.expose();
    match state {
        Password::Hash(hash) => password == hash.expose(),
        Password::Plain(_) | Password::Random => false,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_password_is_another_each_time_and_has_every_kind_of_character() {
        let mut seen = Vec::new();
        for _ in 0..200 {
            let text = random_text().unwrap().into_inner();
            assert_eq!(text.len(), 20);
            for kind in [
                u8::is_ascii_digit,
                u8::is_ascii_lowercase,
                u8::is_ascii_uppercase,
                u8::is_ascii_punctuation,
            ] {
                assert!(text.bytes().any(|byte| kind(&byte)), "{text}");
            }
            assert!(!seen.contains(&text), "{text}");
            seen.push(text);
        }
    }
}
