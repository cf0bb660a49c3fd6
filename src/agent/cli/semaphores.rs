//! `firstlight semaphores`

use std::process::ExitCode;

use anyhow::bail;
use contract::effect::Effect;
use contract::machine::Machine;
use serde_json::json;

use super::{Format, table};
use crate::session::{Session, Target};

/// Show or forget what has been done for this instance.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Semaphores {
    /// List what has been done, begun or tried.
    List {
        /// How to print the list.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Forget it, so that it is done again at the next boot.
    Reset {
        /// Modules, or single scripts: `scripts_user/part-001`.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Forget everything.
        #[arg(long, conflicts_with = "names")]
        all: bool,
    },
}

impl Semaphores {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        match self {
            Self::List { format } => list(target, format),
            Self::Reset { names, all } => reset(target, &names, all),
        }
    }
}

fn list(target: &Target, format: Format) -> anyhow::Result<ExitCode> {
    let mut session = Session::look(target)?;
    let known = session.recall_or_fail()?;
    let semaphores = session.semaphores(&known)?;
    let records = semaphores
        .iter()
        .map(|(name, record)| (name, record.to_string()));
    match format {
        Format::Json => {
            let all: Vec<_> = records
                .map(|(name, state)| json!({"name": name, "state": state}))
                .collect();
            table::json(&all)?;
        }
        Format::Text => {
            let mut rows = vec![table::row(["NAME", "STATE"])];
            rows.extend(records.map(|(name, state)| table::row([name, &state])));
            table::print(&rows);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn reset(target: &Target, names: &[String], all: bool) -> anyhow::Result<ExitCode> {
    if names.is_empty() && !all {
        bail!("name what to forget, or say --all; `firstlight semaphores list` shows the names");
    }
    let mut session = Session::open(target)?;
    let _lock = session.lock()?;
    let known = session.recall_or_fail()?;
    let (mut semaphores, _) = session.reconciled(&known)?;
    let wanted = |name: &str| {
        all || names.iter().any(|wanted| {
            wanted == name
                || name
                    .strip_prefix(wanted.as_str())
                    .is_some_and(|rest| rest.starts_with('/'))
        })
    };
    let forgotten: Vec<String> = semaphores
        .iter()
        .map(|(name, _)| name.to_owned())
        .filter(|name| wanted(name))
        .collect();
    if forgotten.is_empty() && !all {
        bail!("there is no such semaphore; `firstlight semaphores list` shows the names");
    }
    // First, for a file of cloud-init's would say that the module is done.
    for path in known.marks.paths(&semaphores, &forgotten) {
        let at = path.to_owned().into();
        session.host.apply(&Effect::Absent { at })?;
    }
    semaphores.reset(&session.host, &forgotten)?;
    forgotten
        .iter()
        .for_each(|name| table::line(&format!("forgotten: {name}")));
    Ok(ExitCode::SUCCESS)
}
