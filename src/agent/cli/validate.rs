//! `firstlight validate`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use contract::plan::{Problem, Severity};
use serde_json::json;

use super::{Format, table};
use crate::catalogue::{self, Catalogue};
use crate::checks::{self, Remark};
use crate::offline;
use crate::session::Target;

/// Check files without a cloud, without root, and without doing anything.
///
/// A file is user data in any form, such as a single cloud-config, or with --image a file of an
/// image's configuration. Exit code 0: fine; 2: there are warnings; 1: something in it cannot be
/// used. Notices, such as of an old spelling, are no fault. What is wrong with the modules that the
/// image brings along is an error, too. No value is ever shown that looks like a secret.
#[derive(Debug, clap::Args)]
pub(super) struct Validate {
    /// Files to check; `-` is the standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// They are image configuration, as in /etc/firstlight or /etc/cloud.
    #[arg(long)]
    image: bool,
    /// Warnings count as errors.
    #[arg(long)]
    strict: bool,
    /// How to print what was found.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// There are warnings.
const WARNED: u8 = 2;

/// A longer line is shown in part, in characters.
const WIDTH: usize = 100;

impl Validate {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        let machine = catalogue::machine(target);
        let catalogue = machine.as_ref().map(|host| Catalogue::of(host));
        let catalogue = catalogue.unwrap_or_else(Catalogue::own);
        let modules = machine.map(|host| checks::custom_modules(&catalogue, &host));
        let files = self.files.iter().map(|file| {
            let remarks = self.check(file, &catalogue).unwrap_or_else(|error| {
                vec![Remark {
                    problem: Problem::error(None, format!("{error:#}")),
                    is_of_secret: false,
                    part: None,
                    line: None,
                }]
            });
            (file.clone(), remarks)
        });
        let mut worst = None;
        let mut all = Vec::new();
        for (file, remarks) in modules.unwrap_or_default().into_iter().chain(files) {
            worst = worst.max(remarks.iter().map(|remark| remark.problem.severity).max());
            match self.format {
                Format::Json => all.extend(remarks.iter().map(|remark| to_json(&file, remark))),
                Format::Text => show(&file, &remarks),
            }
        }
        if self.format == Format::Json {
            table::json(&all)?;
        }
        Ok(match worst {
            Some(Severity::Error) => ExitCode::FAILURE,
            Some(Severity::Warning) if self.strict => ExitCode::FAILURE,
            Some(Severity::Warning) => ExitCode::from(WARNED),
            Some(Severity::Notice) | None => ExitCode::SUCCESS,
        })
    }

    fn check(&self, file: &Path, catalogue: &Catalogue) -> anyhow::Result<Vec<Remark>> {
        let bytes = offline::read(file)?;
        if self.image {
            checks::image_file(file, &bytes, catalogue)
        } else {
            checks::user_data(bytes, catalogue)
        }
    }
}

fn to_json(file: &Path, remark: &Remark) -> serde_json::Value {
    let problem = &remark.problem;
    let place = problem.place.as_ref().filter(|place| !place.is_whole());
    json!({
        "file": file.display().to_string(),
        "part": remark.part,
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "severity": problem.severity,
        "message": problem.message,
        "hint": problem.hint,
    })
}

fn show(file: &Path, remarks: &[Remark]) {
    for remark in remarks {
        table::line(&text(file, remark));
    }
    let count = |severity| {
        let own = remarks
            .iter()
            .filter(|own| own.problem.severity == severity);
        match (own.count(), severity) {
            (0, _) => None,
            (1, severity) => Some(format!("1 {severity}")),
            (n, severity) => Some(format!("{n} {severity}s")),
        }
    };
    let counts = [Severity::Error, Severity::Warning, Severity::Notice].map(count);
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    let sum = if counts.is_empty() {
        "fine".to_owned()
    } else {
        counts.join(", ")
    };
    table::line(&format!("{}: {sum}", file.display()));
}

/// A remark as compilers write theirs.
fn text(file: &Path, remark: &Remark) -> String {
    let problem = &remark.problem;
    let message = table::visible(&problem.message);
    let mut text = format!("{}: {message}\n", problem.severity);
    let mut at = file.display().to_string();
    if let Some(part) = &remark.part {
        at.push_str(&format!(", {part}"));
    }
    let place = problem.place.as_ref().filter(|place| !place.is_whole());
    let number = place.map_or(String::new(), |place| place.line.to_string());
    let margin = " ".repeat(number.len());
    if let Some(place) = place {
        at.push_str(&format!(":{}:{}", place.line, place.column));
    }
    text.push_str(&format!("{margin}--> {at}\n"));
    if let (Some(place), Some(line)) = (place, &remark.line) {
        let column = usize::try_from(place.column).unwrap_or(1).saturating_sub(1);
        // A tab is as wide as a terminal likes.
        let line = line.replace(char::is_control, " ");
        let from = if column > WIDTH {
            column - WIDTH / 2
        } else {
            0
        };
        let shown: String = line.chars().skip(from).take(WIDTH).collect();
        let mark = " ".repeat(column - from);
        text.push_str(&format!(
            "{margin} |\n{number} | {shown}\n{margin} | {mark}^\n"
        ));
    }
    if let Some(hint) = &problem.hint {
        text.push_str(&format!("{margin} = {hint}\n"));
    }
    text
}
