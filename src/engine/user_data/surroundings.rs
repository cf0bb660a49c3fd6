//! Decoding with what is around user data: what it includes, and what was kept of that.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use contract::fetch::{Fetch, FetchError, Wanted, shown};
use contract::hex::hex;
use contract::machine::Probe;
use contract::part_handler::Examine;
use contract::secret::Secret;
use contract::user_data::UserData;
use sha2::{Digest, Sha256};

use super::decoder::{Decoded, Decoder, Next};
use super::include::Include;
use crate::settings::Parameters;

/// What one try may take, how many there are, and the pause between two. Source: cloud-init,
/// `cloudinit/user_data.py`, `_do_include`.
const TIMEOUT: Duration = Duration::from_secs(5);
const TRIES: u32 = 11;
const PAUSE: Duration = Duration::from_secs(1);

/// What all includes together may take.
const BUDGET: Duration = Duration::from_secs(120);

/// What is around user data: what it includes, and who runs what has to be run to understand it.
pub struct Surroundings<'a> {
    /// How far user data reaches.
    pub reach: Reach<'a>,
    /// Asks part handlers what they take; `None`: nothing is run.
    pub examine: Option<&'a dyn Examine>,
    /// The machine, if there is one, on which is kept what came of it earlier.
    pub probe: Option<&'a dyn Probe>,
    /// The directory where that is, an absolute path there.
    pub dir: PathBuf,
}

/// How far user data reaches.
#[derive(Clone, Copy)]
pub enum Reach<'a> {
    /// What an address holds is fetched.
    Addresses(&'a dyn Fetch),
    /// Only what is kept counts: a later stage of a boot goes on with what the first one had.
    Kept,
    /// The text itself: an include is left out with a notice, if its address is one.
    Itself(&'a dyn Fetch),
}

/// Takes every address for a good one, and fetches none: for user data that is only looked at.
#[derive(Debug, Clone, Copy)]
struct Offline;

impl Fetch for Offline {
    fn check(&self, _: &str) -> Result<(), FetchError> {
        Ok(())
    }

    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Secret<Vec<u8>>, FetchError> {
        Err(FetchError::Address {
            url: shown(wanted.url),
            reason: "nothing is fetched here".to_owned(),
        })
    }
}

/// What an include gave.
enum Got {
    Body(Secret<Vec<u8>>),
    /// Nobody asked, and nothing is wrong.
    LeftOut,
}

/// A body to keep in a file, or a file that is not to be there.
pub(crate) type Kept = (PathBuf, Option<Secret<Vec<u8>>>);

/// Decodes user data with everything that it includes; what was fetched comes back to be kept.
/// `source` is what the whole is called in problems.
pub(crate) fn decode(
    data: &UserData,
    source: &str,
    vendor: bool,
    parameters: &Parameters,
    around: &Surroundings<'_>,
) -> (Decoded, Vec<Kept>) {
    let begun = Instant::now();
    let mut kept = Vec::new();
    let mut decoder = Decoder::new(data.bytes(), source, vendor, parameters);
    loop {
        match decoder.next() {
            Next::Done(decoded) => return (decoded, kept),
            Next::Fetch(include, most) => {
                let left = BUDGET.saturating_sub(begun.elapsed());
                match around.get(&include, most, left, &mut kept) {
                    Ok(Got::Body(body)) => decoder.supply(&body),
                    Ok(Got::LeftOut) => decoder.leave_out(),
                    Err(why) => decoder.fail(why),
                }
            }
        }
    }
}

impl<'a> Surroundings<'a> {
    /// None: includes are left out with a notice, whatever their address.
    #[must_use]
    pub fn none() -> Self {
        Self::known_by(&Offline)
    }

    /// None: includes are left out with a notice, if `fetch` takes their address for one.
    #[must_use]
    pub fn known_by(fetch: &'a dyn Fetch) -> Self {
        Self {
            reach: Reach::Itself(fetch),
            examine: None,
            probe: None,
            dir: PathBuf::new(),
        }
    }

    fn get(
        &self,
        include: &Include,
        most: usize,
        left: Duration,
        kept: &mut Vec<Kept>,
    ) -> Result<Got, String> {
        let path = self.dir.join(hex(&Sha256::digest(include.url.as_bytes())));
        if include.once || matches!(self.reach, Reach::Kept) {
            let body = self.probe.and_then(|probe| probe.read(&path).ok()?);
            if let Some(body) = body.filter(|body| body.len() <= most && include.accepts(body)) {
                return Ok(Got::Body(Secret::new(body)));
            }
        }
        let url = shown(&include.url);
        let fetch = match self.reach {
            Reach::Addresses(fetch) => fetch,
            Reach::Kept => return Err(format!("{url} was not got when the machine booted")),
            Reach::Itself(fetch) => {
                let checked = fetch.check(&include.url).map(|()| Got::LeftOut);
                return checked.map_err(|error| error.to_string());
            }
        };
        let fetched = fetched(fetch, &include.url, most, left);
        let fetched = fetched.and_then(|body| {
            let why = || format!("{url} does not have the SHA-256 that is named for it");
            let is_it = include.accepts(body.expose());
            is_it.then_some(body).ok_or_else(why)
        });
        // So that later stages of this boot see the same failure, and not an earlier body.
        kept.push((path, fetched.as_ref().ok().cloned()));
        fetched.map(Got::Body)
    }
}

fn fetched(
    fetch: &dyn Fetch,
    url: &str,
    most: usize,
    left: Duration,
) -> Result<Secret<Vec<u8>>, String> {
    if left < PAUSE {
        let seconds = BUDGET.as_secs();
        return Err(format!("includes took longer than BUDGET ({seconds} s)"));
    }
    let per_try = TIMEOUT.min(left) + PAUSE;
    let tries = u32::try_from(left.as_millis() / per_try.as_millis().max(1));
    let wanted = Wanted {
        url,
        headers: &[],
        max_bytes: most,
        timeout: TIMEOUT.min(left),
        tries: tries.unwrap_or(TRIES).clamp(1, TRIES),
        pause: PAUSE,
    };
    fetch.fetch(&wanted).map_err(|error| error.to_string())
}
