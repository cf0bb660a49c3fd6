//! What tools that know cloud-init look for, kept up to date while a boot goes on.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use contract::effect::Effect;
use contract::instance::InstanceMetadata;
use contract::machine::{Machine, Probe as _};
use contract::module::Stage;
use contract::output::{Output, Stream};
use contract::plan::Problem;
use contract::report::{ModuleReport, ProblemReport, Report};
use engine::cloud_init::{self, Instance, Marks, log};
use engine::semaphore::Semaphores;
use engine::store::Store;
use system::Host;

/// A boot begins: it runs from now on, for everybody who waits.
pub(crate) fn begin(machine: &dyn Machine) {
    perform(machine, cloud_init::begun(machine));
    tell(machine, log::begins(machine, None));
}

/// A stage begins.
pub(crate) fn begin_stage(machine: &dyn Machine, stage: Stage) {
    tell(machine, log::begins(machine, Some(stage)));
}

/// A module is over.
pub(crate) fn log_module(machine: &dyn Machine, module: &ModuleReport) {
    append(machine, log::LOG, &log::of_module(module));
}

/// What is wrong with what was asked for.
pub(crate) fn log_problems(machine: &dyn Machine, problems: &[ProblemReport]) {
    append(machine, log::LOG, &log::of_problems("firstlight", problems));
}

/// Says in both logs where the boot is.
fn tell(machine: &dyn Machine, text: Option<String>) {
    if let Some(text) = text {
        append(machine, log::LOG, &log::line("INFO", "firstlight", &text));
        append(machine, log::OUTPUT_LOG, &format!("{text}\n"));
    }
}

fn append(machine: &dyn Machine, path: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    if let Err(error) = machine.append(Path::new(path), text.as_bytes(), false) {
        tracing::warn!("cannot write to {path}: {}", contract::error::chain(&error));
    }
}

/// Where a stage's output goes. What cloud-init's images have in their configuration is what the log
/// is anyway, without a process that copies it.
///
/// Source: cloud-init, `config/cloud.cfg.d/05_logging.cfg`.
pub(crate) fn output(is_on: bool, wanted: Output) -> Output {
    let usual = Output {
        out: Stream::Pipe(format!("tee -a {}", log::OUTPUT_LOG)),
        err: None,
    };
    if is_on && wanted == usual {
        return Output::default();
    }
    wanted
}

/// Nothing is run on this machine.
pub(crate) fn disable(machine: &dyn Machine) {
    perform(machine, cloud_init::disabled());
}

/// It is known which instance this is.
pub(crate) fn know(machine: &dyn Machine, instance: &Instance<'_>) {
    perform(machine, cloud_init::known(machine, instance));
}

/// Takes in what others have done about semaphores, and tells of it.
pub(crate) fn reconcile(
    machine: &dyn Machine,
    semaphores: &mut Semaphores,
    marks: &Marks,
    dry: bool,
) -> Vec<Problem> {
    cloud_init::reconcile(machine, semaphores, marks, dry).unwrap_or_else(|error| {
        let why = contract::error::chain(&error);
        let message = format!("cloud-init's semaphores are not regarded: {why}");
        vec![Problem::warning(None, message)]
    })
}

/// Where the scripts of an instance's user data are: tools look for them where cloud-init has them.
pub(crate) fn scripts_dir(is_on: bool, metadata: &InstanceMetadata) -> PathBuf {
    let id = &metadata.instance_id;
    if is_on {
        cloud_init::scripts_dir(id)
    } else {
        Store::dir_of(id).join("scripts")
    }
}

/// A stage has come to its end.
pub(crate) fn over(machine: &dyn Machine, stage: Stage, metadata: &InstanceMetadata) {
    perform(machine, cloud_init::over(machine, stage, metadata));
    if stage == Stage::Final {
        let text = log::ended(machine);
        append(machine, log::LOG, &log::line("INFO", "firstlight", &text));
    }
}

/// The boot is as far as the report says.
pub(crate) fn publish(machine: &dyn Machine, report: &Report) {
    perform(machine, cloud_init::published(machine, report));
}

/// Nothing more is run, and why: nobody shall wait for it.
pub(crate) fn fail(machine: &dyn Machine, why: &str) {
    perform(machine, cloud_init::failed(machine, why));
}

/// Removes what is kept of instances for cloud-init's tools, as its own `clean` does; a seed, which is
/// the image's, only if that is wanted. Tells what was there.
///
/// Source: cloud-init, `cloudinit/cmd/clean.py` (`remove_artifacts`).
pub(crate) fn clean(host: &Host, with_seed: bool) -> anyhow::Result<Vec<PathBuf>> {
    let dir = Path::new("/var/lib/cloud");
    let mut removed = Vec::new();
    for name in host.list(dir)?.unwrap_or_default() {
        let path = dir.join(&name);
        if name == "seed" && !with_seed {
            continue;
        }
        if system::remove(host, &path)
            .with_context(|| format!("cannot remove {}", path.display()))?
        {
            removed.push(path);
        }
    }
    Ok(removed)
}

/// What cannot be kept is told of, and stops nobody.
fn perform(machine: &dyn Machine, effects: Vec<Effect>) {
    for effect in effects {
        let Err(error) = machine.apply(&effect) else {
            continue;
        };
        tracing::warn!("cloud_init_compat: {}", contract::error::chain(&error));
        for instead in cloud_init::instead(&effect) {
            if let Err(error) = machine.apply(&instead) {
                tracing::warn!("cloud_init_compat: {}", contract::error::chain(&error));
            }
        }
    }
}
