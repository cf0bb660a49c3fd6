//! The keys of cloud-init that no module reads: what becomes of them, and why.

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// What cloud-init does.
    Done,
    /// Something else than cloud-init does.
    Differs,
    /// Nothing.
    NotDone,
}

impl Fate {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Differs => "differs",
            Self::NotDone => "not done",
        }
    }
}

/// The keys of modules that cloud-init does not know.
#[cfg(test)]
pub(super) const OWN: &[&str] = &["content", "election"];

/// What is said of a key that firstlight itself reads or that nobody reads. As soon as a module reads it,
/// the module's own notes count.
pub(super) const REMARKS: &[(&str, Fate, &str)] = &[
    ("allow_userdata", Fate::Done, ""),
    (
        "autoinstall",
        Fate::NotDone,
        "it is for Ubuntu's installer, which an instance does not have",
    ),
    (
        "cloud_config_modules",
        Fate::Differs,
        "modules that are firstlight's alone run although no list names them",
    ),
    (
        "cloud_final_modules",
        Fate::Differs,
        "as `cloud_config_modules`",
    ),
    (
        "cloud_init_modules",
        Fate::Differs,
        "as `cloud_config_modules`",
    ),
    ("conf_d", Fate::Done, ""),
    (
        "datasource",
        Fate::Differs,
        "that of `Ec2` and `NoCloud` counts, and no other; see [configuration](configuration.md#datasource)",
    ),
    (
        "datasource_list",
        Fate::Differs,
        "`Ec2`, `NoCloud` and `None` can be asked; others are passed over",
    ),
    (
        "datasource_pkg_list",
        Fate::NotDone,
        "it names Python's packages",
    ),
    (
        "def_log_file",
        Fate::NotDone,
        "the log is the journal; with `cloud_init_compat` it is /var/log/cloud-init.log as well",
    ),
    (
        "di_report",
        Fate::NotDone,
        "it is a report of cloud-init's own ds-identify",
    ),
    (
        "disable_network_activation",
        Fate::NotDone,
        "firstlight sets up no networks",
    ),
    (
        "disable_piwiz",
        Fate::NotDone,
        "it is for the Raspberry Pi, which is no instance of EC2",
    ),
    ("enable_rpi_connect", Fate::NotDone, "as `disable_piwiz`"),
    ("launch-index", Fate::Done, ""),
    (
        "log_cfgs",
        Fate::NotDone,
        "Python's logging is configured with it",
    ),
    ("logcfg", Fate::NotDone, "as `log_cfgs`"),
    (
        "_log",
        Fate::NotDone,
        "`log_cfgs` of cloud-init's images takes its texts from there",
    ),
    (
        "manual_cache_clean",
        Fate::NotDone,
        "the instance id is asked for at every boot, and state is never taken from another instance",
    ),
    ("merge_how", Fate::Done, ""),
    ("merge_type", Fate::Done, ""),
    (
        "migrate",
        Fate::NotDone,
        "it renames semaphores of cloud-init's releases before 2012",
    ),
    ("network", Fate::NotDone, "firstlight sets up no networks"),
    (
        "output",
        Fate::Differs,
        "files that it names are `0640` and the group's `adm`",
    ),
    (
        "reporting",
        Fate::NotDone,
        "its events are for MAAS and Azure; `firstlight status --format json` has the report",
    ),
    ("rpi_interfaces", Fate::NotDone, "as `disable_piwiz`"),
    ("rpi_userconf", Fate::NotDone, "as `disable_piwiz`"),
    (
        "syslog_fix_perms",
        Fate::NotDone,
        "there is no log file whose owner it would change",
    ),
    ("unverified_modules", Fate::Done, ""),
    ("vendor_data", Fate::Done, ""),
    ("vendor_data2", Fate::Done, ""),
    (
        "version",
        Fate::NotDone,
        "it says of what version the network's configuration is",
    ),
    (
        "warnings",
        Fate::NotDone,
        "it silences warnings at logins, which firstlight does not give",
    ),
];
