//! Forms that are sent to somebody.

use std::time::Duration;

use contract::effect::PostSpec;
use contract::error::EffectError;
use contract::fetch::{FetchError, Wanted, shown};
use contract::machine::{Change, NotDone};
use net::fetch::Fetcher;

use crate::host::Host;

/// Nobody reads the answer; a longer one is an error, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(30);
/// Source: cloud-init, `cloudinit/config/cc_phone_home.py` (`sec_between`).
const PAUSE: Duration = Duration::from_secs(3);

/// Sends it, until somebody takes it.
pub(crate) fn apply(host: &Host, spec: &PostSpec) -> Result<Change, EffectError> {
    if !host.is_live() {
        return Ok(Change::NotDone(NotDone::NeedsLiveMachine));
    }
    let url = spec.url.expose();
    let wanted = Wanted {
        url,
        headers: &[],
        max_bytes: MAX_BYTES,
        timeout: TIMEOUT,
        tries: spec.tries,
        pause: PAUSE,
    };
    let sent = Fetcher::new(host.s3.clone(), None, None).post(&wanted, &spec.form);
    sent.map_err(|error| EffectError::Send {
        to: shown(url),
        transient: !matches!(error, FetchError::Address { .. }),
        source: Box::new(error),
    })?;
    Ok(Change::MADE)
}
