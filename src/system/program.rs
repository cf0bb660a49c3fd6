//! Programs of the machine: where they are looked for, and how they are started below a root.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use contract::machine::{FileKind, NotDone, Probe};

use crate::host::Host;

pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
pub(crate) const SHELL: &str = "/bin/sh";

/// A command on the machine: below another root than `/` by chroot(8).
pub(crate) fn inside(host: &Host, program: &str) -> Command {
    if host.is_live() {
        return named(program);
    }
    let mut chroot = named("chroot");
    chroot.arg(host.root()).arg(program);
    chroot
}

/// A program of this machine, by its path, so that it is spawned (posix_spawn(3)). With a bare name and
/// a `PATH` of the child's own the standard library forks, which copies all that this process has mapped.
fn named(program: &str) -> Command {
    let is_program = |path: &PathBuf| {
        let found = std::fs::metadata(path);
        found.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    let found =
        (!program.contains('/')).then(|| dirs().map(|dir| dir.join(program)).find(is_program));
    let Some(path) = found.flatten() else {
        return Command::new(program);
    };
    let mut command = Command::new(path);
    command.arg0(program);
    command
}

/// Why these programs cannot be run below another root than `/`.
pub(crate) fn elsewhere(host: &Host, probe: &dyn Probe, needed: &[String]) -> Option<NotDone> {
    let missing = || needed.iter().any(|program| !is_there(probe, program));
    (!host.is_live() && (!host.privileged || missing())).then_some(NotDone::NeedsLiveMachine)
}

/// Whether a program is where programs are looked for.
pub(crate) fn is_there(probe: &dyn Probe, program: &str) -> bool {
    found(probe, program).is_some()
}

/// Whether it is a link to another one.
pub(crate) fn is_link(probe: &dyn Probe, program: &str) -> bool {
    found(probe, program) == Some(FileKind::Link)
}

fn found(probe: &dyn Probe, program: &str) -> Option<FileKind> {
    let kind = |path: &Path| probe.kind(path).ok().flatten();
    if program.contains('/') {
        return kind(Path::new(program));
    }
    dirs().find_map(|dir| kind(&dir.join(program)))
}

fn dirs() -> impl Iterator<Item = PathBuf> {
    PATH.split(':').map(PathBuf::from)
}
