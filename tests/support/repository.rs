//! A repository of packages on the disk, for the system's real apt.

use std::fs;

use super::debian::Debian;

/// A package that apt can install.
pub(crate) struct Package<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    /// What it brings: paths, modes and texts.
    pub(crate) files: &'a [(&'a str, u32, &'a str)],
    /// What it does when it is installed.
    pub(crate) after: &'a str,
}

/// Makes these packages, and a repository of them that is the machine's only one.
pub(crate) fn offer(machine: &Debian, packages: &[Package<'_>]) {
    let mut index = String::new();
    machine.write("srv/repository/Packages", "");
    for package in packages {
        let Package { name, version, .. } = package;
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Ada <ada@example.com>\nDescription: {name}\n"
        );
        let from = format!("srv/{name}");
        machine.write(&format!("{from}/DEBIAN/control"), &control);
        machine.program(&format!("{from}/DEBIAN/postinst"), package.after);
        for (path, mode, text) in package.files {
            machine.write_as(&format!("{from}/{path}"), *mode, text);
        }
        let file = format!("{name}_{version}_all.deb");
        let (from, to) = (format!("/{from}"), format!("/srv/repository/{file}"));
        machine.chroot(&["dpkg-deb", "--root-owner-group", "--build", &from, &to]);
        let size = fs::metadata(machine.path(&to[1..])).unwrap().len();
        let sum = machine.chroot(&["sha256sum", &to]);
        let sum = sum.split(' ').next().unwrap();
        index += &format!("{control}Filename: ./{file}\nSize: {size}\nSHA256: {sum}\n\n");
    }
    machine.write("srv/repository/Packages", &index);
    let source = "deb [trusted=yes] file:///srv/repository ./\n";
    machine.write("etc/apt/sources.list", source);
}
