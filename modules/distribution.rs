//! Which distribution the image is, by os-release(5).

use std::path::{Path, PathBuf};

use contract::machine::Probe;
use contract::module::Context;

use crate::files;

/// Distributions that are told the same things in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Debian, Ubuntu and what is made of them.
    Debian,
    /// Red Hat Enterprise Linux, Fedora, Amazon Linux and what is made of them.
    RedHat,
    /// SUSE and openSUSE.
    Suse,
    /// Alpine Linux.
    Alpine,
    /// Arch Linux.
    Arch,
    /// Nothing that is known here.
    Other,
}

/// The families by the ids of their members. Source: cloud-init, `cloudinit/distros/__init__.py`
/// (`OSFAMILIES`); os-release(5).
const FAMILIES: &[(Family, &[&str])] = &[
    (Family::Debian, &["debian", "ubuntu", "raspbian"]),
    (
        Family::RedHat,
        &[
            "rhel",
            "amzn",
            "fedora",
            "centos",
            "rocky",
            "almalinux",
            "ol",
            "eurolinux",
            "cloudlinux",
            "miraclelinux",
            "openEuler",
            "virtuozzo",
        ],
    ),
    (
        Family::Suse,
        &[
            "suse",
            "opensuse",
            "opensuse-leap",
            "opensuse-microos",
            "opensuse-tumbleweed",
            "sles",
            "sle_hpc",
            "sle-micro",
        ],
    ),
    (Family::Alpine, &["alpine"]),
    (Family::Arch, &["arch"]),
];

/// What /etc/os-release says.
pub(crate) struct Release {
    id: String,
    like: String,
    codename: String,
}

impl Release {
    pub(crate) fn of(probe: &dyn Probe) -> Self {
        let text = files::text(probe, "/etc/os-release").unwrap_or_default();
        Self {
            id: field(&text, "ID="),
            like: field(&text, "ID_LIKE="),
            codename: field(&text, "VERSION_CODENAME="),
        }
    }

    /// Whether it is one of the distributions with these ids in lower case; of one that is not
    /// known here, whether it says that it is like one of them.
    pub(crate) fn is_one_of(&self, ids: &[&str]) -> bool {
        let is_listed = |id: &str| ids.iter().any(|own| own.eq_ignore_ascii_case(id));
        let is_like = || self.like.split_whitespace().any(is_listed);
        is_listed(&self.id) || family_of(&self.id).is_none() && is_like()
    }

    fn family(&self) -> Family {
        let like = || self.like.split_whitespace().find_map(family_of);
        family_of(&self.id).or_else(like).unwrap_or(Family::Other)
    }
}

/// Architectures as Rust and as Debian call them, where they differ.
const DEBIAN_ARCHITECTURES: &[(&str, &str)] = &[
    ("x86_64", "amd64"),
    ("x86", "i386"),
    ("aarch64", "arm64"),
    ("arm", "armhf"),
    ("powerpc64", "ppc64el"),
];

/// Ids, Debian's names of architectures (none: all), the archive and the one of security updates.
///
/// Source: cloud-init, for Ubuntu `cloudinit/config/cc_apt_configure.py` (`PRIMARY_ARCH_MIRRORS`,
/// `PORTS_MIRRORS`), for Debian `config/cloud.cfg.tmpl` (`package_mirrors`).
type Archive = (
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static str,
);
const ARCHIVES: &[Archive] = &[
    (
        "debian",
        &[],
        "https://deb.debian.org/debian",
        "https://deb.debian.org/debian-security",
    ),
    (
        "ubuntu",
        &["amd64", "i386"],
        "http://archive.ubuntu.com/ubuntu/",
        "http://security.ubuntu.com/ubuntu/",
    ),
    (
        "ubuntu",
        &[],
        "http://ports.ubuntu.com/ubuntu-ports",
        "http://ports.ubuntu.com/ubuntu-ports",
    ),
];

/// `ID` of /etc/os-release: `debian`, `amzn`; empty if it does not say.
pub(crate) fn id(probe: &dyn Probe) -> String {
    Release::of(probe).id
}

