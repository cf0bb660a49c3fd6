//! `firstlight query`

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use engine::report_file;
use serde_json::Value;

use super::table;
use crate::session::{Session, Target};

/// Show what is known about this instance.
///
/// Keys are joined by dots: `v1.instance_id`, `ds.meta-data.placement.region`. Without root only
/// what everybody may know is shown.
#[derive(Debug, clap::Args)]
pub(super) struct Query {
    /// What to show; without it, and without --list, everything.
    key: Option<String>,
    /// Ask the metadata service now, for its whole tree under `ds`, instead of showing what the
    /// boot needed of it.
    #[arg(long)]
    live: bool,
    /// List the keys instead of their values.
    #[arg(long)]
    list: bool,
}

impl Query {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        let session = Session::look(target)?;
        let all = if self.live {
            let (tree, faults) = datasources::ec2::everything(&session.source_context(), None)?;
            faults
                .iter()
                .for_each(|fault| table::complain(&format!("warning: {fault}")));
            serde_json::json!({"ds": tree})
        } else {
            report_file::read_instance(&session.host)
                .context("nothing is known about this instance yet: run `firstlight boot` first")?
        };
        let value = match &self.key {
            Some(key) => look_up(&all, key)?,
            None => &all,
        };
        if self.list {
            list(value, "").iter().for_each(|key| table::line(key));
        } else {
            match value {
                Value::String(text) => table::line(text),
                other => table::json(other)?,
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn look_up<'a>(all: &'a Value, key: &str) -> anyhow::Result<&'a Value> {
    let mut value = all;
    for name in key.split('.') {
        let next = match value {
            Value::Object(map) => map.get(name),
            Value::Array(list) => name.parse::<usize>().ok().and_then(|at| list.get(at)),
            _ => None,
        };
        value = match next {
            Some(next) => next,
            None => {
                bail!("there is no `{name}` in `{key}`; `firstlight query --list` shows all keys")
            }
        };
    }
    Ok(value)
}

fn list(value: &Value, prefix: &str) -> Vec<String> {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let below = map.iter().flat_map(|(name, value)| {
                let key = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                list(value, &key)
            });
            below.collect()
        }
        _ => vec![prefix.to_owned()],
    }
}
