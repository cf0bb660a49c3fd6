//! What only a running machine has: a host name in the kernel, and systemd.

use std::io;
use std::path::Path;

use contract::effect::{ToolSpec, UnitVerb};
use contract::error::EffectError;
use contract::machine::{Change, NotDone, Probe};
use contract::name::Hostname;

use crate::host::Host;
use crate::{commands, tools};

/// The running kernel's host name.
pub(crate) fn hostname(host: &Host, name: &Hostname) -> Result<Change, EffectError> {
    if !host.is_live() {
        return Ok(Change::NotDone(NotDone::NeedsLiveMachine));
    }
    let failed = |errno: nix::Error| EffectError::System {
        what: "set the host name",
        source: io::Error::from(errno),
    };
    if nix::unistd::gethostname().map_err(failed)? == name.as_str() {
        return Ok(Change::AlreadySo);
    }
    if !host.privileged {
        return Ok(Change::NotDone(NotDone::NeedsRoot));
    }
    nix::unistd::sethostname(name.as_str()).map_err(failed)?;
    Ok(Change::MADE)
}

/// A job for systemd, which is not waited for: before the boot is done that could wait for us.
pub(crate) fn unit(host: &Host, verb: UnitVerb, name: &str) -> Result<Change, EffectError> {
    if !is_booted(host) {
        return Ok(Change::NotDone(NotDone::NeedsLiveMachine));
    }
    if !host.privileged {
        return Ok(Change::NotDone(NotDone::NeedsRoot));
    }
    let argv = ["systemctl", "--no-block", verb.as_str(), "--", name];
    tools::run(host, &argv)
}

/// Whether one of these units failed, as far as systemd can be asked.
#[must_use]
pub fn any_failed(host: &Host, units: &[&str]) -> bool {
    let argv: Vec<String> = ["systemctl", "is-failed", "--quiet", "--"]
        .iter()
        .chain(units)
        .map(|word| (*word).to_owned())
        .collect();
    // Anything but a clear yes counts as a no: the boot may go on.
    is_booted(host) && commands::takes(host, &argv, &[], ToolSpec::TIMEOUT).unwrap_or(false)
}

/// Whether systemd is the one that runs this machine (sd_booted(3)).
pub(crate) fn is_booted(host: &Host) -> bool {
    let is_there = |path: &str| host.kind(Path::new(path)).is_ok_and(|kind| kind.is_some());
    host.is_live() && is_there("/run/systemd/system")
}