/// What cloud-init calls it, which is in the names of templates and pools: what the image's
/// configuration says, or the id. Source: cloud-init, `cloudinit/util.py` (`_get_variant`).
pub(crate) fn name(ctx: &Context<'_>) -> String {
    let system = ctx.config.get("system_info");
    let given = system.and_then(|system| system.get("distro")?.as_str());
    match given.map_or_else(|| id(ctx.probe), ToOwned::to_owned) {
        id if id == "amzn" => "amazon".to_owned(),
        name => name,
    }
}

/// `VERSION_CODENAME` of /etc/os-release: `trixie`; empty if it does not say.
pub(crate) fn codename(probe: &dyn Probe) -> String {
    Release::of(probe).codename
}

/// Debian's name for the architecture that this program was made for, which is the machine's.
pub(crate) fn debian_architecture() -> &'static str {
    let rust = std::env::consts::ARCH;
    let mut all = DEBIAN_ARCHITECTURES.iter();
    all.find(|(own, _)| *own == rust)
        .map_or(rust, |(_, debian)| debian)
}

/// Where a distribution's packages and its security updates are, if nobody says.
pub(crate) fn archives(id: &str, architecture: &str) -> Option<(&'static str, &'static str)> {
    let mut all = ARCHIVES.iter();
    let fits = |own: &[&str]| own.is_empty() || own.contains(&architecture);
    let row = all.find(|(own, architectures, ..)| *own == id && fits(architectures));
    row.map(|(_, _, primary, security)| (*primary, *security))
}

/// The family, by the id or else by what the distribution says that it is like.
pub(crate) fn family(probe: &dyn Probe) -> Family {
    Release::of(probe).family()
}

fn family_of(id: &str) -> Option<Family> {
    let mut all = FAMILIES.iter();
    let family = all.find(|(_, ids)| ids.contains(&id));
    family.map(|(family, _)| *family)
}

/// What pip(1) is a part of. Source: cloud-init, `pip_package_name` of `cloudinit/distros/`.
pub(crate) fn pip_package(probe: &dyn Probe) -> &'static str {
    match family(probe) {
        Family::Alpine => "py3-pip",
        Family::Arch => "python-pip",
        _ => "python3-pip",
    }
}

/// Whether a program is in one of the directories where programs are looked for.
pub(crate) fn has_program(probe: &dyn Probe, name: &str) -> bool {
    program(probe, name).is_some()
}

/// Where a program is, of the directories where programs are looked for.
pub(crate) fn program(probe: &dyn Probe, name: &str) -> Option<PathBuf> {
    let dirs = [
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ];
    let paths = dirs.into_iter().map(|dir| Path::new(dir).join(name));
    let is_there = |path: &PathBuf| probe.is_executable(path).unwrap_or(false);
    paths.into_iter().find(is_there)
}

/// Whether a program is there: by its path, or by a name that is looked for.
pub(crate) fn is_program(probe: &dyn Probe, program: &str) -> bool {
    match program.contains('/') {
        true => probe.is_executable(Path::new(program)).unwrap_or(false),
        false => has_program(probe, program),
    }
}

fn field(release: &str, name: &str) -> String {
    let value = release.lines().find_map(|line| line.strip_prefix(name));
    let value = value.unwrap_or("").trim();
    value.trim_matches(['"', '\'']).to_owned()
}

#[cfg(test)]
mod tests {
    use contract::testing::FakeMachine;

    use super::*;

    #[test]
    fn a_distribution_belongs_to_the_family_of_its_id_or_else_of_what_it_is_like() {
        #[rustfmt::skip]
        let table = [
            ("ID=debian\n",                                       Family::Debian),
            ("NAME=x\nID=ubuntu\nID_LIKE=debian\n",               Family::Debian),
            ("ID=kali\nID_LIKE=debian\n",                         Family::Debian),
            ("ID=\"amzn\"\nID_LIKE=\"centos rhel fedora\"\n",     Family::RedHat),
            ("ID=\"nobara\"\nID_LIKE=\"rhel centos\"\n",          Family::RedHat),
            ("ID=\"sles\"\nID_LIKE=\"suse\"\n",                   Family::Suse),
            ("ID=alpine\n",                                       Family::Alpine),
            ("ID=arch\n",                                         Family::Arch),
            ("ID=gentoo\n",                                       Family::Other),
            ("",                                                  Family::Other),
        ];
        for (release, wanted) in table {
            let machine = FakeMachine::with(&[("/etc/os-release", release)]);
            assert_eq!(family(&machine), wanted, "{release:?}");
        }
    }
}
