//! The names that apt knows.

use std::collections::BTreeSet;

use contract::effect::ToolSpec;
use contract::error::EffectError;

use crate::commands::{self, Start};
use crate::host::Host;
use crate::kept::{Kept, Which};

/// The names of all packages that apt's lists know.
pub(super) fn names(host: &Host) -> Result<BTreeSet<String>, EffectError> {
    let kept = Kept::new(Which::Out).map_err(|source| EffectError::System {
        what: "keep the names of packages",
        source,
    })?;
    let start = Start {
        argv: &["apt-cache".to_owned(), "pkgnames".to_owned()],
        label: "apt-cache",
        env: &[],
        stdin: &[],
        timeout: Some(ToolSpec::TIMEOUT),
        is_ours: true,
        is_beside: false,
        kept: Some(&kept),
    };
    commands::spawn(host, &start)?;
    Ok(kept.text().lines().map(ToOwned::to_owned).collect())
}
