//! `firstlight clean`

use std::process::ExitCode;

use super::table;
use crate::session::{Session, Target};

/// Forget every instance: the next boot is a first boot.
///
/// Removes /var/lib/firstlight and /run/firstlight. What was changed elsewhere on the machine
/// stays as it is.
#[derive(Debug, clap::Args)]
pub(super) struct Clean {}

impl Clean {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        let session = Session::open(target)?;
        let _lock = session.lock()?;
        let removed = system::remove_state(&session.host)?;
        if removed.is_empty() {
            table::line("there was nothing to remove");
        }
        removed
            .iter()
            .for_each(|path| table::line(&format!("removed: {}", path.display())));
        Ok(ExitCode::SUCCESS)
    }
}
