//! Groups and users, made by the system's own tools.
//! Source: cloud-init, `cloudinit/distros/__init__.py`.

use contract::effect::UserSpec;
use contract::error::EffectError;
use contract::machine::{Change, NotDone, Probe};
use contract::name::UserName;

use crate::aging;
use crate::files::{lookup, no_such};
use crate::host::Host;
use crate::kit::Kit;
use crate::tools;

const GROUP: &str = "/etc/group";

/// Makes a group that is absent.
pub(crate) fn group(host: &Host, name: &UserName) -> Result<Change, EffectError> {
    if has_group(host, name.as_str())? {
        return Ok(Change::AlreadySo);
    }
    if !host.privileged {
        return Ok(Change::NotDone(NotDone::NeedsRoot));
    }
    tools::run(host, &Kit::of(host).group(name))
}

/// Makes a user who is absent.
pub(crate) fn user(host: &Host, spec: &UserSpec) -> Result<Change, EffectError> {
    if lookup(host, spec.name.as_str())?.is_some() {
        return Ok(Change::AlreadySo);
    }
    if !host.privileged {
        return Ok(Change::NotDone(NotDone::NeedsRoot));
    }
    let kit = Kit::of(host);
    let aging = match kit {
        Kit::Shadow => None,
        Kit::Busybox => Some(aging::of_new(spec)?),
    };
    let has_group = has_group(host, spec.name.as_str())?;
    let made = tools::run(host, &kit.user(spec, has_group))?;
    if let Some(aging) = aging.filter(|_| made.is_change()) {
        for group in &spec.groups {
            tools::run(host, &kit.member(&spec.name, group))?;
        }
        aging::set(host, spec.name.as_str(), &aging)?;
    }
    Ok(made)
}

/// Adds a user to a group.
pub(crate) fn member(
    host: &Host,
    user: &UserName,
    group: &UserName,
) -> Result<Change, EffectError> {
    if lookup(host, user.as_str())?.is_none() {
        return without(host, user);
    }
    if is_member(host, user, group)? {
        return Ok(Change::AlreadySo);
    }
    if !host.privileged {
        return Ok(Change::NotDone(NotDone::NeedsRoot));
    }
    tools::run(host, &Kit::of(host).member(user, group))
}

/// What becomes of something that is about a user who is not there: no fault where nobody could
/// have made one.
pub(crate) fn without(host: &Host, user: &UserName) -> Result<Change, EffectError> {
    match tools::missing(host, host, Kit::of(host).maker()) {
        Some(why) => Ok(Change::NotDone(why)),
        None => Err(no_such("user", user.as_str())),
    }
}

/// Whether a line of /etc/group (group(5)) lists the user.
pub(crate) fn is_member(
    probe: &dyn Probe,
    user: &UserName,
    group: &UserName,
) -> Result<bool, EffectError> {
    let text = probe.read(GROUP.as_ref()).map_err(unreadable)?;
    let text = text.unwrap_or_default();
    Ok(String::from_utf8_lossy(&text).lines().any(|line| {
        let mut fields = line.split(':');
        fields.next() == Some(group.as_str())
            && fields
                .nth(2)
                .is_some_and(|members| members.split(',').any(|member| member == user.as_str()))
    }))
}

fn has_group(host: &Host, name: &str) -> Result<bool, EffectError> {
    Ok(host.group(name).map_err(unreadable)?.is_some())
}

fn unreadable(source: std::io::Error) -> EffectError {
    EffectError::Read {
        path: GROUP.into(),
        source,
    }
}
