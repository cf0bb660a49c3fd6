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
use crate::settings;
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
    let hides = matches!(
        &spec.text,
        Text::Settings {
            is_secret: true,
            ..
        }
    );
    let kept = if hides { 0o770 } else { 0o7777 };
    let dress = now.map(|now| {
        let mode = Mode::new(now.st_mode & kept);
        (mode, Ids::Known(now.st_uid, now.st_gid))
    });
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
        Text::Settings { settings, .. } => return settings::with(old, settings),
        Text::Added { text, head } => (text.as_bytes(), head.as_bytes()),
    };
    let Some(old) = old else {
        return Some([head, text].concat());
    };
    let is_there = text.is_empty() || old.windows(text.len()).any(|part| part == text);
    // A last line without its end would become one with the text's first.
    let is_open = !old.is_empty() && !old.ends_with(b"\n") && !text.starts_with(b"\n");
    let end: &[u8] = if is_open { b"\n" } else { b"" };
    (!is_there).then(|| [old, end, text].concat())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "for tests only")]
mod tests {
    use super::*;

    #[test]
    fn text_is_added_on_lines_of_its_own() {
        #[rustfmt::skip]
        let table = [
            // before             text        after, if it is changed
            (None,                "b\n",      Some("# head\nb\n")),
            (Some(""),            "b\n",      Some("b\n")),
            (Some("a\n"),         "b\n",      Some("a\nb\n")),
            (Some("a"),           "b\n",      Some("a\nb\n")),
            (Some("a"),           "\nb\n",    Some("a\nb\n")),
            (Some("a\nb\nc\n"),   "b\n",      None),
            (Some("a\n"),         "",         None),
        ];
        for (before, text, after) in table {
            let spec = BlockSpec {
                what: "setting".into(),
                at: "/etc/x".into(),
                text: Text::Added {
                    text: text.into(),
                    head: "# head\n".into(),
                },
                mode: Mode::PUBLIC,
                check: None,
            };
            let new = joined(before.map(str::as_bytes), &spec);
            let new = new.map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(new.as_deref(), after, "{before:?} {text:?}");
        }
    }
}
