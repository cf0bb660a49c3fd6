//! Tables and diffs on a terminal: the one place that prints. A reader that goes away early, such as
//! head(1), is no fault.

use std::io::{self, Write as _};

use contract::report::{Health, ModuleReport, Outcome, ProblemReport, Report, StepReport};
use contract::yaml;
use serde::Serialize;

use crate::boot::outcome_word;

/// A text of one line in which nothing is left that a terminal would do: names, contents and errors come
/// from outside.
pub(crate) fn visible(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\t', "\u{fffd}")
}

/// Prints rows in columns as wide as they need to be; the last column is not padded.
pub(crate) fn print(rows: &[Vec<String>]) {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| visible(cell)).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    for row in &rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        line(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// Prints a line.
pub(crate) fn line(text: &str) {
    bytes(format!("{text}\n").as_bytes());
}

/// Prints bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// Prints a line on stderr.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints JSON, indented.
///
/// # Errors
/// When the value cannot be JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints YAML.
///
/// # Errors
/// When the value cannot be YAML.
pub(crate) fn yaml(value: &impl Serialize) -> anyhow::Result<()> {
    // JSON is YAML that only has to be written otherwise.
    let json = serde_json::to_string(value)?;
    let document = yaml::parse(&json, "report", &yaml::Limits::default())
        .map_err(|error| anyhow::anyhow!("{}", error.message))?;
    bytes(yaml::to_string(&document.value).as_bytes());
    Ok(())
}

/// A table of what was done, module for module, then what is wrong.
pub(crate) fn report(report: &Report) {
    let mut rows = vec![row(["STAGE", "MODULE", "OUTCOME", "WHAT"])];
    for stage in &report.stages {
        for module in &stage.modules {
            rows.extend(module_rows(stage.stage.as_str(), module));
        }
    }
    print(&rows);
    problems(report);
}

/// What is wrong, each with its place.
pub(crate) fn problems(report: &Report) {
    let of_modules = report.modules().flat_map(|module| &module.problems);
    for problem in report.problems.iter().chain(of_modules) {
        complain(&problem_line(problem));
    }
    for module in report.modules() {
        for step in &module.steps {
            if let Some(error) = &step.error {
                let text = format!("error: {}/{}: {}", module.name, step.name, error.message);
                complain(&visible(&text));
            }
        }
    }
}

/// `warning: part-001:4:10: ...`
pub(crate) fn problem_line(problem: &ProblemReport) -> String {
    visible(&format!("{}: {problem}", problem.severity))
}

fn module_rows(stage: &str, module: &ModuleReport) -> Vec<Vec<String>> {
    let outcome = outcome_text(&module.outcome);
    // Who had nothing to do has nothing to tell.
    if module.steps.is_empty() && module.outcome == Outcome::Unchanged {
        return Vec::new();
    }
    if module.steps.is_empty() {
        return vec![row([stage, &module.name, &outcome, ""])];
    }
    let mut rows = Vec::new();
    for step in &module.steps {
        rows.extend(step_rows(stage, module, step));
    }
    rows
}

fn step_rows(stage: &str, module: &ModuleReport, step: &StepReport) -> Vec<Vec<String>> {
    if step.effects.is_empty() {
        return vec![row([
            stage,
            &module.name,
            &outcome_text(&step.outcome),
            &step.name,
        ])];
    }
    let effect_row = |effect: &contract::report::EffectReport| {
        let what = match effect.detail.as_slice() {
            [note] => format!("{}: {note}", effect.what),
            _ => effect.what.clone(),
        };
        row([stage, &module.name, &effect.change, &what])
    };
    step.effects.iter().map(effect_row).collect()
}

/// `skipped: done before`
pub(crate) fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Skipped(why) | Outcome::FailedBefore(why) | Outcome::Interrupted(why) => {
            format!("{}: {why}", outcome_word(outcome))
        }
        other => outcome_word(other).to_owned(),
    }
}

/// A row of cells.
pub(crate) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// `done`, `degraded`, `error`
pub(crate) const fn health_word(health: Health) -> &'static str {
    match health {
        Health::Done => "done",
        Health::Degraded => "degraded",
        Health::Error => "error",
    }
}
