//! `cloud-init query`
//!
//! Source: cloud-init 25.1.4, `cloudinit/cmd/query.py`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::CommandFactory as _;
use contract::config::Config;
use contract::machine::Probe;
use contract::user_data::UserData;
use contract::{base64, gzip};
use engine::cloud_init::{REDACTED, instance_data, query};
use engine::store::{Store, Stored};
use serde_json::{Value, json};

use crate::cli::table;
use crate::offline;
use crate::session::Session;

/// What everybody may read about this instance, the fullest first.
const PUBLIC: [&str; 2] = [
    "/run/cloud-init/instance-data.json",
    "/run/firstlight/instance.json",
];

/// How long the metadata service is asked for what the boot did not ask for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Packed user data is shown unpacked up to this size, in bytes.
const MAX_UNPACKED: usize = 16 << 20;

/// Show what is known about this instance.
///
/// Names are joined by dots: `v1.region`, `ds.meta_data.ami_id`; what is below `v1` needs no `v1`, and
/// `userdata`, `vendordata` and `combined_cloud_config` are there too. Only root sees what may be
/// secret. `ds` asks the metadata service for all that it has.
#[derive(Debug, clap::Args)]
pub(super) struct Query {
    /// Name on stderr what a template asks for in vain.
    #[arg(short, long)]
    debug: bool,
    /// Take it from this file, in the shape of cloud-init's instance-data.json.
    #[arg(short, long, value_name = "FILE")]
    instance_data: Option<PathBuf>,
    /// List the names below a key instead of its value.
    #[arg(short, long)]
    list_keys: bool,
    /// Take the user data from this file.
    #[arg(short, long, value_name = "FILE")]
    user_data: Option<PathBuf>,
    /// Take the vendor data from this file.
    #[arg(short, long, value_name = "FILE")]
    vendor_data: Option<PathBuf>,
    /// Show everything.
    #[arg(short, long)]
    all: bool,
    /// Render this template of jinja: `{{ v1.region }}`.
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Which value to show.
    #[arg(value_name = "KEY")]
    varname: Option<String>,
}

impl Query {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if !(self.list_keys || self.varname.is_some() || self.format.is_some() || self.all) {
            table::complain("error: say KEY, --all, --format or --list-keys");
            let help = super::Cli::command()
                .find_subcommand_mut("query")
                .map(clap::Command::render_help);
            table::line(&help.map_or_else(String::new, |help| help.to_string()));
            return Ok(ExitCode::FAILURE);
        }
        let mut session = super::machine()?;
        let mut data = match &self.instance_data {
            Some(file) => data_in(file)?,
            None => known(&session, |data| self.asks_for_ds(data))?,
        };
        self.add_documents(&mut session, &mut data)?;
        if let Some(template) = &self.format {
            return self.render(template, &data);
        }
        let data = query::hoisted(&data);
        let value = match &self.varname {
            Some(path) => query::find(&data, path).map_err(|why| anyhow::anyhow!("{why}"))?,
            None => &data,
        };
        if self.list_keys {
            let Value::Object(map) = value else {
                let key = self.varname.unwrap_or_default();
                bail!("--list-keys needs a mapping, and `{key}` is none");
            };
            let names: Vec<&str> = map.keys().map(String::as_str).collect();
            table::line(&names.join("\n"));
        } else {
            table::line(&text(value));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Whether the answer needs more of the metadata service than `data` has, which is what the boot
    /// asked for: a value that is not there, or all that is below a name.
    fn asks_for_ds(&self, data: &Value) -> bool {
        match (&self.format, &self.varname) {
            (Some(template), _) => template.contains("ds"),
            (None, Some(path)) => {
                let is_below = path == "ds" || path.starts_with("ds.");
                is_below && query::find(data, path).map_or(true, Value::is_object)
            }
            (None, None) => self.all,
        }
    }

    fn render(&self, template: &str, data: &Value) -> anyhow::Result<ExitCode> {
        let (text, missing) = query::render(template, data)
            .map_err(|why| anyhow::anyhow!("the template cannot be rendered: {why}"))?;
        if !missing.is_empty() {
            table::complain(&format!("warning: there is no {}", missing.join(", ")));
        }
        if text.is_empty() {
            return Ok(ExitCode::FAILURE);
        }
        if self.debug {
            table::complain(&format!("rendered {} bytes", text.len()));
        }
        table::line(&text);
        Ok(ExitCode::SUCCESS)
    }

    /// User data, vendor data and the merged configuration, which only root sees.
    fn add_documents(&self, session: &mut Session, data: &mut Value) -> anyhow::Result<()> {
        let documents = if session.host.is_privileged() {
            let stored = stored(session)?;
            let own = |data: Option<&UserData>| data.map(|data| data.bytes().to_vec());
            let user = own(stored.as_ref().map(|(_, user, _)| user));
            let vendor = own(stored
                .as_ref()
                .and_then(|(_, _, vendor)| vendor.first.as_ref()));
            let combined = session.recall()?.map(|known| known.prepared.config);
            [
                ("userdata", document(self.user_data.as_deref(), user)?),
                ("vendordata", document(self.vendor_data.as_deref(), vendor)?),
                (
                    "combined_cloud_config",
                    serde_json::to_value(combined.as_ref().map(Config::root))?,
                ),
            ]
        } else {
            ["userdata", "vendordata", "combined_cloud_config"].map(|name| (name, json!(REDACTED)))
        };
        if let Value::Object(map) = data {
            let documents = documents.into_iter();
            map.extend(documents.map(|(name, value)| (name.to_owned(), value)));
        }
        Ok(())
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => query::to_json(other),
    }
}

/// What cloud-init shows of user data: unpacked if it is packed, in base64 if it is no text.
fn document(file: Option<&Path>, stored: Option<Vec<u8>>) -> anyhow::Result<Value> {
    let bytes = match file {
        Some(file) => offline::read(file)?,
        None => stored.unwrap_or_default(),
    };
    let bytes = gzip::gunzip(&bytes, MAX_UNPACKED).unwrap_or(bytes);
    Ok(match String::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(error) => json!(format!("ci-b64:{}", base64::encode(error.as_bytes()))),
    })
}

