//! The boot: stages in their order, the gate, and a report after each.

use std::time::Duration;

use contract::datasource::Found;
use contract::machine::{Machine, Probe};
use contract::module::Stage;
use contract::name::InstanceId;
use contract::plan::{Problem, Severity};
use contract::report::{ModuleReport, Outcome, ProblemReport, Report, StageReport};
use contract::user_data::{UserData, VendorData};
use engine::cloud_init::Instance;
use engine::report_file;
use engine::semaphore::Semaphores;
use engine::store::Store;
use system::{Host, RunLock};

use crate::cloud_init;
use crate::notify::{Gate, Notifier};
use crate::session::{self, Known, Mode, Session};

/// The id of a machine that no data source knows. Source of the name: cloud-init,
/// `cloudinit/sources/DataSourceNone.py`.
const NO_INSTANCE: &str = "iid-datasource-none";

/// Runs `stages` for real and returns the report of the boot so far.
///
/// The run lock is held by the caller. What fails is in the report; an error means that nothing
/// could be begun.
///
/// # Errors
/// When the instance's state cannot be kept, or a later stage finds nothing stored.
pub(crate) fn run(
    session: &mut Session,
    stages: &[Stage],
    notifier: &Notifier,
    observer: &mut dyn FnMut(Stage, &ModuleReport),
) -> anyhow::Result<Report> {
    let report = run_stages(session, stages, notifier, observer);
    if let Err(error) = &report
        && session.settings.cloud_init_compat
    {
        cloud_init::fail(&session.host, &format!("{error:#}"));
    }
    report
}

fn run_stages(
    session: &mut Session,
    stages: &[Stage],
    notifier: &Notifier,
    observer: &mut dyn FnMut(Stage, &ModuleReport),
) -> anyhow::Result<Report> {
    let gate = Gate::new(notifier, session.settings.gate_budget());
    let begins = stages.contains(&Stage::Early) || stages.contains(&Stage::Identity);
    let (known, mut report) = if begins {
        begin(session, notifier)?
    } else {
        go_on(session)?
    };
    let session = &*session;
    let (mut semaphores, odd) = semaphores(session, &known);
    for problem in odd.iter().map(ProblemReport::from) {
        log_problem(&problem);
        // An earlier stage of this boot may have told it.
        if !report.problems.contains(&problem) {
            report.problems.push(problem);
        }
    }
    for stage in stages {
        notifier.status(&format!("stage {}", stage.as_str()));
        if session.settings.cloud_init_compat {
            cloud_init::begin_stage(&session.host, *stage);
        }
        report.note(unfinished(*stage));
        session::publish(session, &report);
        // Nobody who wants to log in waits for the disk: the records come after it.
        let before = system::time_in_programs();
        let mut in_programs = Duration::ZERO;
        let mut over = || {
            in_programs = system::time_in_programs().saturating_sub(before);
            if *stage == Stage::Identity {
                gate.open();
            }
        };
        let mut mode = Mode {
            dry: false,
            force: false,
            over: &mut over,
            observer: &mut |stage, module| {
                log(stage, module);
                if session.settings.cloud_init_compat {
                    cloud_init::log_module(&session.host, module);
                }
                observer(stage, module);
            },
        };
        let all = |_: &_| true;
        let mut done = session::run_stage(
            session,
            &known,
            &mut semaphores,
            &session.host,
            *stage,
            &all,
            &mut mode,
        );
        done.programs_us = u64::try_from(in_programs.as_micros()).unwrap_or(u64::MAX);
        if session.settings.cloud_init_compat && done.finished.is_some() {
            cloud_init::over(&session.host, *stage, &known.metadata);
        }
        // Published when the next one begins, or at the end.
        report.note(done);
        if session.host.ends_here() {
            break;
        }
    }
    if let Some(used) = system::usage() {
        tracing::info!(
            cpu_us = used.cpu_us,
            children_cpu_us = used.children_cpu_us,
            peak_memory_kib = used.peak_memory_kib,
            "used {used}"
        );
        report.used.push(used);
    }
    session::publish(session, &report);
    notifier.status("done");
    Ok(report)
}

