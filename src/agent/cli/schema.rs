//! `firstlight schema`

use std::process::ExitCode;

use super::table;
use crate::checks;

/// Print what the configuration may hold as JSON Schema (2020-12), for editors.
#[derive(Debug, clap::Args)]
pub(super) struct Schema {}

impl Schema {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        table::json(&checks::schema().to_json_schema())?;
        Ok(ExitCode::SUCCESS)
    }
}
