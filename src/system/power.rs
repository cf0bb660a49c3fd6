//! The end of the machine's run: kept until everything is done and recorded, and then brought about.

use std::path::Path;
use std::sync::PoisonError;

use contract::effect::{CommandSpec, PowerCondition, PowerSpec, ToolSpec};
use contract::error::EffectError;
use contract::machine::{Change, Machine as _, NotDone, Probe};

use crate::commands::{self, Start};
use crate::host::Host;

/// What became of an end that was asked for.
#[derive(Debug)]
pub enum Ending {
    /// The command for it was accepted.
    Begun,
    /// Its condition says no.
    Declined,
    /// Its condition could not be told, which counts as a no.
    Unclear(EffectError),
}

/// Keeps it for [`Host::end`].
pub(crate) fn keep(host: &Host, spec: &PowerSpec) -> Result<Change, EffectError> {
    if let Some(change) = left(host, host, spec)? {
        return Ok(change);
    }
    *host.power.lock().unwrap_or_else(PoisonError::into_inner) = Some(spec.clone());
    Ok(Change::Made {
        note: Some(format!("`{}` when the run is over", spec.argv.join(" "))),
    })
}

/// What performing it would change.
pub(crate) fn preview(
    host: &Host,
    probe: &dyn Probe,
    spec: &PowerSpec,
) -> Result<Change, EffectError> {
    if let Some(change) = left(host, probe, spec)? {
        return Ok(change);
    }
    let line = format!("`{}` would be run at the end", spec.argv.join(" "));
    Ok(Change::WouldMake { diff: vec![line] })
}

/// Whether what was kept ends the run.
pub(crate) fn ends_here(host: &Host) -> bool {
    let kept = host.power.lock().unwrap_or_else(PoisonError::into_inner);
    kept.as_ref().is_some_and(|spec| spec.ends_run)
}

fn left(host: &Host, probe: &dyn Probe, spec: &PowerSpec) -> Result<Option<Change>, EffectError> {
    if !host.is_live() {
        return Ok(Some(Change::NotDone(NotDone::NeedsLiveMachine)));
    }
    if !host.privileged {
        return Ok(Some(Change::NotDone(NotDone::NeedsRoot)));
    }
    let PowerCondition::AnyFile(files) = spec.condition else {
        return Ok(None);
    };
    for file in files.iter().map(Path::new) {
        let found = probe.kind(file).map_err(|source| EffectError::Read {
            path: file.to_owned(),
            source,
        })?;
        if found.is_some() {
            return Ok(None);
        }
    }
    Ok(Some(Change::AlreadySo))
}

impl Host {
    /// The end of the machine's run that was asked for, once.
    pub fn take_ending(&self) -> Option<PowerSpec> {
        self.power
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Ends the machine's run. To be done when everything else is done and recorded.
    ///
    /// # Errors
    /// When the command for it failed: the machine stays up.
    pub fn end(&self, spec: &PowerSpec) -> Result<Ending, EffectError> {
        if let PowerCondition::Command(program) = &spec.condition {
            let command = CommandSpec {
                label: "condition".to_owned(),
                program: program.clone(),
                env: Vec::new(),
                timeout: None,
            };
            match commands::run(self, &command) {
                Ok(_) => {}
                Err(EffectError::Command { code: Some(1), .. }) => return Ok(Ending::Declined),
                Err(error) => return Ok(Ending::Unclear(error)),
            }
        }
        self.settle()?;
        let label = spec.argv.first().map_or("", String::as_str);
        let start = Start {
            argv: &spec.argv,
            label,
            env: &[],
            stdin: &[],
            timeout: Some(ToolSpec::TIMEOUT),
            is_ours: true,
            is_beside: false,
            kept: None,
        };
        commands::spawn(self, &start)?;
        Ok(Ending::Begun)
    }
}
