//! The last act of a run: the machine goes down, when everything else is done and on the disk.

use contract::machine::Probe;
use contract::plan::Problem;
use contract::report::ProblemReport;
use engine::semaphore::{Record, Semaphores};
use engine::store::Store;
use system::Ending;

use crate::session::Session;

/// Ends the machine's run, if that was asked for. What there is to tell when the machine stays up.
pub(crate) fn perform(session: &Session) -> Option<ProblemReport> {
    let spec = session.host.take_ending()?;
    let (module, action) = (spec.asked_by, spec.action.as_str());
    let problem = if is_recorded(&session.host, module) {
        tracing::info!("{module}: {action}");
        match session.host.end(&spec) {
            Ok(Ending::Begun) => return None,
            Ok(Ending::Declined) => {
                let message = format!("{module}: no {action}: its condition says no");
                Problem::notice(None, message)
            }
            Ok(Ending::Unclear(error)) => {
                let why = contract::error::chain(&error);
                let message = format!("{module}: no {action}: its condition is not clear: {why}");
                Problem::warning(None, message)
            }
            Err(error) => {
                let why = contract::error::chain(&error);
                Problem::error(None, format!("{module}: no {action}: {why}"))
            }
        }
    } else {
        // Else the next boot would end so as well, and every boot after it.
        let message = format!("{module}: no {action}: it is not recorded that it was asked for");
        Problem::error(None, message).hint("see whether /var/lib/firstlight can be written to")
    };
    Some(ProblemReport::from(&problem))
}

/// Whether a module is over for this instance, by what the disk says.
fn is_recorded(probe: &dyn Probe, module: &str) -> bool {
    let Some(id) = Store::current(probe) else {
        return false;
    };
    let recorded = Semaphores::load(probe, &Store::dir_of(&id));
    recorded.is_ok_and(|recorded| {
        matches!(
            recorded.get(module),
            Record::Done { .. } | Record::Failed { .. }
        )
    })
}
