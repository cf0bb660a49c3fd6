//! `output:`, which says where the output of a stage's children goes.
//!
//! Source: cloud-init, `cloudinit/util.py` (`get_output_cfg`, `redirect_output`).

use std::path::PathBuf;

use contract::config::Config;
use contract::module::Stage;
use contract::output::{Output, Stream};
use contract::plan::Problem;
use contract::yaml::{Kind, Value};

const KEY: &str = "output";

/// Where the output of the children of `stage` goes; what cannot be read keeps the default and is a
/// problem.
#[must_use]
pub fn of(config: &Config, stage: Stage) -> (Output, Option<Problem>) {
    let Some(section) = config.get(KEY) else {
        return (Output::default(), None);
    };
    let name = match stage {
        Stage::Early | Stage::Identity => "init",
        Stage::Config => "config",
        Stage::Final => "final",
    };
    if section.as_map().is_none() {
        let what = "a mapping of `all`, `init`, `config` and `final`";
        return (Output::default(), Some(wrong(section, KEY, what)));
    }
    let said = |name: &str| section.get(name).filter(|value| !value.is_null());
    let (name, value) = match (said(name), said("all")) {
        (Some(value), _) => (name, value),
        (None, Some(value)) => ("all", value),
        (None, None) => return (Output::default(), None),
    };
    match read(value) {
        Some(output) => (output, None),
        None => {
            let what =
                "`> FILE`, `>> FILE` or `| COMMAND`, or such a one for each of output and error";
            let problem = wrong(value, &format!("{KEY}.{name}"), what);
            (Output::default(), Some(problem))
        }
    }
}

/// What is wrong with it, for all stages together.
pub(crate) fn problems(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    for stage in Stage::ALL {
        let problem = of(config, stage).1;
        problems.extend(problem.filter(|problem| !problems.contains(problem)));
    }
    problems
}

fn wrong(value: &Value, path: &str, wanted: &str) -> Problem {
    let message = format!("{path}: expected {wanted}; output goes to the log as without it");
    Problem::warning(Some(value.place.clone()), message)
}

/// A text for both streams, `[OUTPUT, ERROR]`, or `{output: ..., error: ...}`.
fn read(value: &Value) -> Option<Output> {
    let (out, err) = match &value.kind {
        Kind::String(_) => (Some(value), None),
        Kind::List(both) if both.len() <= 2 => (both.first(), both.get(1)),
        Kind::Map(both) => (both.get("output"), both.get("error")),
        _ => return None,
    };
    let given = |stream: Option<&Value>| stream.filter(|stream| !stream.is_null()).cloned();
    let out = match given(out) {
        Some(out) => stream(out.as_str()?)?,
        None => Stream::Log,
    };
    let err = match given(err) {
        Some(err) if err.as_str()?.trim() == "&1" => None,
        Some(err) => Some(stream(err.as_str()?)?),
        // A text is for both; a list or mapping that says nothing of errors leaves them alone.
        None if value.as_str().is_some() => None,
        None => Some(Stream::Log),
    };
    Some(Output { out, err })
}

/// Without an operator it is a file to append to.
fn stream(text: &str) -> Option<Stream> {
    let text = text.trim();
    let file = |path: &str| Some(PathBuf::from(path.trim())).filter(|path| path.is_absolute());
    if let Some(command) = text.strip_prefix('|') {
        let command = command.trim();
        return (!command.is_empty()).then(|| Stream::Pipe(command.to_owned()));
    }
    if let Some(path) = text.strip_prefix(">>") {
        return file(path).map(Stream::Append);
    }
    match text.strip_prefix('>') {
        Some(path) => file(path).map(Stream::Replace),
        None => file(text).map(Stream::Append),
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::config;

    use super::*;

    #[test]
    fn every_form_that_cloud_init_takes_is_taken() {
        let append = |path: &str| Stream::Append(path.into());
        let pipe = |line: &str| Stream::Pipe(line.into());
        #[rustfmt::skip]
        let table = [
            ("output: {all: '>> /a'}",                                  append("/a"),                   None),
            ("output: {all: /a}",                                       append("/a"),                   None),
            ("output: {all: '>/a'}",                                    Stream::Replace("/a".into()),   None),
            ("output: {all: '| tee -a /a'}",                            pipe("tee -a /a"),              None),
            ("output: {all: ['>> /a', '&1']}",                          append("/a"),                   None),
            ("output: {all: ['>> /a', '>> /b']}",                       append("/a"),                   Some(append("/b"))),
            ("output: {all: ['>> /a']}",                                append("/a"),                   Some(Stream::Log)),
            ("output: {all: {output: '| cat', error: '&1'}}",           pipe("cat"),                    None),
            ("output: {all: {error: '> /b'}}",                          Stream::Log,                    Some(Stream::Replace("/b".into()))),
            ("output: {all: /a, final: /f}",                            append("/f"),                   None),
            ("output: {init: /i}",                                      Stream::Log,                    None),
        ];
        for (text, out, err) in table {
            let (output, problem) = of(&config(text), Stage::Final);
            assert_eq!((output, problem), (Output { out, err }, None), "{text}");
        }
        let (output, _) = of(&config("output: {init: /i, all: /a}"), Stage::Identity);
        assert_eq!(output.out, append("/i"));
    }

    #[test]
    fn what_cannot_be_read_is_named_and_the_log_stays() {
        #[rustfmt::skip]
        let table = [
            ("output: /a",                  "test:1:9: output: expected a mapping"),
            ("output: {all: 7}",            "test:1:15: output.all: expected `> FILE`"),
            ("output: {all: '>> a'}",       "test:1:15: output.all: expected"),
            ("output: {all: '|'}",          "test:1:15: output.all: expected"),
            ("output: {all: [a, b, c]}",    "test:1:15: output.all: expected"),
            ("output: {final: ['>/a', 3]}", "test:1:17: output.final: expected"),
        ];
        for (text, says) in table {
            let (output, problem) = of(&config(text), Stage::Final);
            assert_eq!(output, Output::default(), "{text}");
            let said = problem.unwrap().to_string();
            assert!(said.starts_with(says), "{text}: {said}");
        }
    }
}
