//! `#include` and `#include-once`: user data that is somewhere else.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use contract::fetch::{Fetch, FetchError, Wanted, shown};
use contract::machine::Probe;
use contract::place::Place;
use contract::secret::Secret;
use contract::user_data::UserData;
use sha2::{Digest, Sha256};

use super::Leaf;
use super::decoder::{Decoded, Decoder, Next};
use crate::settings::Parameters;

/// What one try may take, how many there are, and the pause between two. Source: cloud-init,
/// `cloudinit/user_data.py`, `_do_include`.
const TIMEOUT: Duration = Duration::from_secs(5);
const TRIES: u32 = 11;
const PAUSE: Duration = Duration::from_secs(1);

/// What all includes together may take.
const BUDGET: Duration = Duration::from_secs(120);

/// One address of an include.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Include {
    /// It may hold a secret: see [`shown`].
    pub(super) url: String,
    /// Whether it is fetched once for each instance, and not at every boot.
    pub(super) once: bool,
    /// What its SHA-256 has to be, in hexadecimal digits.
    pub(super) pin: Option<String>,
    /// Where it stands.
    pub(super) place: Place,
}

impl Include {
    fn accepts(&self, body: &[u8]) -> bool {
        let pin = self.pin.as_ref();
        pin.is_none_or(|pin| pin.eq_ignore_ascii_case(&hex(&Sha256::digest(body))))
    }
}

/// How includes are got: over the network, or from where an earlier boot kept them.
pub struct Includes<'a> {
    /// Gets what an address holds.
    pub fetch: &'a dyn Fetch,
    /// The machine on which earlier ones are kept, if there is one.
    pub probe: Option<&'a dyn Probe>,
    /// The directory where they are, an absolute path there.
    pub dir: PathBuf,
    /// Whether only kept ones count: a later stage of a boot goes on with what the first had.
    pub only_kept: bool,
}

/// Fetches nothing: for user data that is only looked at.
#[derive(Debug, Clone, Copy)]
pub struct Offline;

impl Fetch for Offline {
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Secret<Vec<u8>>, FetchError> {
        Err(FetchError::Address {
            url: shown(wanted.url),
            reason: "nothing is fetched here".to_owned(),
        })
    }
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
    includes: &Includes<'_>,
) -> (Decoded, Vec<Kept>) {
    let begun = Instant::now();
    let mut kept = Vec::new();
    let mut decoder = Decoder::new(data.bytes(), source, vendor, parameters);
    loop {
        match decoder.next() {
            Next::Done(decoded) => return (decoded, kept),
            Next::Fetch(include, most) => {
                let left = BUDGET.saturating_sub(begun.elapsed());
                match includes.get(&include, most, left, &mut kept) {
                    Ok(body) => decoder.supply(&body),
                    Err(why) => decoder.fail(why),
                }
            }
        }
    }
}

impl Includes<'_> {
    /// None: user data that includes something is not used.
    #[must_use]
    pub fn none() -> Self {
        Self {
            fetch: &Offline,
            probe: None,
            dir: PathBuf::new(),
            only_kept: false,
        }
    }

    fn get(
        &self,
        include: &Include,
        most: usize,
        left: Duration,
        kept: &mut Vec<Kept>,
    ) -> Result<Secret<Vec<u8>>, String> {
        let path = self.dir.join(hex(&Sha256::digest(include.url.as_bytes())));
        if include.once || self.only_kept {
            let body = self.probe.and_then(|probe| probe.read(&path).ok()?);
            if let Some(body) = body.filter(|body| body.len() <= most && include.accepts(body)) {
                return Ok(Secret::new(body));
            }
        }
        let url = shown(&include.url);
        if self.only_kept {
            return Err(format!("{url} was not got when the machine booted"));
        }
        let fetched = self.fetch(&include.url, most, left);
        let fetched = fetched.and_then(|body| {
            let why = || format!("{url} does not have the SHA-256 that is named for it");
            let is_it = include.accepts(body.expose());
            is_it.then_some(body).ok_or_else(why)
        });
        // So that later stages of this boot see the same failure, and not an earlier body.
        kept.push((path, fetched.as_ref().ok().cloned()));
        fetched
    }

    fn fetch(&self, url: &str, most: usize, left: Duration) -> Result<Secret<Vec<u8>>, String> {
        if left < PAUSE {
            let seconds = BUDGET.as_secs();
            return Err(format!("includes took longer than BUDGET ({seconds} s)"));
        }
        let per_try = TIMEOUT.min(left) + PAUSE;
        let tries = u32::try_from(left.as_millis() / per_try.as_millis().max(1));
        self.fetch
            .fetch(&Wanted {
                url,
                headers: &[],
                max_bytes: most,
                timeout: TIMEOUT.min(left),
                tries: tries.unwrap_or(TRIES).clamp(1, TRIES),
                pause: PAUSE,
            })
            .map_err(|error| error.to_string())
    }
}

/// The addresses of an include, in order. Each word switches to its own way, and an address may
/// stand behind it; other lines that begin with `#` are comments.
pub(super) fn addresses(leaf: &Leaf, source: &str) -> Vec<Include> {
    let text = String::from_utf8_lossy(&leaf.body);
    let mut once = false;
    let mut addresses = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let rest = match (after(line, "#include-once"), after(line, "#include")) {
            (Some(rest), _) => {
                once = true;
                rest.trim_start()
            }
            (None, Some(rest)) => {
                once = false;
                rest.trim_start()
            }
            (None, None) => line,
        };
        let url = rest.trim();
        if rest.starts_with('#') || url.is_empty() {
            continue;
        }
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        let place = Place::new(source, leaf.first_line.max(1).saturating_add(number), 1);
        let (url, pin) = match url.rsplit_once("#sha256=") {
            Some((url, pin)) => (url, Some(pin.to_owned())),
            None => (url, None),
        };
        let local = Path::new(url).is_absolute();
        addresses.push(Include {
            url: if local {
                format!("file://{url}")
            } else {
                url.to_owned()
            },
            once,
            pin,
            place,
        });
    }
    addresses
}

/// What follows a word, in any case, at the beginning of a line.
fn after<'l>(line: &'l str, word: &str) -> Option<&'l str> {
    let start = line.get(..word.len())?;
    let found = start.eq_ignore_ascii_case(word);
    found.then(|| line.get(word.len()..).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
