//! The programs that keep the clock right, and where each distribution has them.
//!
//! Source: cloud-init, `cloudinit/config/cc_ntp.py` (`NTP_CLIENT_CONFIG`, `DISTRO_CLIENT_CONFIG`,
//! `generate_server_names`) and `preferred_ntp_clients` of `cloudinit/distros/`.

use contract::machine::Probe;

use crate::distribution::{self, Family};

/// How many servers of a pool are named.
const POOL_SERVERS: usize = 4;

/// How a client's configuration is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// chrony.conf(5)
    Chrony,
    /// ntp.conf(5)
    Ntp,
    /// ntpd.conf(5) of OpenBSD's daemon
    OpenNtpd,
    /// timesyncd.conf(5)
    Timesyncd,
}

/// A client, as it is on this distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    /// As `ntp_client` calls it.
    pub(super) name: &'static str,
    pub(super) dialect: Dialect,
    /// The program that is there when the client is: a name or a path.
    pub(super) check_exe: &'static str,
    /// The file that it reads.
    pub(super) confpath: &'static str,
    pub(super) packages: &'static [&'static str],
    pub(super) service: &'static str,
    /// What an image's template is called before the distribution's name; without one, all of it.
    pub(super) template: &'static str,
}

const CLIENTS: &[Client] = &[
    Client {
        name: "chrony",
        dialect: Dialect::Chrony,
        check_exe: "chronyd",
        confpath: "/etc/chrony.conf",
        packages: &["chrony"],
        service: "chrony",
        template: "chrony.conf.",
    },
    Client {
        name: "ntp",
        dialect: Dialect::Ntp,
        check_exe: "ntpd",
        confpath: "/etc/ntp.conf",
        packages: &["ntp"],
        service: "ntp",
        template: "ntp.conf.",
    },
    Client {
        name: "ntpdate",
        dialect: Dialect::Ntp,
        check_exe: "ntpdate",
        confpath: "/etc/ntp.conf",
        packages: &["ntpdate"],
        service: "ntpdate",
        template: "ntp.conf.",
    },
    Client {
        name: "openntpd",
        dialect: Dialect::OpenNtpd,
        check_exe: "ntpd",
        confpath: "/etc/ntpd.conf",
        packages: &["openntpd"],
        service: "ntpd",
        template: "ntpd.conf.",
    },
    Client {
        name: "systemd-timesyncd",
        dialect: Dialect::Timesyncd,
        check_exe: "/lib/systemd/systemd-timesyncd",
        confpath: "/etc/systemd/timesyncd.conf.d/cloud-init.conf",
        packages: &[],
        service: "systemd-timesyncd",
        template: "timesyncd.conf",
    },
];

/// What is otherwise with a family: the client, and its file, packages and service where they are
/// others.
type Row = (
    Family,
    &'static str,
    Option<&'static str>,
    Option<&'static [&'static str]>,
    Option<&'static str>,
);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (Family::Debian, "chrony",            Some("/etc/chrony/chrony.conf"), None,       None),
    (Family::Debian, "openntpd",          Some("/etc/openntpd/ntpd.conf"), None,       Some("openntpd")),
    // It is a package of its own since Debian 12 and Ubuntu 20.04.
    (Family::Debian, "systemd-timesyncd", None, Some(&["systemd-timesyncd"]),          None),
    (Family::RedHat, "chrony",            None,                            None,       Some("chronyd")),
    (Family::RedHat, "ntp",               None,                            None,       Some("ntpd")),
    (Family::Suse,   "chrony",            None,                            None,       Some("chronyd")),
    (Family::Suse,   "ntp",               None,                            None,       Some("ntpd")),
    (Family::Alpine, "chrony",            Some("/etc/chrony/chrony.conf"), None,       Some("chronyd")),
    // BusyBox brings it.
    (Family::Alpine, "ntp",               None,                            Some(&[]),  Some("ntpd")),
    (Family::Arch,   "chrony",            None,                            None,       Some("chronyd")),
    (Family::Arch,   "ntp",               None,                            None,       Some("ntpd")),
    (Family::Arch,   "openntpd",          None,                            None,       Some("openntpd")),
];

/// The names that `ntp_client` takes.
pub(super) const NAMES: &[&str] = &[
    "auto",
    "chrony",
    "ntp",
    "ntpdate",
    "openntpd",
    "systemd-timesyncd",
];

/// A client by its name, as this distribution has it.
pub(super) fn named(name: &str, family: Family) -> Option<Client> {
    let mut client = CLIENTS.iter().find(|client| client.name == name)?.clone();
    let mut rows = ROWS.iter();
    let row = rows.find(|(of, client, ..)| *of == family && *client == name);
    if let Some((_, _, confpath, packages, service)) = row {
        client.confpath = confpath.unwrap_or(client.confpath);
        client.packages = packages.unwrap_or(client.packages);
        client.service = service.unwrap_or(client.service);
    }
    Some(client)
}

/// The first of the family's favourites that is there, or else the first of all, which is installed
/// then.
pub(super) fn preferred(family: Family, probe: &dyn Probe) -> Option<Client> {
    let names: &[&str] = match family {
        Family::Alpine => &["chrony", "ntp"],
        Family::Suse => &["chrony", "systemd-timesyncd", "ntp"],
        _ => &["chrony", "systemd-timesyncd", "ntp", "ntpdate"],
    };
    let mut clients = names.iter().filter_map(|name| named(name, family));
    let first = clients.next()?;
    if distribution::is_program(probe, first.check_exe) {
        return Some(first);
    }
    let there = clients.find(|client| distribution::is_program(probe, client.check_exe));
    Some(there.unwrap_or(first))
}

/// The servers of the distribution's pool: `0.debian.pool.ntp.org` and so forth.
pub(super) fn pool(distribution: &str, family: Family) -> Vec<String> {
    let zone = match (family, distribution) {
        // There is one for all of SUSE, and none for these.
        (Family::Suse, _) => "opensuse.",
        (Family::Alpine | Family::Other, _) | (_, "" | "eurolinux") => "",
        (_, name) => &format!("{name}."),
    };
    let server = |number| format!("{number}.{zone}pool.ntp.org");
    (0..POOL_SERVERS).map(server).collect()
}
