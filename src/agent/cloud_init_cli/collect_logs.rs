//! `cloud-init collect-logs`
//!
//! Source: cloud-init 25.1.4, `cloudinit/cmd/devel/logs.py`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use crate::cli::table;
use crate::logs;

/// Put what tells how the boot went into an archive: `firstlight logs collect`.
///
/// What looks like a secret is taken out, whether --redact-sensitive is given or not.
#[derive(Debug, clap::Args)]
pub(super) struct CollectLogs {
    /// Say more on stderr.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// The archive.
    #[arg(short, long, value_name = "FILE", default_value = "cloud-init.tar.gz")]
    tarfile: PathBuf,
    /// With the user data and with what scripts wrote, as they are: both may hold secrets.
    #[arg(short = 'u', long)]
    include_userdata: bool,
    /// Taken for the sake of old habits: it is always so.
    #[arg(short, long)]
    redact_sensitive: bool,
}

impl CollectLogs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut session = super::machine()?;
        if !session.host.is_privileged() {
            bail!("only root can do that");
        }
        let with_user_data = self.include_userdata && !self.redact_sensitive;
        let path = logs::collect(
            &mut session,
            &self.tarfile,
            "cloud-init-logs",
            with_user_data,
        )?;
        table::complain(&format!("Wrote {}", path.display()));
        Ok(ExitCode::SUCCESS)
    }
}
