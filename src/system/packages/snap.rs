//! Snaps, one by one: snap(8) does not tell which of several failed.
//!
//! Source: cloud-init, `cloudinit/distros/package_management/snap.py`.

use contract::effect::{Package, ToolSpec};
use contract::error::EffectError;
use contract::machine::Change;

use crate::commands::{self, Start};
use crate::host::Host;
use crate::kept::{Kept, Which};

use super::attempt::attempt;
use super::command::{self, Job, Tool};
use super::outcome::Outcome;

/// Installs snaps.
pub(super) fn install(
    host: &Host,
    packages: &[&Package],
    outcome: &mut Outcome,
) -> Result<(), EffectError> {
    for package in packages {
        let argv = command::argv(&Tool::Snap, Job::Install(&[package]));
        match attempt(host, "snap", &argv) {
            Err(error @ EffectError::EndedByShutdown { .. }) => return Err(error),
            Err(error) => {
                outcome.errors.push(error);
                outcome.failed.push(package.to_string());
            }
            Ok(_) => outcome.installed.push(format!("snap {package}")),
        }
    }
    Ok(())
}

/// Refreshes all snaps, unless the machine's owner holds them for ever.
pub(super) fn refresh(host: &Host) -> Result<Change, EffectError> {
    if holds_for_ever(host) {
        return Ok(Change::AlreadySo);
    }
    let note = attempt(host, "snap", &command::argv(&Tool::Snap, Job::Upgrade))?;
    Ok(Change::Made { note })
}

fn holds_for_ever(host: &Host) -> bool {
    let Ok(kept) = Kept::new(Which::Out) else {
        return false;
    };
    let start = Start {
        argv: &["snap", "get", "system", "-d"].map(ToOwned::to_owned),
        label: "snap",
        env: &[],
        stdin: &[],
        timeout: Some(ToolSpec::TIMEOUT),
        is_ours: true,
        is_beside: false,
        kept: Some(&kept),
    };
    // Where it cannot be asked nothing is held.
    commands::spawn(host, &start).is_ok() && says_for_ever(&kept.text())
}

fn says_for_ever(text: &str) -> bool {
    let settings: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let hold = settings
        .as_ref()
        .and_then(|all| all.pointer("/refresh/hold"));
    hold.and_then(serde_json::Value::as_str) == Some("forever")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snaps_that_are_held_for_ever_are_known() {
        #[rustfmt::skip]
        let table = [
            (r#"{"refresh": {"hold": "forever", "timer": "00:00"}}"#,              true),
            (r#"{"refresh": {"hold": "2026-01-01T00:00:00Z"}}"#,                  false),
            (r#"{"refresh": {}}"#,                                                false),
            ("error: no changes",                                                 false),
        ];
        for (said, wanted) in table {
            assert_eq!(says_for_ever(said), wanted, "{said}");
        }
    }
}
