//! Scripts of items: what became of each is found out from the marks between them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use contract::effect::{CommandSpec, Effect, ItemsSpec, Mode};
use contract::error::EffectError;
use contract::items::ItemReport;
use contract::machine::{Change, Machine, Probe};
use contract::secret::Secret;

use crate::commands;
use crate::host::Host;
use crate::output;
use crate::program::SHELL;

/// How long the shell may look at a script without running it.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// What is kept of an item's output.
const OUTPUT_LIMIT: u64 = 2000;
const LINES: usize = 10;

/// Runs a script of items, marked if the shell finds each item whole.
pub(crate) fn run(
    host: &Host,
    spec: &CommandSpec,
    items: &ItemsSpec,
) -> Result<Change, EffectError> {
    if let Some(why) = commands::why_not(host, host, spec)? {
        return Ok(Change::NotDone(why));
    }
    let directory = items.marked.parent().unwrap_or(Path::new("/"));
    let (marks, record) = (ItemsSpec::marks(directory), ItemsSpec::record(directory));
    let empty = || Secret::new(Vec::new());
    host.apply(&Effect::secret_file(marks.clone(), empty(), Mode::PRIVATE))?;
    host.apply(&Effect::Absent {
        at: record.clone().into(),
    })?;
    let check = [SHELL.to_owned(), "-n".to_owned()];
    let is_whole = commands::takes(host, &check, items.check.expose(), CHECK_TIMEOUT);
    let is_whole = is_whole.unwrap_or(false);
    if !is_whole && items.is_strict {
        return Err(EffectError::Refused {
            path: items.script.clone(),
            reason:
                "in strict mode each item is a whole command, and /bin/sh finds that one is not"
                    .to_owned(),
        });
    }
    if !is_whole {
        return commands::run(host, spec);
    }
    let argv = [items.marked.display().to_string()];
    let written = output::streams(host).written();
    let written = written.filter(|_| items.keeps_output);
    let ran = commands::spawn(host, &commands::start(host, spec, &argv));
    let end = match &ran {
        Ok(_) => Some(0),
        Err(EffectError::Command { code, .. }) => *code,
        Err(_) => None,
    };
    let marks = host.read(&marks).ok().flatten().unwrap_or_default();
    let reports = reports(&String::from_utf8_lossy(&marks), items, end, written);
    let text = serde_json::to_vec(&reports).unwrap_or_default();
    host.apply(&Effect::secret_file(
        record,
        Secret::new(text),
        Mode::PRIVATE,
    ))?;
    let last = reports.iter().rev().find(|report| report.code != 0);
    match (ran, last) {
        (Ok(took), None) => Ok(commands::ended_well(took)),
        (Ok(took), Some(_)) => Ok(Change::Made {
            note: Some(format!(
                "exit 0 in {:.1} s; {}",
                took.as_secs_f64(),
                failed(&reports)
            )),
        }),
        (
            Err(EffectError::Command {
                program,
                ended,
                code,
            }),
            Some(last),
        ) => Err(EffectError::Command {
            program,
            ended: format!("{ended}: its item {} ({})", last.item, last.place),
            code,
        }),
        (Err(error), _) => Err(error),
    }
}

/// `item 2 (part-001:4:5) ended with 1`, of each that did not end well.
fn failed(reports: &[ItemReport]) -> String {
    let failed = reports.iter().filter(|report| report.code != 0);
    let texts =
        failed.map(|own| format!("item {} ({}) ended with {}", own.item, own.place, own.code));
    texts.collect::<Vec<_>>().join(", ")
}

/// One line of marks: what was so before an item, or behind the last.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    code: i32,
    uptime: Option<f64>,
    offset: Option<u64>,
}

/// The mark of each number; of several the last one, for a loop may come there again.
fn read_marks(text: &str) -> BTreeMap<usize, Mark> {
    let marks = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (number, code) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let rest: Vec<&str> = words.collect();
        let at = rest.iter().position(|word| *word == "pos:");
        let uptime = rest.first().filter(|_| at != Some(0));
        let mark = Mark {
            code,
            uptime: uptime.and_then(|word| word.parse().ok()),
            offset: at.and_then(|at| rest.get(at + 1)?.parse().ok()),
        };
        Some((number, mark))
    });
    marks.collect()
}

/// What became of the items that were begun. `end` is the exit code of the whole, which is that of an
/// item that ended it; `written` is where the output is, and how long that was before.
fn reports(
    marks: &str,
    items: &ItemsSpec,
    end: Option<i32>,
    written: Option<(File, u64)>,
) -> Vec<ItemReport> {
    let marks = read_marks(marks);
    let (mut file, first) = written.map_or((None, 0), |(file, first)| (Some(file), first));
    let mut reports = Vec::new();
    for (number, place) in (1..).zip(&items.places) {
        let Some(before) = marks.get(&(number - 1)) else {
            break;
        };
        let after = marks.get(&number);
        let Some(code) = after.map(|mark| mark.code).or(end) else {
            break;
        };
        let times = (before.uptime, after.and_then(|mark| mark.uptime));
        let seconds = match times {
            (Some(begun), Some(ended)) => Some(((ended - begun).max(0.0) * 100.0).round() / 100.0),
            _ => None,
        };
        let from = before.offset.map(|offset| offset.max(first));
        let to = match after {
            Some(mark) => mark.offset,
            None => Some(u64::MAX),
        };
        let output = from
            .zip(to)
            .and_then(|(from, to)| last_lines(file.as_mut()?, from, to));
        reports.push(ItemReport {
            item: number,
            place: place.to_string(),
            code,
            seconds,
            output,
        });
        if items.is_strict && code != 0 {
            break;
        }
    }
    reports
}

