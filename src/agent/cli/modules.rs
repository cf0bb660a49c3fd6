//! `firstlight modules`

use std::process::ExitCode;

use contract::module::{Entry, Facts, Frequency, Wake};
use contract::schema::{Key, Shape};
use engine::validate::properties;
use serde_json::json;

use super::{Format, table};
use crate::catalogue::Catalogue;
use crate::session::{self, Target};

/// List the modules in the order in which they run, or describe one.
///
/// Order, stage and frequency are those that this machine's configuration gives them; a module that
/// it leaves out has the frequency `never`.
#[derive(Debug, clap::Args)]
pub(super) struct Modules {
    /// Describe this module: its keys, what they may hold, and what holds without them, an example, and
    /// what differs from cloud-init. The name may be as cloud-init has it (`cc_ntp`, `ca-certs`); that of a
    /// top-level key (`apt`) means the modules that read it.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// How to print the list.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Modules {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        let catalogue = Catalogue::at(target);
        for problem in &catalogue.problems {
            table::complain(&format!("{}: {problem}", problem.severity));
        }
        if let Some(name) = &self.name {
            describe(&catalogue.meant(name)?, self.format)?;
            return Ok(ExitCode::SUCCESS);
        }
        let (wanted, left_out) = session::modules_of(target)?;
        let wanted = wanted.iter().map(|entry| (entry, entry.frequency.as_str()));
        let all = wanted.chain(left_out.iter().map(|entry| (entry, "never")));
        match self.format {
            Format::Json => {
                let all: Vec<_> = all
                    .map(|(entry, frequency)| {
                        json!({
                            "name": entry.facts.name,
                            "summary": entry.facts.summary,
                            "stage": entry.stage,
                            "frequency": frequency,
                            "keys": entry.facts.key_names(),
                        })
                    })
                    .collect();
                table::json(&all)?;
            }
            Format::Text => {
                let mut rows = vec![table::row(["MODULE", "STAGE", "FREQUENCY", "KEYS", "WHAT"])];
                rows.extend(all.map(|(entry, frequency)| {
                    let (facts, stage) = (entry.facts, entry.stage.as_str());
                    let keys = facts.key_names().join(" ");
                    table::row([facts.name, stage, frequency, &keys, facts.summary])
                }));
                table::print(&rows);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A module, or several with an empty line between them. In JSON a single one is no list.
fn describe(entries: &[&Entry], format: Format) -> anyhow::Result<()> {
    match (format, entries) {
        (Format::Json, [entry]) => table::json(&described(entry)),
        (Format::Json, _) => {
            let all: Vec<_> = entries.iter().map(|entry| described(entry)).collect();
            table::json(&all)
        }
        (Format::Text, _) => {
            for (index, entry) in entries.iter().enumerate() {
                if index > 0 {
                    table::line("");
                }
                print(entry);
            }
            Ok(())
        }
    }
}

fn described(entry: &Entry) -> serde_json::Value {
    let facts = entry.facts;
    json!({
        "name": facts.name,
        "summary": facts.summary,
        "stage": facts.stage,
        "frequency": facts.frequency,
        "keys": properties(facts.keys),
        "notes": entry.notes,
    })
}

fn print(entry: &Entry) {
    let facts = entry.facts;
    table::line(&format!("{}: {}", facts.name, facts.summary));
    let stage = facts.stage.as_str();
    let frequency = frequency(facts);
    table::line(&format!("stage {stage}, {frequency}"));
    if !facts.keys.is_empty() {
        let mut rows = vec![table::row(["KEY", "HOLDS", "DEFAULT", "WHAT"])];
        facts
            .keys
            .iter()
            .for_each(|key| rows_of(key, "", &mut rows));
        table::line("");
        table::print(&rows);
    }
    if !entry.notes.is_empty() {
        table::line("");
        entry.notes.lines().filter_map(plain).for_each(table::line);
    }
}

/// A line of Markdown without its marks; `None` if it was a mark.
fn plain(line: &str) -> Option<&str> {
    let line = line.strip_prefix("## ").unwrap_or(line);
    (!line.starts_with("```")).then_some(line)
}

/// How often a module runs and when, in words.
pub(crate) fn frequency(facts: &Facts) -> String {
    let frequency = match facts.frequency {
        Frequency::Always => "at every boot",
        Frequency::Instance => "once for an instance",
        Frequency::Once => "once for a disk",
    };
    let wake = match facts.wake {
        Wake::OnKeys if !facts.keys.is_empty() => ", if one of its keys is given",
        _ => "",
    };
    format!("{frequency}{wake}")
}

/// A row for the key and for each field below it.
fn rows_of(key: &Key, above: &str, rows: &mut Vec<Vec<String>>) {
    let path = format!("{above}{}", key.name);
    let default = match key.default {
        Some(default) => default,
        None if key.is_required => "needed",
        None => "",
    };
    let told = key.told(key.summary);
    rows.push(table::row([&path, &key.shape.name(), default, &told]));
    rows_below(&key.shape, &path, rows);
}

fn rows_below(shape: &Shape, path: &str, rows: &mut Vec<Vec<String>>) {
    match shape {
        Shape::Map(fields) | Shape::Open(fields) | Shape::Strict(fields) => {
            let above = format!("{path}.");
            fields.iter().for_each(|key| rows_of(key, &above, rows));
        }
        Shape::List(of) => rows_below(of, &format!("{path}[]"), rows),
        Shape::Named(of) => rows_below(of, &format!("{path}.NAME"), rows),
        Shape::OneOf(shapes) => shapes
            .iter()
            .for_each(|shape| rows_below(shape, path, rows)),
        _ => {}
    }
}
