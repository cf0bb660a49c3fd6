//! What a client is told where the image has no template for it.

use super::clients::Dialect;
use crate::distribution::Family;

/// Whom a client asks, and whom it answers.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) pools: Vec<String>,
    pub(super) servers: Vec<String>,
    pub(super) peers: Vec<String>,
    pub(super) allow: Vec<String>,
}

/// The whole file.
pub(super) fn text(dialect: Dialect, family: Family, sources: &Sources) -> String {
    let mut text = "# Written by firstlight (ntp).\n".to_owned();
    let mut add = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    if dialect == Dialect::Timesyncd {
        let hosts: Vec<&str> = sources
            .servers
            .iter()
            .chain(&sources.pools)
            .map(String::as_str)
            .collect();
        add("[Time]");
        if !hosts.is_empty() {
            add(&format!("NTP={}", hosts.join(" ")));
        }
        return text;
    }
    let (pool, server, behind) = match dialect {
        Dialect::OpenNtpd => ("servers", "server", ""),
        // BusyBox's daemon knows no more words than this one.
        Dialect::Ntp if family == Family::Alpine => ("server", "server", ""),
        _ => ("pool", "server", " iburst"),
    };
    let lists = [
        (pool, &sources.pools, behind),
        (server, &sources.servers, behind),
    ];
    for (word, hosts, behind) in lists {
        hosts
            .iter()
            .for_each(|host| add(&format!("{word} {host}{behind}")));
    }
    if dialect != Dialect::OpenNtpd {
        sources
            .peers
            .iter()
            .for_each(|host| add(&format!("peer {host}")));
    }
    if dialect == Dialect::Chrony {
        sources
            .allow
            .iter()
            .for_each(|network| add(&format!("allow {network}")));
    }
    common(dialect, family).iter().for_each(|line| add(line));
    text
}

/// What does not depend on the sources: the defaults of the distributions' packages.
const fn common(dialect: Dialect, family: Family) -> &'static [&'static str] {
    match (dialect, family) {
        (Dialect::Chrony, Family::Debian | Family::Alpine) => &[
            "keyfile /etc/chrony/chrony.keys",
            "driftfile /var/lib/chrony/chrony.drift",
            "logdir /var/log/chrony",
            "maxupdateskew 100.0",
            "rtcsync",
            "makestep 1 3",
        ],
        (Dialect::Chrony, _) => &[
            "driftfile /var/lib/chrony/drift",
            "logdir /var/log/chrony",
            "rtcsync",
            "makestep 1.0 3",
        ],
        (Dialect::Ntp, Family::Alpine) | (Dialect::Timesyncd, _) => &[],
        (Dialect::Ntp, _) => &[
            "driftfile /var/lib/ntp/ntp.drift",
            "restrict -4 default kod notrap nomodify nopeer noquery limited",
            "restrict -6 default kod notrap nomodify nopeer noquery limited",
            "restrict source notrap nomodify noquery",
            "restrict 127.0.0.1",
            "restrict ::1",
        ],
        (Dialect::OpenNtpd, _) => &["sensor *"],
    }
}
