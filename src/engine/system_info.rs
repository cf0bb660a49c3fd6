//! The system as cloud-init describes it: distribution, kernel, machine.
//!
//! Source: cloud-init, `cloudinit/util.py` (`get_linux_distro`, `_get_variant`, `system_info`);
//! os-release(5), proc(5).

use std::path::Path;

use contract::machine::Probe;

/// Distributions that are a variant of their own.
const VARIANTS: &[&str] = &[
    "almalinux",
    "alpine",
    "aosc",
    "arch",
    "azurelinux",
    "centos",
    "cloudlinux",
    "debian",
    "eurolinux",
    "fedora",
    "mariner",
    "miraclelinux",
    "openeuler",
    "opencloudos",
    "openmandriva",
    "photon",
    "rhel",
    "rocky",
    "suse",
    "tencentos",
    "virtuozzo",
];

/// Those that are variants of SUSE's.
const SUSE: &[&str] = &[
    "opensuse",
    "opensuse-leap",
    "opensuse-microos",
    "opensuse-tumbleweed",
    "sle_hpc",
    "sle-micro",
    "sles",
];

/// What is known of a system; what nobody tells is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SystemInfo {
    /// `debian`, `amzn`; Red Hat's own is `redhat`.
    pub(crate) distro: String,
    /// `13`.
    pub(crate) version: String,
    /// `trixie`.
    pub(crate) codename: String,
    /// The distribution as cloud-init's templates know it: `rhel`, `suse`; `linux` if it is no other.
    pub(crate) variant: &'static str,
    /// `6.12.48-amd64`.
    pub(crate) kernel: String,
}

impl SystemInfo {
    /// What the machine tells of itself.
    pub(crate) fn of(probe: &dyn Probe) -> Self {
        let release = read(probe, "/etc/os-release");
        let id = field(&release, "ID");
        let distro = if id == "rhel" { "redhat" } else { id.as_str() };
        let codename = if SUSE.contains(&distro) || distro.contains("suse") {
            std::env::consts::ARCH.to_owned()
        } else if matches!(distro, "alpine" | "photon" | "virtuozzo") {
            field(&release, "PRETTY_NAME")
        } else {
            codename(&release)
        };
        Self {
            variant: variant(distro),
            distro: distro.to_owned(),
            version: field(&release, "VERSION_ID"),
            codename,
            kernel: of_kernel(probe, "osrelease"),
        }
    }

    /// `Linux-6.12.48-amd64-x86_64`; Python's also names its C library.
    pub(crate) fn platform(&self) -> String {
        format!("Linux-{}-{}", self.kernel, std::env::consts::ARCH)
    }
}

/// What the kernel says of itself under this name below /proc/sys/kernel (proc(5)).
pub(crate) fn of_kernel(probe: &dyn Probe, name: &str) -> String {
    let text = read(probe, &format!("/proc/sys/kernel/{name}"));
    text.trim().to_owned()
}

fn read(probe: &dyn Probe, path: &str) -> String {
    let bytes = probe.read(Path::new(path)).ok().flatten();
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

fn field(release: &str, name: &str) -> String {
    let mut lines = release.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or("").trim_matches(['"', '\'']).to_owned()
}

/// `VERSION_CODENAME`, or else what stands in brackets in `VERSION="7 (Core)"`.
fn codename(release: &str) -> String {
    let name = field(release, "VERSION_CODENAME");
    if !name.is_empty() {
        return name;
    }
    let version = field(release, "VERSION");
    let rest = version.split_once(" (").map_or("", |(_, rest)| rest);
    let name = rest.split_once(')').map_or("", |(name, _)| name);
    name.to_owned()
}

fn variant(distro: &str) -> &'static str {
    let distro = distro.to_ascii_lowercase();
    let own = VARIANTS.iter().find(|known| **known == distro);
    match distro.as_str() {
        "ubuntu" | "linuxmint" | "mint" => "ubuntu",
        "redhat" => "rhel",
        other if SUSE.contains(&other) => "suse",
        _ => own.copied().unwrap_or("linux"),
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::FakeMachine;

    use super::*;

    #[test]
    fn a_distribution_is_called_what_cloud_init_calls_it() {
        let arch = std::env::consts::ARCH;
        #[rustfmt::skip]
        let table = [
            ("ID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n",                 ["debian", "13", "trixie", "debian"]),
            ("ID=ubuntu\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\n",               ["ubuntu", "24.04", "noble", "ubuntu"]),
            ("ID=\"rhel\"\nVERSION=\"9.4 (Plow)\"\nVERSION_ID=\"9.4\"\n",               ["redhat", "9.4", "Plow", "rhel"]),
            ("ID=\"amzn\"\nVERSION_ID=\"2023\"\n",                                      ["amzn", "2023", "", "linux"]),
            ("ID=\"sles\"\nVERSION_ID=\"15.6\"\n",                                      ["sles", "15.6", arch, "suse"]),
            ("ID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME=\"Alpine Linux v3.20\"\n",      ["alpine", "3.20.3", "Alpine Linux v3.20", "alpine"]),
            ("",                                                                        ["", "", "", "linux"]),
        ];
        for (release, wanted) in table {
            let machine = FakeMachine::with(&[("/etc/os-release", release)]);
            let info = SystemInfo::of(&machine);
            let said = [&info.distro, &info.version, &info.codename, info.variant];
            assert_eq!(said, wanted, "{release}");
        }
    }
}
