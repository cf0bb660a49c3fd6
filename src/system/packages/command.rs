//! What each package manager is called with: the differences between distributions, as a table.
//!
//! Source: cloud-init, `package_command` of `cloudinit/distros/{rhel,opensuse,alpine,arch}.py` and
//! `cloudinit/distros/package_management/apt.py`.

use std::path::Path;

use contract::effect::{Package, PackageManager};
use contract::machine::Probe;

use crate::program;

/// The program itself, as this machine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tool {
    Apt { argv: Vec<String>, upgrade: String },
    Dnf,
    Yum,
    Zypper,
    Transactional,
    Apk,
    Pacman,
    Snap,
}

/// What it shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job<'a> {
    Update,
    Upgrade,
    Install(&'a [&'a Package]),
}

/// The tool of a manager on this machine.
pub(crate) fn tool(manager: &PackageManager, probe: &dyn Probe) -> Tool {
    match manager {
        PackageManager::Apt(apt) => Tool::Apt {
            argv: apt.argv.clone(),
            upgrade: apt.upgrade.clone(),
        },
        PackageManager::Dnf if program::is_there(probe, "dnf") => Tool::Dnf,
        PackageManager::Dnf => Tool::Yum,
        PackageManager::Zypper if is_transactional(probe) => Tool::Transactional,
        PackageManager::Zypper => Tool::Zypper,
        PackageManager::Apk => Tool::Apk,
        PackageManager::Pacman => Tool::Pacman,
        PackageManager::Snap => Tool::Snap,
    }
}

/// The command for a job.
pub(crate) fn argv(tool: &Tool, job: Job<'_>) -> Vec<String> {
    let (before, after): (&[&str], &[&str]) = match (tool, job) {
        (Tool::Apt { .. }, Job::Update) => (&[], &["update"]),
        (Tool::Apt { upgrade, .. }, Job::Upgrade) => (&[], &[upgrade]),
        (Tool::Apt { .. }, Job::Install(_)) => (&[], &["install"]),
        (Tool::Dnf, Job::Update) => (&["dnf", "-y"], &["makecache"]),
        (Tool::Dnf, Job::Upgrade) => (&["dnf", "-y"], &["upgrade"]),
        (Tool::Dnf, Job::Install(_)) => (&["dnf", "-y"], &["install"]),
        // With -t an installed package among others is no error.
        (Tool::Yum, Job::Update) => (&["yum", "-t", "-y"], &["makecache"]),
        (Tool::Yum, Job::Upgrade) => (&["yum", "-t", "-y"], &["upgrade"]),
        (Tool::Yum, Job::Install(_)) => (&["yum", "-t", "-y"], &["install"]),
        (Tool::Zypper | Tool::Transactional, Job::Update) => {
            (&["zypper", "--non-interactive"], &["refresh"])
        }
        (Tool::Zypper, Job::Upgrade) => (&["zypper", "--non-interactive"], &["update"]),
        (Tool::Zypper, Job::Install(_)) => (
            &["zypper", "--non-interactive"],
            &["install", "--auto-agree-with-licenses"],
        ),
        (Tool::Transactional, Job::Upgrade) => (TRANSACTION, &["up"]),
        (Tool::Transactional, Job::Install(_)) => (
            TRANSACTION,
            &["pkg", "install", "--auto-agree-with-licenses"],
        ),
        (Tool::Apk, Job::Update) => (&["apk", "--quiet"], &["update"]),
        (Tool::Apk, Job::Upgrade) => (
            &["apk", "--quiet"],
            &["upgrade", "--update-cache", "--available"],
        ),
        (Tool::Apk, Job::Install(_)) => (&["apk", "--quiet"], &["add"]),
        (Tool::Pacman, Job::Update) => (PACMAN, &["-y"]),
        (Tool::Pacman, Job::Upgrade) => (PACMAN, &["-u"]),
        (Tool::Pacman, Job::Install(_)) => (PACMAN, &[]),
        (Tool::Snap, Job::Install(_)) => (&["snap"], &["install"]),
        (Tool::Snap, Job::Update | Job::Upgrade) => (&["snap"], &["refresh"]),
    };
    let mut argv = match tool {
        Tool::Apt { argv, .. } => argv.clone(),
        _ => Vec::new(),
    };
    argv.extend(before.iter().chain(after).map(ToString::to_string));
    if let Job::Install(packages) = job {
        argv.extend(packages.iter().flat_map(|package| words(tool, package)));
    }
    argv
}

