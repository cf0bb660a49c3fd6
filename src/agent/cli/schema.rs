//! `firstlight schema`

use std::process::ExitCode;

use super::table;
use crate::catalogue::Catalogue;
use crate::session::Target;

/// Print what the configuration may hold as JSON Schema (2020-12), for editors.
#[derive(Debug, clap::Args)]
pub(super) struct Schema {}

impl Schema {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        table::json(&Catalogue::at(target).schema().to_json_schema())?;
        Ok(ExitCode::SUCCESS)
    }
}
