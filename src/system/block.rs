//! Text files that others write as well.

use std::io;

use contract::effect::{BlockSpec, Mode, Text};
use contract::error::EffectError;
use contract::machine::{Change, Probe};
use contract::secret::Secret;
use nix::sys::stat::FileStat;

use crate::files::{self, Ids, Spot};
use crate::host::Host;
use crate::program;
use crate::root::stat;
use crate::tools;

/// Brings the text into the file, unless it is so already or the result would not be valid.
pub(crate) fn apply(host: &Host, spec: &BlockSpec) -> Result<Change, EffectError> {
    let old = host.read(&spec.at).map_err(|source| EffectError::Read {
        path: spec.at.clone(),
        source,
    })?;
    let Some(new) = joined(old.as_deref(), spec) else {
        return Ok(Change::AlreadySo);
    };
    if let Some(check) = &spec.check
        && check
            .first()
            .is_some_and(|name| program::is_there(host, name))
    {
        // Where it cannot be run there is no system yet that the text could break.
        tools::feed(host, check, &Secret::new(new.clone()))
            .map_err(|error| refused(spec, error))?;
    }
    let (spot, now) = spot(host, spec).map_err(|source| EffectError::Write {
        path: spec.at.clone(),
        source,
    })?;
    let dress = now.map(|now| (Mode::new(now.st_mode), Ids::Known(now.st_uid, now.st_gid)));
    let (mode, ids) = dress.unwrap_or_else(|| (spec.mode, Ids::own()));
    files::write(host, &spot, &new, mode, ids)
}

/// Where the file is, the link followed that stands there, and what is there now.
fn spot(host: &Host, spec: &BlockSpec) -> io::Result<(Spot, Option<FileStat>)> {
    let (dir, name) = host.root.parent(&spec.at, true)?;
    let path = spec.at.clone();
    let spot = files::follow(host, Spot { dir, name, path })?;
    let now = stat(&spot.dir, &spot.name)?;
    Ok((spot, now))
}

/// A checker speaks of the file as it would be, in its own many lines.
fn refused(spec: &BlockSpec, error: EffectError) -> EffectError {
    match error {
        EffectError::Command {
            program,
            code: Some(_),
            ..
        } => EffectError::Refused {
            path: spec.at.clone(),
            reason: format!(
                "`{program}` says that the {} are not valid; nothing is written",
                spec.what
            ),
        },
        other => other,
    }
}

/// The file's bytes with the text in it; `None` if they are so already.
pub(crate) fn joined(old: Option<&[u8]>, spec: &BlockSpec) -> Option<Vec<u8>> {
    let (text, head) = match &spec.text {
        Text::All(text) => {
            let is_so = old == Some(text.as_bytes());
            return (!is_so).then(|| text.clone().into_bytes());
        }
        Text::Added { text, head } => (text.as_bytes(), head.as_bytes()),
    };
    let Some(old) = old else {
        return Some([head, text].concat());
    };
    let is_there = text.is_empty() || old.windows(text.len()).any(|part| part == text);
    (!is_there).then(|| [old, text].concat())
}
