//! `cloud-init devel`
//!
//! Source: cloud-init 25.1.4, `cloudinit/cmd/devel/render.py` and `make_mime.py`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use contract::base64;
use engine::cloud_init::query;

use super::query::{data_in, known};
use crate::cli::table;
use crate::offline;

/// Tools for whoever writes user data.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Devel {
    /// Render a template of user data, as this instance would.
    Render {
        /// Take the variables from this file, in the shape of cloud-init's instance-data.json.
        #[arg(short, long, value_name = "FILE")]
        instance_data: Option<PathBuf>,
        /// Taken for the sake of old habits.
        #[arg(short, long)]
        debug: bool,
        /// User data that begins with `## template: jinja`.
        #[arg(value_name = "FILE")]
        user_data: PathBuf,
    },
    /// Make a multipart message of files, to be used as user data.
    MakeMime {
        /// A file and what it is: `config.yaml:cloud-config`, `script.sh:x-shellscript`.
        #[arg(short = 'a', long = "attach", value_name = "FILE:TYPE")]
        files: Vec<String>,
        /// List the types.
        #[arg(short, long)]
        list_types: bool,
        /// Make it though a type is not known.
        #[arg(short, long)]
        force: bool,
    },
    /// firstlight sets up no networks.
    #[command(hide = true)]
    NetConvert(Rest),
    /// firstlight sets up no networks.
    #[command(hide = true)]
    HotplugHook(Rest),
}

#[derive(Debug, clap::Args)]
pub(super) struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// What parts may be, after `text/`. Source: `cloudinit/handlers/__init__.py`
/// (`INCLUSION_TYPES_MAP`).
const TYPES: [&str; 12] = [
    "cloud-boothook",
    "cloud-config",
    "cloud-config-archive",
    "cloud-config-jsonp",
    "jinja2",
    "part-handler",
    "x-include-once-url",
    "x-include-url",
    "x-shellscript",
    "x-shellscript-per-boot",
    "x-shellscript-per-instance",
    "x-shellscript-per-once",
];

/// Lines of base64 are as long as that (RFC 2045, section 6.8).
const LINE: usize = 76;

impl Devel {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Render {
                instance_data,
                user_data,
                ..
            } => render(&user_data, instance_data.as_deref()),
            Self::MakeMime {
                list_types: true, ..
            } => {
                table::line(&TYPES.join("\n"));
                Ok(ExitCode::SUCCESS)
            }
            Self::MakeMime { files, force, .. } => make_mime(&files, force),
            Self::NetConvert(_) | Self::HotplugHook(_) => {
                bail!("firstlight sets up no networks: the distribution does")
            }
        }
    }
}

fn render(file: &Path, instance_data: Option<&Path>) -> anyhow::Result<ExitCode> {
    let text = String::from_utf8(offline::read(file)?);
    let text = text.with_context(|| format!("{} is not UTF-8", file.display()))?;
    let shown = file.display();
    let template = query::template(&text);
    let template =
        template.with_context(|| format!("{shown} does not begin with `## template: jinja`"))?;
    let data = match instance_data {
        Some(file) => data_in(file)?,
        None => known(&super::machine()?, |_| template.contains("ds"))?,
    };
    let (text, missing) = query::render(template, &data)
        .map_err(|why| anyhow::anyhow!("{shown} cannot be rendered: {why}"))?;
    if !missing.is_empty() {
        table::complain(&format!("warning: there is no {}", missing.join(", ")));
    }
    if text.is_empty() {
        bail!("{shown} renders to nothing");
    }
    table::bytes(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn make_mime(files: &[String], force: bool) -> anyhow::Result<ExitCode> {
    let mut parts = Vec::new();
    let mut is_odd = false;
    for (file, number) in files.iter().zip(1..) {
        let (path, kind) = file
            .split_once(':')
            .with_context(|| format!("`{file}` is not FILE:TYPE"))?;
        let kind = kind.trim();
        if !TYPES.contains(&kind.to_lowercase().as_str()) {
            let level = if force { "WARNING" } else { "ERROR" };
            table::complain(&format!(
                "{level}: type `{kind}` of attachment {number} is not known"
            ));
            is_odd = true;
        }
        let bytes = offline::read(Path::new(path))?;
        let text = String::from_utf8(bytes).with_context(|| format!("{path} is not UTF-8"))?;
        parts.push((path.replace(['"', '\n'], "_"), kind.to_owned(), text));
    }
    if is_odd && !force {
        table::complain("`--list-types` lists the types; `--force` takes any");
        return Ok(ExitCode::FAILURE);
    }
    table::line(&message(&parts));
    Ok(ExitCode::SUCCESS)
}

/// A message of parts: their file names, types and texts.
fn message(parts: &[(String, String, String)]) -> String {
    // No line of base64 and no header begins so.
    let boundary = "===============firstlight==";
    let mut lines = vec![
        format!("Content-Type: multipart/mixed; boundary=\"{boundary}\""),
        "MIME-Version: 1.0".to_owned(),
        String::new(),
    ];
    for (name, kind, text) in parts {
        lines.extend([
            format!("--{boundary}"),
            format!("Content-Type: text/{kind}; charset=\"utf-8\""),
            "MIME-Version: 1.0".to_owned(),
            "Content-Transfer-Encoding: base64".to_owned(),
            format!("Content-Disposition: attachment; filename=\"{name}\""),
            String::new(),
        ]);
        let encoded = base64::encode(text.as_bytes());
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(LINE));
            lines.push(line.to_owned());
            rest = after;
        }
        lines.push(String::new());
    }
    lines.push(format!("--{boundary}--\n"));
    lines.join("\n")
}