/// Instance data of a file.
///
/// # Errors
/// When it cannot be read, or is no JSON.
pub(super) fn data_in(file: &Path) -> anyhow::Result<Value> {
    let bytes = offline::read(file)?;
    let shown = file.display();
    serde_json::from_slice(&bytes).with_context(|| format!("{shown} is no instance-data in JSON"))
}

/// The instance data of this machine, as far as whoever asks may see it; with all that the metadata
/// service has, if `asks_for_ds` of what the boot asked for, and if it can be had.
///
/// # Errors
/// When nothing is known yet, or what is stored cannot be read.
pub(super) fn known(
    session: &Session,
    asks_for_ds: impl FnOnce(&Value) -> bool,
) -> anyhow::Result<Value> {
    const NOBODY: &str = "nothing is known about this instance yet: the boot did not come so far";
    if !session.host.is_privileged() {
        let mut shown = PUBLIC
            .iter()
            .filter_map(|path| session.host.read(Path::new(path)).ok()?);
        let shown = shown.find_map(|bytes| serde_json::from_slice(&bytes).ok());
        return shown.context(NOBODY);
    }
    let (metadata, ..) = stored(session)?.context(NOBODY)?;
    let mut all = instance_data(&session.host, &metadata, session.source_context().config);
    if metadata.platform == "ec2" && asks_for_ds(&all) {
        ask_for_ds(session, &mut all);
    }
    Ok(all)
}

/// Puts everything that the metadata service says now in the place of what the boot asked for. If it
/// says nothing, that stays.
fn ask_for_ds(session: &Session, all: &mut Value) {
    let complain = |why: &str| table::complain(&format!("warning: {why}"));
    match datasources::ec2::everything(&session.source_context(), Some(PATIENCE)) {
        Ok((tree, faults)) => {
            faults.iter().for_each(|fault| complain(fault));
            if let Some(ds) = all.get_mut("ds") {
                *ds = tree;
            }
        }
        Err(error) => {
            let why = contract::error::chain(&error);
            complain(&format!("`ds` is what the boot asked for alone: {why}"));
        }
    }
}

fn stored(session: &Session) -> anyhow::Result<Option<Stored>> {
    match Store::current(&session.host) {
        Some(id) => Ok(Store::load_instance(&session.host, &id)?),
        None => Ok(None),
    }
}
