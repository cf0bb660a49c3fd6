//! The time as cloud-init writes it down.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::calendar::Utc;
use contract::machine::Probe;

/// Seconds since the kernel began (proc_uptime(5)). Below a root where nobody tells that, Unix time:
/// 0 would mean that nothing has begun.
pub(super) fn uptime(probe: &dyn Probe) -> f64 {
    let text = probe.read(Path::new("/proc/uptime")).ok().flatten();
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    let first = text.split_whitespace().next();
    first
        .and_then(|word| word.parse().ok())
        .unwrap_or_else(unix)
}

/// Unix time in seconds.
pub(super) fn unix() -> f64 {
    now().as_secs_f64()
}

/// What has gone by since 1970.
pub(super) fn now() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}

/// Now, in UTC, as RFC 2822 writes it.
pub(super) fn letter() -> String {
    Utc::at(now().as_secs()).rfc2822()
}
