//! Groups and users, made by the system's own tools.
//! Source: cloud-init, `cloudinit/distros/__init__.py`.

use contract::effect::{GroupSpec, UserSpec};
use contract::error::EffectError;
use contract::machine::{Change, NotDone, Probe};

use crate::files::lookup;
use crate::host::Host;
use crate::tools::{self, Ran};

/// Makes a group that is absent.
pub(crate) fn group(host: &Host, spec: &GroupSpec) -> Result<Change, EffectError> {
    if has_group(host, spec.name.as_str())? {
        return Ok(Change::AlreadySo);
    }
    if !host.privileged {
        return Ok(Change::NotDone(NotDone::NeedsRoot));
    }
    let mut argv = vec!["groupadd"];
    if spec.system {
        argv.push("--system");
    }
    argv.push(spec.name.as_str());
    Ok(change(tools::run(host, &argv)?))
}

/// Makes a user who is absent, and locks the password.
pub(crate) fn user(host: &Host, spec: &UserSpec) -> Result<Change, EffectError> {
    if lookup(host, spec.name.as_str())?.is_some() {
        return Ok(Change::AlreadySo);
    }
    if !host.privileged {
        return Ok(Change::NotDone(NotDone::NeedsRoot));
    }
    let own_group = has_group(host, spec.name.as_str())?;
    let argv = useradd(spec, own_group);
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let ran = tools::run(host, &argv)?;
    if spec.lock_passwd && matches!(ran, Ran::Done) {
        tools::run(host, &["passwd", "-l", spec.name.as_str()])?;
    }
    Ok(change(ran))
}

fn useradd(spec: &UserSpec, own_group: bool) -> Vec<String> {
    let mut argv = vec!["useradd".to_owned()];
    let mut option = |name: &str, value: String| argv.extend([name.to_owned(), value]);
    if let Some(gecos) = &spec.gecos {
        option("--comment", gecos.clone());
    }
    if let Some(home) = &spec.homedir {
        option("--home-dir", home.display().to_string());
    }
    // useradd(8) fails when a group of the user's name is there and none is given.
    let named = own_group.then_some(&spec.name);
    if let Some(group) = spec.primary_group.as_ref().or(named) {
        option("--gid", group.to_string());
    }
    if !spec.groups.is_empty() {
        let groups: Vec<&str> = spec
            .groups
            .iter()
            .map(contract::name::UserName::as_str)
            .collect();
        option("--groups", groups.join(","));
    }
    if let Some(shell) = &spec.shell {
        option("--shell", shell.display().to_string());
    }
    if let Some(uid) = spec.uid {
        option("--uid", uid.to_string());
    }
    if spec.system {
        argv.push("--system".to_owned());
    }
    let home = if spec.create_home && !spec.system {
        "--create-home"
    } else {
        "--no-create-home"
    };
    argv.extend([home.to_owned(), spec.name.to_string()]);
    argv
}

fn has_group(host: &Host, name: &str) -> Result<bool, EffectError> {
    let found = host.group(name).map_err(|source| EffectError::Read {
        path: "/etc/group".into(),
        source,
    })?;
    Ok(found.is_some())
}

fn change(ran: Ran) -> Change {
    match ran {
        Ran::Done => Change::MADE,
        Ran::NotDone(why) => Change::NotDone(why),
    }
}
