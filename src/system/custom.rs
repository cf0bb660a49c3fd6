//! Asks the image's own modules what they want.

use std::cmp::Reverse;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use contract::custom::{Ask, Question};
use contract::error::chain;
use contract::machine::{NotDone, Probe};
use contract::part_handler::NoAnswer;
use contract::secret::{REDACTED, Secret};

use crate::commands::{self, interpreter};
use crate::confined;
use crate::dry_run::DryRun;
use crate::host::Host;
use crate::memory::{self, Blank};
use crate::output;
use crate::program::{PATH, elsewhere};

/// A longer answer cannot be written, in bytes.
const ANSWER_LIMIT: u64 = 1 << 20;
/// Nor can more beside it.
const ERRORS_LIMIT: u64 = 64 << 10;

/// What a program says beside its answer goes where the output of all children goes.
impl Ask for Host {
    fn ask(&self, question: &Question<'_>) -> Result<Secret<Vec<u8>>, NoAnswer> {
        ask(self, question, |text| {
            let mut streams = output::streams(self);
            streams.pass_on(text.as_bytes());
            if self.is_live() {
                streams.echo();
            }
        })
    }
}

/// What a program says beside its answer is said here, and nothing is written.
impl Ask for DryRun<'_> {
    fn ask(&self, question: &Question<'_>) -> Result<Secret<Vec<u8>>, NoAnswer> {
        ask(self.host, question, |text| {
            // A terminal would do what control characters say.
            let is_odd = |c: char| c.is_control() && c != '\n' && c != '\t';
            let text = text.replace(is_odd, "\u{fffd}");
            // Nobody may be listening.
            let _ = io::stderr().write_all(text.as_bytes());
        })
    }
}

fn ask(
    host: &Host,
    question: &Question<'_>,
    tell: impl FnOnce(&str),
) -> Result<Secret<Vec<u8>>, NoAnswer> {
    let failed = |error: io::Error| NoAnswer::Failed(error.to_string());
    let program = question.program;
    if !host.privileged {
        // Nobody else can become nobody.
        return Err(NoAnswer::NotHere(NotDone::NeedsRoot));
    }
    if !host.is_trusted(program).map_err(failed)? {
        let why = "it is not there, or others than root may change it";
        return Err(NoAnswer::Failed(why.to_owned()));
    }
    if let Some(why) = why_not(host, program).map_err(failed)? {
        return Err(NoAnswer::NotHere(why));
    }
    let answer = Blank::new(ANSWER_LIMIT).map_err(failed)?;
    let errors = Blank::new(ERRORS_LIMIT).map_err(failed)?;
    let mut command = prepared(host, question, &answer, &errors).map_err(failed)?;
    let child = confined::spawn(host, &mut command).map_err(failed)?;
    let label = program.display().to_string();
    let ended = commands::end_of(host, child, &label, question.timeout);
    let said = blotted(&errors.said().map_err(failed)?, question.secrets);
    if !said.is_empty() {
        tell(&said);
    }
    let said = answer.said().map_err(failed)?;
    // Before its end is looked at: it may well have failed because it could not write more.
    if u64::try_from(said.len()).is_ok_and(|length| length == ANSWER_LIMIT) {
        return Err(NoAnswer::Failed("its answer has 1 MiB or more".to_owned()));
    }
    ended.map_err(|error| NoAnswer::Failed(chain(&error)))?;
    Ok(Secret::new(said))
}

/// Why it cannot be run below another root than `/`.
fn why_not(host: &Host, program: &Path) -> io::Result<Option<NotDone>> {
    let interpreter = interpreter(host, program)?;
    let program = program.display().to_string();
    let needed: Vec<String> = std::iter::once(program).chain(interpreter).collect();
    Ok(elsewhere(host, host, &needed))
}

fn prepared(
    host: &Host,
    question: &Question<'_>,
    answer: &Blank,
    errors: &Blank,
) -> io::Result<Command> {
    let mut command = confined::command(host, question.program)?;
    command.env_clear().env("PATH", PATH);
    if let Some(language) = std::env::var_os("LANG") {
        command.env("LANG", language);
    }
    command.stdin(memory::text(question.text.expose())?);
    command.stdout(answer.file()?).stderr(errors.file()?);
    command.current_dir("/").process_group(0);
    Ok(command)
}

/// A text without what is secret, as it is and as the question spells it, in JSON.
fn blotted(said: &[u8], secrets: &[Secret<String>]) -> String {
    let text = String::from_utf8_lossy(said).into_owned();
    let plain = secrets.iter().map(|secret| secret.expose().clone());
    let in_json = |secret: String| {
        let quoted = serde_json::to_string(&secret).ok();
        let spelled = quoted.and_then(|text| Some(text.get(1..text.len() - 1)?.to_owned()));
        spelled.into_iter().chain([secret])
    };
    let mut all: Vec<String> = plain.flat_map(in_json).collect();
    // One may begin another.
    all.sort_by_key(|secret| Reverse(secret.len()));
    let blot = |text: String, secret: &String| text.replace(secret, REDACTED);
    all.iter().fold(text, blot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_however_it_is_spelled() {
        let secrets = ["a\"b\\c", "line 1\nline 2", "hunter2", "hunter"];
        let secrets = secrets.map(|text| Secret::new(text.to_owned()));
        #[rustfmt::skip]
        let table = [
            (r#"got a"b\c"#,                    "got ‹secret›"),
            (r#"got {"code":"a\"b\\c"}"#,       r#"got {"code":"‹secret›"}"#),
            (r#"got "line 1\nline 2""#,         r#"got "‹secret›""#),
            ("got line 1\nline 2\n",            "got ‹secret›\n"),
            ("got hunter2",                     "got ‹secret›"),
            ("got nothing",                     "got nothing"),
        ];
        for (said, wanted) in table {
            assert_eq!(blotted(said.as_bytes(), &secrets), wanted, "{said}");
        }
    }
}
