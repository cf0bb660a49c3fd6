//! `firstlight boot`

use std::process::ExitCode;

use contract::module::Stage;

use super::table;
use crate::boot;
use crate::cloud_init;
use crate::last_act;
use crate::notify::Notifier;
use crate::session::{self, Session, Target};

/// Do what this boot needs; this is what systemd starts.
///
/// Without --stage all stages run; started by systemd (NOTIFY_SOCKET is set), the final stage is
/// left to firstlight-final.service. The exit code is 0 when the work was done, whatever became of
/// single modules: see `firstlight status`.
#[derive(Debug, clap::Args)]
pub(super) struct Boot {
    /// Run this stage only.
    #[arg(long, value_enum)]
    stage: Option<StageArg>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum StageArg {
    /// Host name, accounts, keys, role.
    Identity,
    /// Content, and what needs no other service.
    Config,
    /// Scripts and commands.
    Final,
}

impl Boot {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        let notifier = Notifier::from_environment();
        let mut session = Session::open(target)?;
        if let Some(why) = boot::switched_off(&session.host) {
            tracing::warn!("switched off: {why}");
            if session.settings.cloud_init_compat {
                cloud_init::disable(&session.host);
            }
            return Ok(ExitCode::SUCCESS);
        }
        let stages: &[Stage] = match self.stage {
            Some(StageArg::Identity) => &[Stage::Early, Stage::Identity],
            Some(StageArg::Config) => &[Stage::Config],
            Some(StageArg::Final) => &[Stage::Final],
            None if notifier.is_listening() => &[Stage::Early, Stage::Identity, Stage::Config],
            None => &Stage::ALL,
        };
        let _lock = session.lock()?;
        let mut report = boot::run(&mut session, stages, &notifier, &mut |_, _| {})?;
        let health = table::health_word(report.health());
        tracing::info!("stages until {} are over: {health}", stage_word(stages));
        if let Some(problem) = last_act::perform(&session) {
            boot::log_problem(&problem);
            report.problems.push(problem);
            session::publish(&session, &report);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn stage_word(stages: &[Stage]) -> &'static str {
    stages.last().map_or("none", |stage| stage.as_str())
}
