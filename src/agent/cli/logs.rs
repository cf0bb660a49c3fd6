//! `firstlight logs`

use std::path::PathBuf;
use std::process::ExitCode;

use super::table;
use crate::logs;
use crate::session::{Session, Target};

/// Gather what somebody else needs to see to help.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Logs {
    /// Put the report, what firstlight said, and the configuration into an archive.
    ///
    /// What looks like a secret is taken out, and only root can read the archive. Look through it
    /// before it is given away.
    Collect {
        /// The archive.
        #[arg(short, long, value_name = "FILE", default_value = "firstlight.tar.gz")]
        output: PathBuf,
        /// With the user data and with what scripts wrote, as they are: both may hold secrets.
        #[arg(long)]
        include_user_data: bool,
    },
}

impl Logs {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        let Self::Collect {
            output,
            include_user_data,
        } = self;
        let mut session = Session::look(target)?;
        let path = logs::collect(&mut session, &output, "firstlight-logs", include_user_data)?;
        table::line(&path.display().to_string());
        Ok(ExitCode::SUCCESS)
    }
}