/// Learns who this machine is, and stores it.
fn begin(session: &mut Session, notifier: &Notifier) -> anyhow::Result<(Known, Report)> {
    if session.settings.cloud_init_compat {
        cloud_init::begin(&session.host);
    }
    notifier.status("asking who this instance is");
    let (datasource, found, failure) = match session.ask() {
        Ok((name, found)) => (name, found, None),
        Err(error) => (
            String::from("None"),
            nobody()?,
            Some(Problem::error(None, format!("{error:#}"))),
        ),
    };
    session.learn_from_kernel(&found.metadata);
    let (known, found) = session.take_in(datasource, found);
    let unkept = session.store(&known, &found).err();
    let mut report = session.report(&known, &found.problems());
    // Whoever wants to log in and mend that needs accounts and keys.
    let unkept = unkept.map(|error| {
        let hint =
            "see whether /var/lib/firstlight can be written to; what can be done without is done";
        Problem::error(None, format!("{error:#}")).hint(hint)
    });
    let told = failure.iter().chain(&unkept).map(ProblemReport::from);
    report.problems.extend(told);
    report.problems.iter().for_each(log_problem);
    if session.settings.cloud_init_compat {
        let instance = Instance {
            metadata: &known.metadata,
            datasource: &known.datasource,
            image: &session.image.config,
            config: &known.prepared.config,
            user_config: &known.prepared.user_config,
            user_data: &found.user_data,
            vendor_data: &found.vendor_data,
        };
        cloud_init::know(&session.host, &instance);
        cloud_init::log_problems(&session.host, &report.problems);
    }
    for effect in report_file::instance_files(&known.metadata, &known.prepared.params) {
        if let Err(error) = session.host.apply(&effect) {
            tracing::error!("cannot publish: {}", contract::error::chain(&error));
        }
    }
    Ok((known, report))
}

/// Goes on with what an earlier stage of this boot stored.
fn go_on(session: &mut Session) -> anyhow::Result<(Known, Report)> {
    let mut known = session.recall_or_fail()?;
    let Some(report) = so_far(session) else {
        session.check(&mut known);
        let report = session.report(&known, &[]);
        return Ok((known, report));
    };
    let stored = known.metadata.instance_id.as_str();
    let told = report.instance_id.as_deref().unwrap_or(stored);
    anyhow::ensure!(
        told == stored,
        "this is instance {told}, of which nothing could be kept: what is stored is of {stored}"
    );
    Ok((known, report))
}

/// What was done before. Where that cannot be known, what may be done twice still is.
fn semaphores(session: &Session, known: &Known) -> (Semaphores, Vec<Problem>) {
    match session.reconciled(known) {
        Ok((all, told)) => {
            let odd = all.problems().iter().cloned().chain(told).collect();
            (all, odd)
        }
        Err(error) => {
            let dir = Store::dir_of(&known.metadata.instance_id);
            let problem = Problem::error(None, format!("{error:#}"))
                .hint("scripts are not run, as they may have run before");
            (Semaphores::unreadable(&dir), vec![problem])
        }
    }
}

/// Says in the report why stages came to nothing, so that nobody waits for them.
pub(crate) fn give_up(session: &Session, stages: &[Stage], error: &anyhow::Error) {
    let mut report = so_far(session).unwrap_or_else(|| {
        let mut report = Report::new();
        report.boot_id = system::boot_id(&session.host);
        report
    });
    let problem = Problem::error(None, format!("{error:#}"));
    report.problems.push(ProblemReport::from(&problem));
    for stage in stages {
        let mut stage = unfinished(*stage);
        stage.finished = Some(stage.started);
        report.note(stage);
    }
    session::publish(session, &report);
}

/// The report of this boot: one of an earlier boot says nothing about this one.
pub(crate) fn so_far(session: &Session) -> Option<Report> {
    let boot_id = system::boot_id(&session.host);
    report_file::read(&session.host).filter(|report| report.boot_id == boot_id)
}

fn nobody() -> anyhow::Result<Found> {
    let id: InstanceId = NO_INSTANCE.parse()?;
    Ok(Found {
        metadata: contract::instance::InstanceMetadata::new(id, "none"),
        user_data: UserData::default(),
        vendor_data: VendorData::default(),
        warnings: Vec::new(),
        errors: Vec::new(),
    })
}

