//! `firstlight boot`

use std::ffi::OsString;
use std::process::ExitCode;

use contract::module::Stage;

use super::table;
use crate::boot;
use crate::cloud_init;
use crate::environment;
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
    /// Run nothing: wait until the boot that is at work is through with this stage. The exit code is
    /// 1 when a module of it failed, or it did not end.
    #[arg(long, value_enum, value_name = "STAGE", conflicts_with_all = ["stage", "fail"])]
    wait: Option<StageArg>,
    /// End with exit code 1 when a module failed: units of cloud-init do.
    #[arg(long)]
    fail: bool,
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
    /// What a unit of ours says, as it says it. For anything else clap first describes to itself every
    /// command there is, which would take each boot longer than reading its user data.
    pub(super) fn of_a_unit(words: impl Iterator<Item = OsString>) -> Option<Self> {
        let words: Vec<OsString> = words.collect();
        let words: Option<Vec<&str>> = words.iter().map(|word| word.to_str()).collect();
        let (stage, wait, fail) = match words?.as_slice() {
            ["boot"] => (None, None, false),
            ["boot", "--fail"] => (None, None, true),
            ["boot", "--stage", "final"] => (Some(StageArg::Final), None, false),
            ["boot", "--stage", "final", "--fail"] => (Some(StageArg::Final), None, true),
            ["boot", "--wait", "config"] => (None, Some(StageArg::Config), false),
            _ => return None,
        };
        Some(Self { stage, wait, fail })
    }

    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        if let Some(stage) = self.wait {
            return wait(target, stage.stage());
        }
        let notifier = Notifier::from_environment();
        let mut session = Session::open(target)?;
        if let Some(why) = boot::switched_off(&session) {
            // Else systemd takes the end of the process for a fault.
            notifier.ready();
            notifier.status("switched off");
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
        session.host.give_environment(environment::of_the_unit());
        let _lock = session.lock()?;
        let ran = boot::run(&mut session, stages, &notifier, &mut |_, _| {});
        let mut report = ran.inspect_err(|error| boot::give_up(&session, stages, error))?;
        let health = table::health_word(report.health());
        tracing::info!("stages until {} are over: {health}", stage_word(stages));
        if let Some(problem) = last_act::perform(&session) {
            boot::log_problem(&problem);
            report.problems.push(problem);
            session::publish(&session, &report);
        }
        let mut own = report
            .stages
            .iter()
            .filter(|own| stages.contains(&own.stage));
        Ok(if self.fail && own.any(boot::has_failed) {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

impl StageArg {
    const fn stage(self) -> Stage {
        match self {
            Self::Identity => Stage::Identity,
            Self::Config => Stage::Config,
            Self::Final => Stage::Final,
        }
    }
}

/// Whoever works on this machine holds the run lock, so that nothing has to be looked at twice.
fn wait(target: &Target, stage: Stage) -> anyhow::Result<ExitCode> {
    let session = Session::look(target)?;
    let ended = || {
        let stages = boot::so_far(&session)?.stages.into_iter();
        let mut ended = stages.filter(|own| own.finished.is_some());
        ended.find(|own| own.stage == stage)
    };
    let mut found = ended();
    if found.is_none() && boot::switched_off(&session).is_none() {
        let _lock = session.lock()?;
        found = ended();
        let stage = stage.as_str();
        anyhow::ensure!(
            found.is_some(),
            "the stage {stage} did not end at this boot: see `journalctl -b -u firstlight.service`"
        );
    }
    Ok(if found.as_ref().is_some_and(boot::has_failed) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn stage_word(stages: &[Stage]) -> &'static str {
    stages.last().map_or("none", |stage| stage.as_str())
}
