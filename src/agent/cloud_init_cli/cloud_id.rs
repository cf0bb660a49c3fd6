//! `cloud-id`
//!
//! Source: cloud-init 25.1.4, `cloudinit/cmd/cloud_id.py`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use engine::cloud_init::canonical_cloud_id;
use engine::cloud_init::query::to_json;
use serde_json::{Value, json};

use super::now::{Now, Phase};
use super::query;
use crate::cli::table;

/// Show which cloud this instance is in: `aws`, `aws-china`, `aws-gov`, `nocloud`.
///
/// Exit code 0: it is known; 1: it is not; 2: firstlight is switched off; 3: this boot did not begin.
#[derive(Debug, Parser)]
#[command(name = "cloud-id", infer_long_args = true, max_term_width = 100)]
pub(super) struct CloudId {
    /// Show all that `cloud-init query v1` knows, as JSON.
    #[arg(short, long)]
    json: bool,
    /// Show the region too, behind a tab.
    #[arg(short, long)]
    long: bool,
    /// Take it from this file, in the shape of cloud-init's instance-data.json.
    #[arg(short, long, value_name = "FILE")]
    instance_data: Option<PathBuf>,
}

/// What a cloud that says nothing is called.
const UNKNOWN: &str = "unknown";

impl CloudId {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let session = super::machine()?;
        let phase = Now::look(&session).phase();
        let code = match phase {
            Phase::Disabled => 2,
            Phase::NotStarted => 3,
            Phase::Running | Phase::Done => 0,
        };
        if code > 0 {
            table::line(phase.word());
            return Ok(ExitCode::from(code));
        }
        let all = match &self.instance_data {
            Some(file) => query::data_in(file)?,
            None => query::known(&session, |_| false)?,
        };
        let mut v1 = all.get("v1").cloned().unwrap_or_else(|| json!({}));
        let said = |name: &str| v1.get(name).and_then(Value::as_str);
        let region = said("region").unwrap_or(UNKNOWN).to_owned();
        let platform = said("platform").unwrap_or(UNKNOWN);
        let cloud = said("cloud_name").unwrap_or(UNKNOWN);
        let id = canonical_cloud_id(cloud, &region, platform).to_owned();
        if self.json {
            table::complain("DEPRECATED: `cloud-init query v1` shows the same");
            if let Some(map) = v1.as_object_mut() {
                map.insert("cloud_id".to_owned(), json!(id));
            }
            table::line(&to_json(&v1));
        } else if self.long {
            // Python's word for a region that is known to be none.
            let is_none = v1.get("region").is_some_and(Value::is_null);
            let region = if is_none { "None" } else { &region };
            table::line(&format!("{id}\t{region}"));
        } else {
            table::line(&id);
        }
        Ok(ExitCode::SUCCESS)
    }
}
