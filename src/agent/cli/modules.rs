//! `firstlight modules`

use std::process::ExitCode;

use anyhow::bail;
use contract::module::Entry;
use serde_json::json;

use super::{Format, table};

/// List the modules in the order in which they run.
#[derive(Debug, clap::Args)]
pub(super) struct Modules {
    /// How to print the list.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Modules {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let facts = modules::TABLE.iter().map(|entry| entry.facts);
        match self.format {
            Format::Json => {
                let all: Vec<_> = facts
                    .map(|facts| {
                        json!({
                            "name": facts.name,
                            "summary": facts.summary,
                            "stage": facts.stage,
                            "frequency": facts.frequency,
                            "keys": facts.keys,
                        })
                    })
                    .collect();
                table::json(&all)?;
            }
            Format::Text => {
                let mut rows = vec![table::row(["MODULE", "STAGE", "FREQUENCY", "KEYS", "WHAT"])];
                rows.extend(facts.map(|facts| {
                    let keys = facts.keys.join(" ");
                    let (stage, often) = (facts.stage.as_str(), facts.frequency.as_str());
                    table::row([facts.name, stage, often, &keys, facts.summary])
                }));
                table::print(&rows);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The module of this name.
///
/// # Errors
/// When there is none: names those there are.
pub(super) fn find(name: &str) -> anyhow::Result<&'static Entry> {
    match modules::TABLE.iter().find(|entry| entry.facts.name == name) {
        Some(entry) => Ok(entry),
        None => {
            let names: Vec<_> = modules::TABLE
                .iter()
                .map(|entry| entry.facts.name)
                .collect();
            bail!(
                "there is no module `{name}`; the modules are {}",
                names.join(", ")
            )
        }
    }
}
