//! Tools that run beside what follows them, without a thread: whenever something else is done, it is
//! looked whether the next one can start.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use contract::effect::{ToolSpec, Wait};
use contract::error::EffectError;
use contract::machine::{Change, Joined};

use crate::commands::Started;
use crate::host::Host;
use crate::lane::{Going, Lane};
use crate::tools;

/// Runs a planned tool now or, if it need not be waited for, when those before it have ended.
pub(crate) fn apply(host: &Host, spec: &ToolSpec) -> Result<Change, EffectError> {
    if spec.wait == Wait::Here {
        return tools::apply(host, spec);
    }
    if let Some(change) = tools::left(host, host, spec)? {
        return Ok(change);
    }
    lane(host).waiting.push_back(spec.clone());
    advance(host);
    Ok(Change::Begun)
}

/// Starts the next tool, if there is one and the one before it has ended.
pub(crate) fn advance(host: &Host) {
    let mut lane = lane(host);
    loop {
        if let Some((_, _, going)) = &mut lane.running {
            if going.is_running() {
                return;
            }
            end(&mut lane);
        }
        let Some(spec) = lane.waiting.pop_front() else {
            return;
        };
        match tools::begin(host, &spec) {
            Ok(started) => {
                let (what, wait) = (spec.what.clone(), spec.wait);
                lane.running = Some((what, wait, Box::new(Tool { spec, started })));
            }
            Err(error) => lane.over.push(Joined {
                what: spec.what,
                result: Err(error),
            }),
        }
    }
}

/// Waits for those that have to be waited for, and tells how all ended so far.
pub(crate) fn join(host: &Host) -> Vec<Joined> {
    loop {
        advance(host);
        let mut lane = lane(host);
        match &lane.running {
            Some((_, Wait::Never, _)) | None => return std::mem::take(&mut lane.over),
            Some(_) => end(&mut lane),
        }
    }
}

fn end(lane: &mut Lane) {
    if let Some((what, _, going)) = lane.running.take() {
        let result = going.end();
        lane.over.push(Joined { what, result });
    }
}

fn lane(host: &Host) -> MutexGuard<'_, Lane> {
    host.lane.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Tool {
    spec: ToolSpec,
    started: Started,
}

impl Going for Tool {
    fn is_running(&mut self) -> bool {
        self.started.is_running()
    }

    fn end(self: Box<Self>) -> Result<Change, EffectError> {
        let end: Result<Duration, EffectError> = self.started.end();
        tools::ended(&self.spec, end)
    }
}
