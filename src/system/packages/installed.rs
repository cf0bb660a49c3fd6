//! What is installed, by the books of each package manager.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use contract::effect::{Package, PackageManager};
use contract::machine::Probe;

const DPKG: &str = "/var/lib/dpkg/status";
const APK: &str = "/lib/apk/db/installed";
const PACMAN: &str = "/var/lib/pacman/local";

/// Names and versions of what is installed.
pub(crate) type Installed = BTreeMap<String, String>;

/// What is installed, by books that can be read without asking a program; `None` where that
/// cannot be told.
pub(crate) fn of(manager: &PackageManager, probe: &dyn Probe) -> io::Result<Option<Installed>> {
    let text = |path: &str| {
        let bytes = probe.read(Path::new(path))?;
        io::Result::Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    Ok(match manager {
        PackageManager::Apt(_) => text(DPKG)?.map(|text| dpkg(&text)),
        PackageManager::Apk => text(APK)?.map(|text| apk(&text)),
        PackageManager::Pacman => {
            let names = probe.list(Path::new(PACMAN))?;
            names.map(|names| names.iter().filter_map(|name| pacman(name)).collect())
        }
        PackageManager::Dnf | PackageManager::Zypper | PackageManager::Snap => None,
    })
}

/// The version that is installed of a package; none if it is not, or of another version.
pub(crate) fn version<'a>(installed: &'a Installed, package: &Package) -> Option<&'a str> {
    let version = installed.get(base(&package.name))?.as_str();
    let is_it = package.version.as_deref().is_none_or(|wanted| {
        let prefix = wanted.strip_suffix('*');
        prefix.map_or(version == wanted, |prefix| version.starts_with(prefix))
    });
    is_it.then_some(version)
}

/// Whether it is as it was asked for.
pub(crate) fn is_so(installed: &Installed, package: &Package) -> bool {
    match package.name.as_bytes() {
        // apt: remove it.
        [.., b'-'] => !installed.contains_key(base(&package.name)),
        // apt: a task.
        [.., b'^'] => false,
        _ => version(installed, package).is_some(),
    }
}

/// The name without what apt understands beside it: a release, an architecture, what to do.
/// Source: apt-get(8); cloud-init, `cloudinit/distros/package_management/apt.py`.
pub(crate) fn base(name: &str) -> &str {
    let name = name.split(['/', '=', ':']).next().unwrap_or(name);
    name.trim_end_matches(['-', '^'])
}

/// Source: dpkg's `status` file, deb-control(5).
fn dpkg(text: &str) -> Installed {
    let stanzas = text.split("\n\n");
    let installed = stanzas.filter_map(|stanza| {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name));
        let state = field("Status: ")?.split(' ').nth(2)?;
        let is_there = matches!(state, "installed" | "triggers-awaited" | "triggers-pending");
        let pair = (
            field("Package: ")?.to_owned(),
            field("Version: ")?.to_owned(),
        );
        is_there.then_some(pair)
    });
    installed.collect()
}

/// Source: apk-tools, `P:` and `V:` of the installed database.
fn apk(text: &str) -> Installed {
    let stanzas = text.split("\n\n");
    let installed = stanzas.filter_map(|stanza| {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name));
        Some((field("P:")?.to_owned(), field("V:")?.to_owned()))
    });
    installed.collect()
}

/// A directory `NAME-VERSION-RELEASE` of pacman's local database.
fn pacman(directory: &str) -> Option<(String, String)> {
    let mut parts = directory.rsplitn(3, '-');
    let (release, version, name) = (parts.next()?, parts.next()?, parts.next()?);
    Some((name.to_owned(), format!("{version}-{release}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "for tests only")]
mod tests {
    use contract::effect::AptCommand;
    use contract::testing::FakeMachine;

    use super::*;

    const STATUS: &str = "Package: nginx\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.22.1-9\n\n\
        Package: gone\nStatus: deinstall ok config-files\nVersion: 1.0\n\n\
        Package: half\nStatus: install ok half-configured\nVersion: 1.0\n";

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    #[test]
    fn only_what_is_wholly_installed_counts() {
        let apt = PackageManager::Apt(AptCommand {
            argv: Vec::new(),
            upgrade: String::new(),
        });
        #[rustfmt::skip]
        let table: [(&PackageManager, (&str, &str), Pairs<'_>); 3] = [
            (&apt,                     (DPKG, STATUS),                                       &[("nginx", "1.22.1-9")]),
            (&PackageManager::Apk,     (APK, "C:Q1=\nP:nginx\nV:1.26.2-r0\nA:x86_64\n\nP:curl\nV:8.9\n"), &[("curl", "8.9"), ("nginx", "1.26.2-r0")]),
            (&PackageManager::Pacman,  ("/var/lib/pacman/local/lib32-glibc-2.40-1/desc", ""), &[("lib32-glibc", "2.40-1")]),
        ];
        for (manager, file, wanted) in table {
            let installed = of(manager, &FakeMachine::with(&[file])).unwrap().unwrap();
            let found: Vec<_> = installed
                .iter()
                .map(|(a, b)| (a.as_str(), b.as_str()))
                .collect();
            assert_eq!(found, wanted);
        }
        assert_eq!(
            of(&PackageManager::Dnf, &FakeMachine::default()).unwrap(),
            None
        );
    }

    #[test]
    fn what_apt_understands_beside_a_name_is_understood() {
        let installed = dpkg(STATUS);
        #[rustfmt::skip]
        let table = [
            ("nginx",             None,            true),
            ("nginx",             Some("1.22.1-9"), true),
            ("nginx",             Some("1.22*"),   true),
            ("nginx",             Some("1.23"),    false),
            ("nginx/bookworm",    None,            true),
            ("nginx:amd64",       None,            true),
            ("nginx-",            None,            false),
            ("gone-",             None,            true),
            ("gone",              None,            false),
            ("half",              None,            false),
            ("nginx^",            None,            false),
        ];
        for (name, version, wanted) in table {
            let package = Package {
                name: name.into(),
                version: version.map(ToOwned::to_owned),
            };
            assert_eq!(is_so(&installed, &package), wanted, "{package}");
        }
    }
}
