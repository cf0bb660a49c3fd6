//! `cloud-init init`, `modules` and `single`: stages and modules by hand.
//!
//! Source: cloud-init 25.1.4, `cloudinit/cmd/main.py` (`main_init`, `main_modules`, `main_single`) and
//! `cloudinit/config/modules.py` (`form_module_name`).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use contract::module::{Entry, Frequency, Stage};
use contract::report::{Health, ProblemReport, Report};
use contract::yaml::{self, Kind, Limits, Mapping};
use engine::cloud_init::stages::{self, Stages};
use system::RunLock;

use crate::boot;
use crate::catalogue;
use crate::cli::table;
use crate::last_act;
use crate::notify::Notifier;
use crate::offline;
use crate::session::{self, Known, Mode, Session};

/// Learn who this instance is, and do what comes before its network is used.
///
/// The exit code is the number of things that failed.
#[derive(Debug, clap::Args)]
pub(super) struct Init {
    /// Learn who it is, and do nothing yet.
    #[arg(short, long)]
    local: bool,
    #[command(flatten)]
    files: Files,
}

/// Do what belongs to one stage.
///
/// What was done for this instance is not done again. The exit code is the number of things that
/// failed.
#[derive(Debug, clap::Args)]
pub(super) struct Modules {
    /// Which stage.
    #[arg(short, long, value_enum, default_value_t)]
    mode: StageName,
    #[command(flatten)]
    files: Files,
}

/// Do one module, from what the boot stored.
///
/// Exit code 1 if it failed, or there is none of that name.
#[derive(Debug, clap::Args)]
pub(super) struct Single {
    /// Its name: `runcmd`, `set-hostname`, `cc_users_groups`.
    #[arg(short, long)]
    name: String,
    /// As often as this, instead of as often as it is done at a boot.
    #[arg(long, value_enum)]
    frequency: Option<Often>,
    /// Taken for the sake of old habits: everything is reported.
    #[arg(long)]
    report: bool,
    #[command(flatten)]
    files: Files,
    /// No module of firstlight takes any.
    #[arg(value_name = "ARGUMENT")]
    module_args: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct Files {
    /// A file of configuration that wins over everything else; may be given several times. Only
    /// `single` takes it.
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum StageName {
    Init,
    #[default]
    Config,
    Final,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Often {
    Instance,
    Always,
    Once,
}

impl Init {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.files.refuse()?;
        run(match self.local {
            true => &[Stage::Early],
            false => &[Stage::Early, Stage::Identity],
        })
    }
}

impl Modules {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.files.refuse()?;
        match self.mode {
            StageName::Config => run(&[Stage::Config]),
            StageName::Final => run(&[Stage::Final]),
            // To cloud-init this is no stage of a boot, and nothing is told of it.
            StageName::Init => {
                let mut session = open()?;
                let _lock = lock(&session)?;
                let known = session.recall_or_fail()?;
                let all = |_: &Entry| true;
                let report = do_again(&session, &known, &[Stage::Identity], &all, false)?;
                table::report(&report);
                Ok(failures(&report, Stage::Identity))
            }
        }
    }
}

impl Single {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let name = catalogue::module_name(&self.name);
        let mut session = open()?;
        let Some(entry) = session.catalogue.get(&name).copied() else {
            if modules::CLOUD_INIT.contains(&name.as_str()) {
                bail!("module `{name}` is cloud-init's, and this version does not do it");
            }
            bail!("there is no module `{name}`; `firstlight modules` lists them");
        };
        if !self.module_args.is_empty() {
            bail!(
                "`{name}` takes no arguments: write what it shall do into /etc/firstlight/config.d"
            );
        }
        let _lock = lock(&session)?;
        let mut known = session.recall_or_fail()?;
        known.include(&session, std::slice::from_ref(&name));
        let often = match self.frequency {
            Some(Often::Instance) => Frequency::Instance,
            Some(Often::Always) => Frequency::Always,
            Some(Often::Once) => Frequency::Once,
            None => entry.frequency,
        };
        known.repeat(&name, often);
        for file in &self.files.files {
            known.prepared.lay_over(configuration(file)?);
        }
        let wanted = |own: &Entry| own.facts.name == name;
        // What is done at every boot is done whenever it is asked for.
        let force = often == Frequency::Always;
        let mut report = do_again(&session, &known, &Stage::ALL, &wanted, force)?;
        table::report(&report);
        report.problems.extend(last_act::perform(&session));
        Ok(match report.health() {
            Health::Error => ExitCode::FAILURE,
            Health::Done | Health::Degraded => ExitCode::SUCCESS,
        })
    }
}

