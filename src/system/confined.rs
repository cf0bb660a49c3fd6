//! A process that may look and do nothing else: `nobody`, without privileges to be had, on file systems
//! that are read-only for it, and without a network.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;

use contract::machine::Probe;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_no_new_privs;

use crate::host::Host;

/// The user id and group id of nobody where no `nobody` is in /etc/passwd: what Linux shows of ids that
/// it cannot map (user_namespaces(7)).
const NOBODY: (u32, u32) = (65_534, 65_534);
const NONE: Option<&Path> = None;

/// A program on the machine, run as nobody; below another root than `/` by chroot(8).
pub(crate) fn command(host: &Host, program: &Path) -> io::Result<Command> {
    let nobody = host.user("nobody")?;
    let (uid, gid) = nobody.map_or(NOBODY, |found| (found.uid, found.gid));
    if host.is_live() {
        let mut command = Command::new(program);
        // Supplementary groups are dropped with it.
        command.uid(uid).gid(gid);
        return Ok(command);
    }
    let mut chroot = Command::new("chroot");
    chroot.arg(format!("--userspec={uid}:{gid}"));
    chroot.arg("--groups=").arg(host.root()).arg(program);
    Ok(chroot)
}

/// Starts it from a thread of its own: what a thread gives up, its children never have, and the other
/// threads keep.
pub(crate) fn spawn(host: &Host, command: &mut Command) -> io::Result<Child> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("confined".to_owned());
        let started = thread.spawn_scoped(scope, || {
            set_no_new_privs()?;
            enclose(&host.root().join("dev/tty"))?;
            command.spawn()
        })?;
        let panicked = |_| Err(io::Error::other("the thread that starts it panicked"));
        started.join().unwrap_or_else(panicked)
    })
}

/// Gives up the network and all writing, and the terminal of whoever asks for a plan, which is everybody's to
/// open by this name. In a container that may not have namespaces of its own, and where the root is no mount,
/// what keeps the program is that it is nobody.
fn enclose(terminal: &Path) -> io::Result<()> {
    let spaces = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC;
    match unshare(spaces) {
        Err(Errno::EPERM | Errno::ENOSYS | Errno::EINVAL | Errno::ENOSPC) => return Ok(()),
        other => other?,
    }
    // Where that can be had, nothing that it began outlasts it (pid_namespaces(7)).
    let _ = unshare(CloneFlags::CLONE_NEWPID);
    match mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE) {
        Err(Errno::EINVAL) => return Ok(()),
        other => other?,
    }
    let nothing = Some(Path::new("/dev/null"));
    match mount(nothing, terminal, NONE, MsFlags::MS_BIND, NONE) {
        Err(error) if is_out_of_reach(error) => {}
        other => other?,
    }
    let table = std::fs::read_to_string("/proc/thread-self/mountinfo")?;
    for line in table.lines() {
        let Some((at, flags)) = mounted(line) else {
            continue;
        };
        let flags = flags | MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        match mount(NONE, at.as_str(), NONE, flags, NONE) {
            Err(error) if is_out_of_reach(error) => {}
            other => other?,
        }
    }
    Ok(())
}

/// Whether nobody gets to what is mounted there, so that it may stay as it is: another one is mounted over it,
/// or above it, or who serves it is gone.
const fn is_out_of_reach(error: Errno) -> bool {
    matches!(
        error,
        Errno::EINVAL
            | Errno::ENOENT
            | Errno::ENOTDIR
            | Errno::EACCES
            | Errno::ENOTCONN
            | Errno::ESTALE
            | Errno::EIO
    )
}

/// Where a line of the table says that something is mounted, and the flags that it keeps; `None` if it may
/// not be looked at, as that would mount something.
///
/// Source: proc_pid_mountinfo(5).
fn mounted(line: &str) -> Option<(String, MsFlags)> {
    let mut fields = line.split(' ');
    let at = fields.nth(4)?;
    let options = fields.next()?;
    let kind = line.split(" - ").nth(1)?.split(' ').next()?;
    if kind == "autofs" {
        return None;
    }
    let mut flags = MsFlags::empty();
    for option in options.split(',') {
        flags |= match option {
            "nosuid" => MsFlags::MS_NOSUID,
            "nodev" => MsFlags::MS_NODEV,
            "noexec" => MsFlags::MS_NOEXEC,
            "noatime" => MsFlags::MS_NOATIME,
            "nodiratime" => MsFlags::MS_NODIRATIME,
            "relatime" => MsFlags::MS_RELATIME,
            _ => MsFlags::empty(),
        };
    }
    let escapes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    let at = escapes
        .iter()
        .fold(at.to_owned(), |at, (code, text)| at.replace(code, text));
    Some((at, flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_keeps_its_flags_and_one_that_would_be_mounted_stays_alone() {
        #[rustfmt::skip]
        let table = [
            ("36 35 98:0 / /mnt\\0402 rw,nosuid,relatime master:1 - ext4 /dev/root rw,errors=continue",
             Some(("/mnt 2", MsFlags::MS_NOSUID | MsFlags::MS_RELATIME))),
            ("25 1 0:20 / / ro - overlay overlay rw", Some(("/", MsFlags::empty()))),
            ("29 1 0:24 / /efi rw - autofs systemd-1 rw", None),
            ("nonsense", None),
        ];
        for (line, wanted) in table {
            let wanted = wanted.map(|(at, flags)| (at.to_owned(), flags));
            assert_eq!(mounted(line), wanted, "{line}");
        }
    }

    #[test]
    fn a_mount_whose_server_is_gone_stops_nothing_and_one_that_may_not_be_changed_does() {
        let gone = [Errno::ENOTCONN, Errno::ESTALE, Errno::EIO];
        assert!(gone.into_iter().all(is_out_of_reach));
        assert!(!is_out_of_reach(Errno::EPERM));
    }
}
