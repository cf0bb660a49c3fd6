//! Tools of the system, which are run again without harm.

use std::cmp::Reverse;
use std::time::Duration;

use contract::effect::{ToolSpec, Wait};
use contract::error::EffectError;
use contract::machine::{Change, NotDone, Probe};
use contract::secret::{REDACTED, Secret};

use crate::commands::{self, Start, Started};
use crate::host::Host;
use crate::program::elsewhere;

/// Runs a planned tool, unless that is not needed or not possible here.
pub(crate) fn apply(host: &Host, spec: &ToolSpec) -> Result<Change, EffectError> {
    if let Some(change) = left(host, host, spec)? {
        return Ok(change);
    }
    ended(spec, begin(host, spec)?.end())
}

/// Starts a planned tool.
pub(crate) fn begin(host: &Host, spec: &ToolSpec) -> Result<Started, EffectError> {
    let start = Start {
        argv: &spec.argv,
        label: name(spec),
        env: &spec.env,
        stdin: spec.stdin.expose(),
        timeout: Some(spec.timeout),
        is_ours: true,
        is_beside: spec.wait != Wait::Here,
        kept: None,
    };
    commands::begin(host, &start)
}

/// What became of a planned tool.
pub(crate) fn ended(
    spec: &ToolSpec,
    end: Result<Duration, EffectError>,
) -> Result<Change, EffectError> {
    match end {
        Ok(_) => Ok(Change::MADE),
        Err(EffectError::Command {
            code: Some(code), ..
        }) if spec.unchanged.contains(&code) => Ok(Change::AlreadySo),
        Err(EffectError::Command {
            program,
            ended,
            code,
        }) => Err(EffectError::Command {
            program,
            ended: without_secrets(ended, spec.stdin.expose()),
            code,
        }),
        Err(error) => Err(error),
    }
}

/// Shorter words are in many a message by chance.
const SHORTEST: usize = 4;

/// A tool may repeat in its last words what it was given: each word or line of that, and what stands
/// in it behind `=` or `:`.
fn without_secrets(words: String, stdin: &[u8]) -> String {
    let given = String::from_utf8_lossy(stdin);
    let given = given.split(['\0', '\n']).map(str::trim);
    let values = given.flat_map(|word| {
        let value = |mark| word.split_once(mark).map(|(_, value)| value.trim());
        [Some(word), value('='), value(':')].into_iter().flatten()
    });
    let mut secrets: Vec<&str> = values.filter(|value| value.len() >= SHORTEST).collect();
    // One may begin another.
    secrets.sort_by_key(|secret| Reverse(secret.len()));
    let blot = |words: String, secret: &str| words.replace(secret, REDACTED);
    secrets.into_iter().fold(words, blot)
}

/// Why a planned tool is not run, `None` if it is. `probe` sees the machine as it would be by then.
pub(crate) fn left(
    host: &Host,
    probe: &dyn Probe,
    spec: &ToolSpec,
) -> Result<Option<Change>, EffectError> {
    if let Some(path) = &spec.creates {
        let there = probe.kind(path).map_err(|source| EffectError::Read {
            path: path.clone(),
            source,
        })?;
        if there.is_some() {
            return Ok(Some(Change::AlreadySo));
        }
    }
    if spec.is_live_only && !host.is_live() {
        return Ok(Some(Change::NotDone(NotDone::NeedsLiveMachine)));
    }
    Ok(missing(host, probe, name(spec)).map(Change::NotDone))
}

/// Why a tool of the system cannot be run.
pub(crate) fn missing(host: &Host, probe: &dyn Probe, name: &str) -> Option<NotDone> {
    if host.privileged {
        elsewhere(host, probe, &[name.to_owned()])
    } else {
        Some(NotDone::NeedsRoot)
    }
}

/// Runs a tool of the system.
pub(crate) fn run<S: AsRef<str>>(host: &Host, argv: &[S]) -> Result<Change, EffectError> {
    feed(host, argv, &Secret::default())
}

/// Runs a tool of the system with this on its standard input.
pub(crate) fn feed<S: AsRef<str>>(
    host: &Host,
    argv: &[S],
    stdin: &Secret<Vec<u8>>,
) -> Result<Change, EffectError> {
    let argv: Vec<String> = argv.iter().map(|word| word.as_ref().to_owned()).collect();
    let label = argv.first().map_or("", String::as_str);
    if let Some(why) = elsewhere(host, host, &[label.to_owned()]) {
        return Ok(Change::NotDone(why));
    }
    let start = Start {
        argv: &argv,
        label,
        env: &[],
        stdin: stdin.expose(),
        timeout: Some(ToolSpec::TIMEOUT),
        is_ours: true,
        is_beside: false,
        kept: None,
    };
    commands::spawn(host, &start)?;
    Ok(Change::MADE)
}

fn name(spec: &ToolSpec) -> &str {
    spec.argv.first().map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_tool_do_not_repeat_what_it_was_given() {
        #[rustfmt::skip]
        let table = [
            // what it was given                              its last words                           what is told
            ("http_proxy=http://me:hunter2@proxy",            "bad address http://me:hunter2@proxy",   "bad address ‹secret›"),
            ("--username=joe\0--password=hunter2",            "joe: hunter2 is wrong",                 "joe: ‹secret› is wrong"),
            ("--activationkey\0hunter2",                      "no such key: hunter2",                  "no such key: ‹secret›"),
            ("token: C1hunter2\n",                            "invalid token C1hunter2",               "invalid token ‹secret›"),
            ("web:hunter2\n",                                 "hunter2 is too short",                  "‹secret› is too short"),
            ("admin\0admin-hunter2",                          "admin-hunter2 is wrong",                "‹secret› is wrong"),
            (", +\n",                                         "sfdisk: +, failed",                     "sfdisk: +, failed"),
            ("",                                              "it failed",                             "it failed"),
        ];
        for (given, said, told) in table {
            assert_eq!(
                without_secrets(said.to_owned(), given.as_bytes()),
                told,
                "{said}"
            );
        }
    }
}