const TRANSACTION: &[&str] = &[
    "transactional-update",
    "--non-interactive",
    "--drop-if-no-change",
];
const PACMAN: &[&str] = &["pacman", "-Sy", "--quiet", "--noconfirm"];

fn words(tool: &Tool, package: &Package) -> Vec<String> {
    let name = package.name.clone();
    match (&package.version, tool) {
        (None, _) => vec![name],
        (Some(version), Tool::Snap) => vec![name, version.clone()],
        (Some(version), Tool::Apt { .. }) => vec![format!("{name}={version}")],
        (Some(version), _) => vec![format!("{name}-{version}")],
    }
}

/// Source: cloud-init, `cloudinit/distros/opensuse.py` (`_set_update_method`).
fn is_transactional(probe: &dyn Probe) -> bool {
    let mounts = probe.read(Path::new("/proc/mounts")).ok().flatten();
    let mounts = String::from_utf8_lossy(&mounts.unwrap_or_default()).into_owned();
    let mut roots = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        (fields.nth(1) == Some("/")).then(|| fields.next())?
    });
    // What was mounted there last is what is seen.
    roots.next_back() == Some("btrfs") && program::is_there(probe, "/usr/sbin/transactional-update")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "for tests only")]
mod tests {
    use contract::effect::AptCommand;
    use contract::testing::FakeMachine;

    use super::*;

    /// Paths with what is in them.
    type Files<'a> = &'a [(&'a str, &'a str)];

    #[test]
    fn each_distribution_is_told_in_its_own_words() {
        let apt = PackageManager::Apt(AptCommand {
            argv: vec!["apt-get".into(), "--quiet".into()],
            upgrade: "dist-upgrade".into(),
        });
        let btrfs = [
            ("/proc/mounts", "/dev/xvda2 / btrfs ro 0 0\n"),
            ("/usr/sbin/transactional-update", ""),
        ];
        let ext4 = [
            ("/proc/mounts", "/dev/xvda2 / ext4 rw 0 0\n"),
            ("/usr/sbin/transactional-update", ""),
        ];
        let dnf = [("/usr/bin/dnf", "")];
        #[rustfmt::skip]
        let table: [(&PackageManager, Files<'_>, [&str; 3]); 8] = [
            (&apt, &[], ["apt-get --quiet update", "apt-get --quiet dist-upgrade", "apt-get --quiet install a b=1"]),
            (&PackageManager::Dnf, &dnf, ["dnf -y makecache", "dnf -y upgrade", "dnf -y install a b-1"]),
            (&PackageManager::Dnf, &[], ["yum -t -y makecache", "yum -t -y upgrade", "yum -t -y install a b-1"]),
            (&PackageManager::Zypper, &ext4, ["zypper --non-interactive refresh", "zypper --non-interactive update", "zypper --non-interactive install --auto-agree-with-licenses a b-1"]),
            (&PackageManager::Zypper, &btrfs, ["zypper --non-interactive refresh", "transactional-update --non-interactive --drop-if-no-change up", "transactional-update --non-interactive --drop-if-no-change pkg install --auto-agree-with-licenses a b-1"]),
            (&PackageManager::Apk, &[], ["apk --quiet update", "apk --quiet upgrade --update-cache --available", "apk --quiet add a b-1"]),
            (&PackageManager::Pacman, &[], ["pacman -Sy --quiet --noconfirm -y", "pacman -Sy --quiet --noconfirm -u", "pacman -Sy --quiet --noconfirm a b-1"]),
            (&PackageManager::Snap, &[], ["snap refresh", "snap refresh", "snap install a b 1"]),
        ];
        let package = |name: &str, version: Option<&str>| Package {
            name: name.into(),
            version: version.map(ToOwned::to_owned),
        };
        let (a, b) = (package("a", None), package("b", Some("1")));
        for (manager, files, wanted) in table {
            let tool = tool(manager, &FakeMachine::with(files));
            let jobs = [Job::Update, Job::Upgrade, Job::Install(&[&a, &b])];
            let found = jobs.map(|job| argv(&tool, job).join(" "));
            assert_eq!(found, wanted);
        }
    }
}
