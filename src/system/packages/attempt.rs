//! Runs a package manager, and again where waiting may help.

use std::thread;
use std::time::{Duration, Instant};

use contract::error::EffectError;
use contract::secret::without_passwords;

use crate::commands::{self, Start};
use crate::host::Host;
use crate::kept::{Kept, Which};

use super::locks;

/// How long to wait before the next try, when the network failed.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(2),
    Duration::from_secs(8),
    Duration::from_secs(20),
];

/// What package managers say when something could not be fetched. Source: apt's
/// `methods/connect.cc` and `apt-pkg/acquire-*.cc`, dnf's and apk's messages of libcurl and libfetch.
const UNFETCHED: [&str; 14] = [
    "Failed to fetch",
    "Unable to fetch",
    "Some index files failed to download",
    "Temporary failure resolving",
    "Could not resolve",
    "Could not connect",
    "Unable to connect",
    "Connection timed out",
    "Connection failed",
    "Network is unreachable",
    "Hash Sum mismatch",
    "Cannot download",
    "Curl error",
    "temporary error",
];

/// Runs a package manager, as often as waiting may help. What is to be told of a success: some
/// lists could not be fetched.
pub(super) fn attempt(
    host: &Host,
    name: &'static str,
    argv: &[String],
) -> Result<Option<String>, EffectError> {
    let deadline = Instant::now() + host.package_patience;
    let mut pauses = PAUSES.iter();
    let env = environment(host);
    loop {
        if name == "apt" {
            locks::wait(host, deadline)?;
        }
        let kept = Kept::new(Which::Err).map_err(|source| EffectError::System {
            what: "keep what a package manager says",
            source,
        })?;
        let start = Start {
            argv,
            label: name,
            env: &env,
            stdin: &[],
            // As long as it takes: what packages run at their installation is somebody's code.
            timeout: None,
            is_ours: true,
            is_beside: false,
            kept: Some(&kept),
        };
        let ended = commands::spawn(host, &start);
        let said = kept.text();
        let unfetched = said.lines().find(|line| {
            let mut patterns = UNFETCHED.iter();
            patterns.any(|pattern| line.contains(pattern))
        });
        match (&ended, unfetched) {
            (Ok(_), None) => return Ok(None),
            (Err(EffectError::EndedByShutdown { .. }), _) => {}
            (Err(_), _) if locks::is_locked(&said) && Instant::now() < deadline => {
                thread::sleep(locks::POLL);
                continue;
            }
            (_, Some(line)) => {
                if let Some(pause) = pauses.next() {
                    let seconds = pause.as_secs();
                    let line = without_passwords(line);
                    tracing::warn!("{name}: {line}; it is tried again in {seconds} s");
                    thread::sleep(*pause);
                    continue;
                }
            }
            (Err(_), None) => {}
        }
        return match (ended, unfetched) {
            (Ok(_), line) => Ok(line.map(ToOwned::to_owned)),
            (Err(error @ EffectError::Command { .. }), Some(_)) => Err(EffectError::Packages {
                message: error.to_string(),
                transient: true,
            }),
            (Err(error), _) => Err(error),
        };
    }
}

/// Their messages are in English, whatever the system's language is; nobody is asked anything.
/// Source: cloud-init, `cloudinit/distros/package_management/apt.py`; zypper(8).
fn environment(host: &Host) -> Vec<(String, String)> {
    let patience = host.package_patience.as_secs().to_string();
    let all = [
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("LC_MESSAGES", "C"),
        ("ZYPP_LOCK_TIMEOUT", &patience),
    ];
    all.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}
