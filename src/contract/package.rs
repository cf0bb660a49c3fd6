//! Packages of the distribution, and snaps.

use std::fmt;

/// Who installs packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageManager {
    /// apt-get(8): Debian, Ubuntu.
    Apt(AptCommand),
    /// dnf(8), or yum(8) where there is no dnf: Red Hat's family.
    Dnf,
    /// zypper(8), or transactional-update(8) where the root is Btrfs and that is there: SUSE.
    Zypper,
    /// apk(8): Alpine Linux.
    Apk,
    /// pacman(8): Arch Linux.
    Pacman,
    /// snap(8).
    Snap,
}

/// How apt-get(8) is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AptCommand {
    /// The program and its options, with what it is wrapped in before it.
    pub argv: Vec<String>,
    /// The subcommand that upgrades: `dist-upgrade`.
    pub upgrade: String,
}

/// A package that shall be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// As its manager calls it: never an option, never empty.
    pub name: String,
    /// This version of it. Of a snap, a further argument such as `--classic`.
    pub version: Option<String>,
}

/// What a package manager shall bring about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageJob {
    /// The lists of packages are those of now.
    Update,
    /// What is installed is of the newest version.
    Upgrade,
    /// These packages are installed.
    Install {
        /// Which.
        packages: Vec<Package>,
        /// Whether the lists are fetched first, if one of them is not installed; but only once in a run.
        update: bool,
        /// Those of them that may be a snap, if the manager does not know them.
        or_snap: Vec<Package>,
    },
    /// One of these packages is installed, of which the manager may not know each.
    InstallFirst {
        /// Which, the best first.
        packages: Vec<Package>,
        /// As of [`PackageJob::Install`].
        update: bool,
    },
}

/// What shall be of packages. Nobody is asked over the network about what is so already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackagesSpec {
    /// By whom.
    pub manager: PackageManager,
    /// What.
    pub job: PackageJob,
}

impl PackageManager {
    /// As people call it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Apt(_) => "apt",
            Self::Dnf => "dnf",
            Self::Zypper => "zypper",
            Self::Apk => "apk",
            Self::Pacman => "pacman",
            Self::Snap => "snap",
        }
    }
}

/// `nginx`, `nginx 1.22.1`
impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.version {
            Some(version) => write!(f, " {version}"),
            None => Ok(()),
        }
    }
}

/// `packages nginx, curl (apt)`
impl fmt::Display for PackagesSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let manager = self.manager.name();
        match &self.job {
            PackageJob::Update => write!(f, "fresh lists of packages ({manager})"),
            PackageJob::Upgrade => write!(f, "newest packages ({manager})"),
            PackageJob::InstallFirst { packages, .. } => {
                let names: Vec<String> = packages.iter().map(ToString::to_string).collect();
                write!(f, "package {} ({manager})", names.join(" or "))
            }
            PackageJob::Install { packages, .. } => {
                let names: Vec<String> = packages.iter().map(ToString::to_string).collect();
                let word = if names.len() == 1 {
                    "package"
                } else {
                    "packages"
                };
                write!(f, "{word} {} ({manager})", names.join(", "))
            }
        }
    }
}