fn unfinished(stage: Stage) -> StageReport {
    StageReport {
        stage,
        started: session::now(),
        finished: None,
        programs_us: 0,
        modules: Vec::new(),
    }
}

fn log(stage: Stage, module: &ModuleReport) {
    let outcome = outcome_word(&module.outcome);
    let (name, stage, duration_us) = (module.name.as_str(), stage.as_str(), module.duration_us);
    let failed = matches!(
        module.outcome,
        Outcome::Failed | Outcome::FailedBefore(_) | Outcome::Interrupted(_)
    );
    if failed {
        tracing::error!(
            module = name,
            stage,
            outcome,
            duration_us,
            "{name}: {outcome}"
        );
    } else {
        tracing::info!(
            module = name,
            stage,
            outcome,
            duration_us,
            "{name}: {outcome}"
        );
    }
    for problem in &module.problems {
        match problem.severity {
            Severity::Notice => tracing::info!(module = name, stage, "{problem}"),
            Severity::Warning => tracing::warn!(module = name, stage, "{problem}"),
            Severity::Error => tracing::error!(module = name, stage, "{problem}"),
        }
    }
    for step in &module.steps {
        if let Some(error) = &step.error {
            let step = step.name.as_str();
            tracing::error!(
                module = name,
                stage,
                step,
                "{name}/{step}: {}",
                error.message
            );
        }
    }
}

pub(crate) fn log_problem(problem: &ProblemReport) {
    match problem.severity {
        Severity::Notice => tracing::info!("{problem}"),
        Severity::Warning => tracing::warn!("{problem}"),
        Severity::Error => tracing::error!("{problem}"),
    }
}

/// Whether a module of the stage failed at this boot: what makes a unit of cloud-init fail.
pub(crate) fn has_failed(stage: &StageReport) -> bool {
    let mut outcomes = stage.modules.iter().map(|module| &module.outcome);
    outcomes.any(|outcome| *outcome == Outcome::Failed)
}

/// `changed`, `unchanged`, `failed` ...
pub(crate) const fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Changed => "changed",
        Outcome::Unchanged => "unchanged",
        Outcome::WouldChange => "would change",
        Outcome::Skipped(_) => "skipped",
        Outcome::Failed => "failed",
        Outcome::FailedBefore(_) => "failed before",
        Outcome::Interrupted(_) => "interrupted",
    }
}

/// Files that switch it off.
pub(crate) const MARKERS: [&str; 2] =
    ["/etc/firstlight/disabled", "/etc/cloud/cloud-init.disabled"];

/// The units that do a boot, in their order.
const UNITS: [&str; 2] = ["firstlight.service", "firstlight-final.service"];

/// What is told of a boot that is stuck.
pub(crate) const STUCK: &str = "a unit of firstlight failed, so that this boot does not go on: see \
                                `systemctl status firstlight.service firstlight-final.service`";

/// Whether nobody goes on with a boot that is not over: nobody is at it, and a unit failed.
pub(crate) fn is_stuck(host: &Host) -> bool {
    !RunLock::is_held(host) && system::any_failed(host, &UNITS)
}

/// Whether firstlight is switched off on this machine, and by what.
///
/// The units' conditions say the same, as far as systemd can tell.
pub(crate) fn switched_off(session: &Session) -> Option<String> {
    let probe: &dyn Probe = &session.host;
    let marker = MARKERS.iter().find(|path| {
        probe
            .kind(std::path::Path::new(path))
            .is_ok_and(|kind| kind.is_some())
    });
    let word = || engine::kernel::switches_off(probe);
    let word = || Some(format!("the kernel command line says `{}`", word()?));
    let container = || {
        let is_off = probe.is_container() && session.named_source().is_none();
        is_off.then(|| {
            "this is a container, and its image names no data source (datasource_list with one name \
             besides None, or a seed)"
                .to_owned()
        })
    };
    let marker = marker.map(|path| format!("{path} exists"));
    marker.or_else(word).or_else(container)
}