impl Files {
    fn refuse(&self) -> anyhow::Result<()> {
        match self.files.first() {
            None => Ok(()),
            Some(file) => bail!(
                "{} is not read here: --file is for `cloud-init single`; what lies in \
                 /etc/firstlight/config.d is read by every stage",
                file.display()
            ),
        }
    }
}

/// What a file says, as configuration.
fn configuration(file: &Path) -> anyhow::Result<Mapping> {
    let text = String::from_utf8(offline::read(file)?);
    let text = text.with_context(|| format!("{} is not UTF-8", file.display()))?;
    let name = file.display().to_string();
    match yaml::parse(&text, name.as_str(), &Limits::default()) {
        Ok(document) => match document.value.kind {
            Kind::Map(root) => Ok(root),
            other => bail!("{name}: expected a mapping, found {}", other.name()),
        },
        Err(error) => bail!("{}: {}", error.place, error.message),
    }
}

/// Stages of a boot, of which the status tells.
fn run(stages: &[Stage]) -> anyhow::Result<ExitCode> {
    let mut session = open()?;
    if let Some(why) = boot::switched_off(&session) {
        table::complain(&format!("firstlight is switched off: {why}"));
        return Ok(ExitCode::SUCCESS);
    }
    let _lock = lock(&session)?;
    let notifier = Notifier::default();
    let mut report = boot::run(&mut session, stages, &notifier, &mut |_, _| {})?;
    table::problems(&report);
    if let Some(problem) = last_act::perform(&session) {
        report.problems.push(problem);
        session::publish(&session, &report);
    }
    let last = stages.last().copied().unwrap_or(Stage::Early);
    Ok(failures(&report, last))
}

/// Modules again, from what the boot stored; nothing is published.
fn do_again(
    session: &Session,
    known: &Known,
    stages: &[Stage],
    wanted: &dyn Fn(&Entry) -> bool,
    force: bool,
) -> anyhow::Result<Report> {
    let (mut semaphores, told) = session.reconciled(known)?;
    let mut mode = Mode {
        dry: false,
        force,
        over: &mut || {},
        observer: &mut |_, _| {},
    };
    let mut report = Report::new();
    report.problems = told.iter().map(ProblemReport::from).collect();
    for stage in stages {
        report.stages.push(session::run_stage(
            session,
            known,
            &mut semaphores,
            &session.host,
            *stage,
            wanted,
            &mut mode,
        ));
    }
    Ok(report)
}

fn open() -> anyhow::Result<Session> {
    let session = Session::open(&super::this_machine())?;
    if !session.host.is_privileged() {
        bail!("only root can do that");
    }
    Ok(session)
}

fn lock(session: &Session) -> anyhow::Result<RunLock> {
    let lock = session.try_lock()?;
    lock.context("a boot is at work: wait for its end with `cloud-init status --wait`, which a script of user data cannot do")
}

/// The number of things that failed in a stage, as an exit code.
fn failures(report: &Report, stage: Stage) -> ExitCode {
    let stages = Stages::of(report);
    let own = stages
        .all
        .iter()
        .find(|(name, _)| *name == stages::name(stage));
    let errors = own.map_or(0, |(_, own)| own.told.errors.len());
    ExitCode::from(u8::try_from(errors).unwrap_or(u8::MAX))
}
