//! `firstlight modules`

use std::process::ExitCode;

use anyhow::bail;
use contract::module::Entry;
use serde_json::json;

use super::{Format, table};
use crate::session::{self, Target};

/// List the modules in the order in which they run.
///
/// Order, stage and frequency are those that this machine's configuration gives them; a module that
/// it leaves out has the frequency `never`.
#[derive(Debug, clap::Args)]
pub(super) struct Modules {
    /// How to print the list.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Modules {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
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
