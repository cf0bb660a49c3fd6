//! What became of each package.

use contract::error::{EffectError, chain};
use contract::machine::Change;
use contract::secret::without_passwords;

/// What became of the packages that were asked for, and were not there.
#[derive(Default)]
pub(super) struct Outcome {
    /// With their versions, where these can be told.
    pub(super) installed: Vec<String>,
    /// The manager knows no such package.
    pub(super) unknown: Vec<String>,
    pub(super) failed: Vec<String>,
    pub(super) errors: Vec<EffectError>,
    /// Why the lists may be old.
    pub(super) stale: Option<String>,
}

impl Outcome {
    /// All of it: a change, or the error that names what is not installed and what is.
    pub(super) fn change(self) -> Result<Change, EffectError> {
        if self.errors.is_empty() && self.unknown.is_empty() && self.failed.is_empty() {
            return Ok(Change::Made {
                note: Some(self.installed.join(", ")),
            });
        }
        let mut said: Vec<String> = self.errors.iter().map(|error| chain(error)).collect();
        let list = |what: &str, names: &[String]| {
            (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
        };
        said.extend(list("no such package", &self.unknown));
        said.extend(list("not installed", &self.failed));
        said.extend(list("installed", &self.installed));
        let stale = self
            .stale
            .map(|why| format!("the lists are not fresh: {why}"));
        said.extend(stale);
        let transient = |error: &EffectError| {
            matches!(
                error,
                EffectError::Packages {
                    transient: true,
                    ..
                }
            )
        };
        Err(EffectError::Packages {
            message: without_passwords(&said.join("; ")).into_owned(),
            transient: self.errors.iter().any(transient),
        })
    }
}
