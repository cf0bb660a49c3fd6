//! Programs of the machine: where they are looked for, and how they are started below a root.

use std::path::{Path, PathBuf};
use std::process::Command;

use contract::machine::{FileKind, NotDone, Probe};

use crate::host::Host;

pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
pub(crate) const SHELL: &str = "/bin/sh";

/// A command on the machine: below another root than `/` by chroot(8).
pub(crate) fn inside(host: &Host, program: &str) -> Command {
    if host.is_live() {
        return Command::new(program);
    }
    let mut chroot = Command::new("chroot");
    chroot.arg(host.root()).arg(program);
    chroot
}

/// Why these programs cannot be run below another root than `/`.
pub(crate) fn elsewhere(host: &Host, probe: &dyn Probe, needed: &[String]) -> Option<NotDone> {
    let missing = || needed.iter().any(|program| !is_there(probe, program));
    (!host.is_live() && (!host.privileged || missing())).then_some(NotDone::NeedsLiveMachine)
}

/// Whether a program is where programs are looked for.
pub(crate) fn is_there(probe: &dyn Probe, program: &str) -> bool {
    let there = |path: &Path| probe.kind(path).is_ok_and(|kind| kind.is_some());
    if program.contains('/') {
        return there(Path::new(program));
    }
    PATH.split(':')
        .any(|dir| there(&PathBuf::from(dir).join(program)))
}

/// Whether the first program of that name is a link to another one.
pub(crate) fn is_link(probe: &dyn Probe, program: &str) -> bool {
    let mut kinds = PATH
        .split(':')
        .filter_map(|dir| probe.kind(&PathBuf::from(dir).join(program)).ok()?);
    kinds.next() == Some(FileKind::Link)
}
