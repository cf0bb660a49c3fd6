//! Accounts, made by the system's own tools, and the keys that open them.

use std::path::{Path, PathBuf};

use contract::effect::{AuthorizedKeysSpec, GroupSpec, Mode, UserSpec};
use contract::error::EffectError;
use contract::machine::{Account, Change, FileKind, NotDone, Probe};
use contract::name::key_body;

use crate::commands;
use crate::files;
use crate::host::Host;

/// Why accounts cannot be made here, if they cannot.
pub(crate) fn cannot_make(host: &Host, program: &str) -> Option<NotDone> {
    if !host.is_root() {
        return Some(NotDone::NeedsRoot);
    }
    let there = commands::find(host, program).is_some();
    (!host.is_live() && !there).then_some(NotDone::NeedsLiveMachine)
}

/// Ensures a group.
pub(crate) fn ensure_group(host: &Host, group: &GroupSpec) -> Result<Change, EffectError> {
    let name = group.name.as_str();
    if host.group(name).map_err(reading("/etc/group"))?.is_some() {
        return Ok(Change::AlreadySo);
    }
    if let Some(why) = cannot_make(host, "groupadd") {
        return Ok(Change::NotDone(why));
    }
    let mut argv = vec!["groupadd"];
    if group.system {
        argv.push("--system");
    }
    argv.push(name);
    commands::tool(host, &argv)?;
    Ok(Change::MADE)
}

/// Ensures a user; one that is there stays as it is.
pub(crate) fn ensure_user(host: &Host, user: &UserSpec) -> Result<Change, EffectError> {
    let name = user.name.as_str();
    if host.user(name).map_err(reading("/etc/passwd"))?.is_some() {
        return Ok(Change::AlreadySo);
    }
    if let Some(why) = cannot_make(host, "useradd") {
        return Ok(Change::NotDone(why));
    }
    let argv = useradd(user);
    commands::tool(host, &argv.iter().map(String::as_str).collect::<Vec<_>>())?;
    if user.lock_passwd {
        commands::tool(host, &["passwd", "-l", name])?;
    }
    Ok(Change::MADE)
}

/// Source of the choice of options: useradd(8), and cloud-init, `cloudinit/distros/__init__.py`.
fn useradd(user: &UserSpec) -> Vec<String> {
    let mut argv = vec![String::from("useradd")];
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            argv.extend([name.to_owned(), value]);
        }
    };
    let path = |path: &PathBuf| path.display().to_string();
    option("--comment", user.gecos.clone());
    option("--home-dir", user.homedir.as_ref().map(path));
    option(
        "--gid",
        user.primary_group.as_ref().map(ToString::to_string),
    );
    let groups: Vec<&str> = user.groups.iter().map(contract::name::UserName::as_str).collect();
    option("--groups", (!groups.is_empty()).then(|| groups.join(",")));
    option("--shell", user.shell.as_ref().map(path));
    option("--uid", user.uid.map(|uid| uid.to_string()));
    if user.system {
        argv.push("--system".into());
    }
    argv.push(
        if user.create_home && !user.system {
            "--create-home"
        } else {
            "--no-create-home"
        }
        .into(),
    );
    argv.push(user.name.to_string());
    argv
}

/// Ensures that a user's authorized_keys holds the keys, beside those that are in it.
pub(crate) fn ensure_keys(host: &Host, spec: &AuthorizedKeysSpec) -> Result<Change, EffectError> {
    let name = spec.user.as_str();
    let Some(account) = host.user(name).map_err(reading("/etc/passwd"))? else {
        return match cannot_make(host, "useradd") {
            Some(why) => Ok(Change::NotDone(why)),
            None => Err(EffectError::NoSuchAccount {
                kind: "user",
                name: name.to_owned(),
            }),
        };
    };
    let directory = Path::new(&account.home).join(".ssh");
    let file = directory.join("authorized_keys");
    refuse_links(host, &directory)?;
    refuse_links(host, &file)?;
    let old = host.read(&file).map_err(|source| EffectError::Read {
        path: file.clone(),
        source,
    })?;
    let text = merge(&old.unwrap_or_default(), spec);
    let ids = owner(host, &account);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| EffectError::Write { path, source }
    };
    let root = host.paths();
    let mut made = false;
    if root.stat(Path::new(&account.home)).ok().flatten().is_none() {
        let home = Path::new(&account.home);
        files::ensure_directory(root, home, Mode::new(0o755), ids).map_err(failed(home))?;
    }
    made |= files::ensure_directory(root, &directory, Mode::PRIVATE_EXEC, ids)
        .map_err(failed(&directory))?
        .is_change();
    made |= files::ensure_file(root, &file, text.as_bytes(), Mode::PRIVATE, ids)
        .map_err(failed(&file))?
        .is_change();
    host.touched(&directory);
    Ok(if made {
        Change::MADE
    } else {
        Change::AlreadySo
    })
}

/// The file with the keys in it: a key that is there keeps its place and gets the new line, the
/// others follow; lines of other keys stay as they are.
pub(crate) fn merge(old: &[u8], spec: &AuthorizedKeysSpec) -> String {
    let old = String::from_utf8_lossy(old);
    let mut lines: Vec<String> = old.lines().map(str::to_owned).collect();
    for key in &spec.keys {
        let line = match &spec.options {
            Some(options) => format!("{options} {}", key.without_options()),
            None => key.to_string(),
        };
        match lines
            .iter_mut()
            .find(|known| key_body(known) == Some(key.body()))
        {
            Some(known) => *known = line,
            None => lines.push(line),
        }
    }
    let mut text = lines.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// A link that a user could have laid would lead root's pen anywhere.
fn refuse_links(host: &Host, path: &Path) -> Result<(), EffectError> {
    let kind = host.kind(path).map_err(|source| EffectError::Read {
        path: path.to_owned(),
        source,
    })?;
    if kind == Some(FileKind::Link) {
        return Err(EffectError::Refused {
            path: path.to_owned(),
            reason: "it is a symbolic link, which its owner could point anywhere; make it a plain file or directory".into(),
        });
    }
    Ok(())
}

fn owner(host: &Host, account: &Account) -> Option<files::Ids> {
    host.is_root().then_some((account.uid, account.gid))
}

fn reading(path: &'static str) -> impl Fn(std::io::Error) -> EffectError {
    move |source| EffectError::Read {
        path: path.into(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_merged_and_nobody_elses_line_is_lost() {
        let body = "AAAAC3NzaC1lZDI1NTE5AAAAIGvG";
        let spec = AuthorizedKeysSpec {
            user: "web".parse().unwrap(),
            keys: vec![format!("ssh-ed25519 {body} new").parse().unwrap()],
            options: None,
        };
        let mine = format!("ssh-ed25519 {body} new\n");
        #[rustfmt::skip]
        let table = [
            (String::new(),                                    mine.clone()),
            ("# a note\n".into(),                              format!("# a note\n{mine}")),
            ("ssh-rsa AAAAB3NzaC1yc2EAAAAD other".into(),      format!("ssh-rsa AAAAB3NzaC1yc2EAAAAD other\n{mine}")),
            (format!("no-pty ssh-ed25519 {body} old\n"),       mine.clone()),
        ];
        for (old, new) in table {
            assert_eq!(merge(old.as_bytes(), &spec), new, "{old:?}");
        }
    }
}
