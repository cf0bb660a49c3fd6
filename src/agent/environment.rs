//! What scripts get of the environment that systemd gave to the unit.

use std::env;
use std::ffi::OsString;
use std::process;

/// What the manager tells the process that it started, and nobody else. Source: systemd.exec(5),
/// "Environment Variables Set or Propagated by the Service Manager".
const FOR_US_ALONE: [&str; 19] = [
    "NOTIFY_SOCKET",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "MAINPID",
    "MANAGERPID",
    "MANAGERPIDFDID",
    "SYSTEMD_EXEC_PID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "FDSTORE",
    "RUNTIME_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "DEBUG_INVOCATION",
];

/// The variables of a drop-in (`Environment=`) or of the whole manager, for the scripts of this
/// unit; none when a person started us, whose own environment is nobody's business at a boot.
pub(crate) fn of_the_unit() -> Vec<(OsString, OsString)> {
    let own = process::id().to_string();
    if env::var_os("SYSTEMD_EXEC_PID").is_none_or(|pid| pid != own.as_str()) {
        return Vec::new();
    }
    let is_ours = |(name, _): &(OsString, OsString)| {
        FOR_US_ALONE.iter().any(|known| name.as_os_str() == *known)
    };
    env::vars_os()
        .filter(|variable| !is_ours(variable))
        .collect()
}