/// The last lines between two offsets.
fn last_lines(file: &mut File, from: u64, to: u64) -> Option<Vec<String>> {
    let to = to.min(file.metadata().ok()?.len());
    let from = from.max(to.saturating_sub(OUTPUT_LIMIT));
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut bytes = Vec::new();
    file.take(to.saturating_sub(from))
        .read_to_end(&mut bytes)
        .ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let clean = |line: &str| {
        line.chars()
            .filter(|c| !c.is_control() || *c == '\t')
            .collect()
    };
    let lines: Vec<String> = text.lines().map(clean).collect();
    let skipped = lines.len().saturating_sub(LINES);
    Some(lines.into_iter().skip(skipped).collect())
}

#[cfg(test)]
mod tests {
    use contract::place::Place;

    use super::*;

    fn items(count: u32) -> ItemsSpec {
        let place = |line| Place::new("user-data", line, 5);
        ItemsSpec {
            script: "/s/runcmd".into(),
            marked: "/m/runcmd".into(),
            check: Secret::default(),
            places: (1..=count).map(place).collect(),
            is_strict: false,
            keeps_output: true,
        }
    }

    #[test]
    fn marks_tell_what_became_of_each_item_that_was_begun() {
        /// The item, its exit code and how long it took.
        type Told = (usize, i32, Option<f64>);
        #[rustfmt::skip]
        let table: [(&str, Option<i32>, &[Told]); 6] = [
            // marks                                                end      item, code, seconds
            ("0 0 1.00 pos:\t0\n1 0 1.50 pos:\t0\n2 3 4.00 pos:\t0\n", Some(3), &[(1, 0, Some(0.5)), (2, 3, Some(2.5))]),
            ("0 0 1.00 pos:\t0\n1 0 1.50 pos:\t0\n",                Some(7), &[(1, 0, Some(0.5)), (2, 7, None)]),
            ("0 0 1.00 pos:\t0\n",                                  None,    &[]),
            ("0 0\n1 4\n2 0\n",                                      Some(0), &[(1, 4, None), (2, 0, None)]),
            ("0 0 1.0\nnonsense\n1 1 1.2\n1 0 1.4\n2 0 1.5\n",         Some(0), &[(1, 0, Some(0.4)), (2, 0, Some(0.1))]),
            ("",                                                    Some(0), &[]),
        ];
        for (marks, end, wanted) in table {
            let found = reports(marks, &items(2), end, None);
            let found: Vec<_> = found
                .iter()
                .map(|own| (own.item, own.code, own.seconds))
                .collect();
            assert_eq!(found, wanted, "{marks:?}");
        }
        let mut strict = items(2);
        strict.is_strict = true;
        let found = reports("0 0\n1 3\n", &strict, Some(3), None);
        assert_eq!(
            found.len(),
            1,
            "what came behind a failed item was told of: {found:?}"
        );
        let found = reports("0 0\n1 0\n", &items(2), Some(9), None);
        assert_eq!(found[1].place, "user-data:2:5");
        assert_eq!(failed(&found), "item 2 (user-data:2:5) ended with 9");
    }

    #[test]
    fn the_last_lines_of_an_items_output_are_its_own() {
        let path = std::env::temp_dir().join(format!("firstlight-items-{}", std::process::id()));
        let long: String = (1..=20).map(|line| format!("line {line}\n")).collect();
        std::fs::write(&path, format!("before\na\nb\u{1b}[0m\n{long}tail")).unwrap();
        let at = |text: &str| "before\n".len() + text.len();
        let (one, two) = (at("a\nb\u{1b}[0m\n"), at("a\nb\u{1b}[0m\n") + long.len());
        // The first mark stands where the child had written nothing yet.
        let marks = format!("0 0 1.0 pos:\t0\n1 0 1.1 pos:\t{one}\n2 0 1.2 pos:\t{two}\n");
        let file = File::open(&path).unwrap();
        let found = reports(&marks, &items(3), Some(0), Some((file, 7)));
        std::fs::remove_file(&path).unwrap();
        let output = |index: usize| found[index].output.clone().unwrap();
        assert_eq!(output(0), ["a", "b[0m"]);
        assert_eq!((output(1).len(), output(1)[9].as_str()), (LINES, "line 20"));
        assert_eq!(output(2), ["tail"]);
    }
}
