//! `cloud-init schema`
//!
//! Source: cloud-init 25.1.4, `cloudinit/config/schema.py`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use contract::plan::{Problem, Severity};
use contract::user_data::PartKind;
use contract::yaml::{self, Limits};
use engine::store::Store;
use engine::validate::UNKNOWN_KEY;

use crate::catalogue::Catalogue;
use crate::checks::{self, Remark};
use crate::cli::table;
use crate::offline;

/// Check a file, or what this instance was launched with.
///
/// Exit code 1 if something in it cannot be used. `firstlight validate` tells the same with the
/// lines, and what was meant.
#[derive(Debug, clap::Args)]
pub(super) struct Schema {
    /// The file.
    #[arg(short, long, value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// What is in it.
    #[arg(short = 't', long, value_enum)]
    schema_type: Option<SchemaType>,
    /// Taken for the sake of old habits: what a template renders to depends on the instance.
    #[arg(short, long, value_name = "FILE")]
    instance_data: Option<PathBuf>,
    /// What this instance was launched with: for root.
    #[arg(long)]
    system: bool,
    /// Show the file, with what is wrong beside each line.
    #[arg(long)]
    annotate: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SchemaType {
    CloudConfig,
    NetworkConfig,
}

/// Something to check: what it is called, where it is, and what is in it.
struct Document {
    kind: &'static str,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Schema {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let documents = match (&self.config_file, self.system) {
            (Some(file), false) => vec![self.file(file)?],
            (None, true) => self.launched_with()?,
            _ => {
                table::complain("Error:\nsay either --config-file or --system");
                return Ok(ExitCode::FAILURE);
            }
        };
        let several = documents.len() > 1;
        let margin = if several { "  " } else { "" };
        if several {
            let kinds: Vec<&str> = documents.iter().map(|document| document.kind).collect();
            table::line(&format!(
                "Found cloud-config data types: {}",
                kinds.join(", ")
            ));
        }
        let mut invalid = Vec::new();
        for (document, number) in documents.iter().zip(1..) {
            if several {
                let (kind, path) = (document.kind, document.path.display());
                table::line(&format!("\n{number}. {kind} at {path}:"));
            }
            if !self.check(document, margin)? {
                invalid.push(document.kind);
            }
        }
        if invalid.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        table::complain(&format!("Error: Invalid schema: {}\n", invalid.join(", ")));
        Ok(ExitCode::FAILURE)
    }

    fn file(&self, path: &Path) -> anyhow::Result<Document> {
        if !path.exists() {
            bail!("{} does not exist", path.display());
        }
        Ok(Document {
            kind: match self.schema_type {
                Some(SchemaType::NetworkConfig) => "network-config",
                Some(SchemaType::CloudConfig) | None => "user-data",
            },
            path: path.to_owned(),
            bytes: offline::read(path)?,
        })
    }

    fn launched_with(&self) -> anyhow::Result<Vec<Document>> {
        if self.schema_type.is_some() {
            table::line("WARNING: --schema-type does nothing beside --system");
        }
        let session = super::machine()?;
        if !session.host.is_privileged() {
            bail!("only root can read what the instance was launched with");
        }
        let id = Store::current(&session.host);
        let id = id.context("it is not known yet which instance this is")?;
        let dir = Store::dir_of(&id);
        let stored = Store::load_instance(&session.host, &id)?;
        let (_, user, vendor) = stored.context("nothing is stored about this instance yet")?;
        let own = [
            ("user-data", Some(user)),
            ("vendor-data", vendor.first),
            ("vendor2-data", vendor.second),
        ];
        let documents = own.into_iter().filter_map(|(kind, data)| {
            Some(Document {
                kind,
                path: dir.join(if kind == "vendor2-data" {
                    "vendor-data2"
                } else {
                    kind
                }),
                bytes: data?.bytes().to_vec(),
            })
        });
        Ok(documents.collect())
    }

    /// Tells what is wrong with a document; whether it can be used.
    fn check(&self, document: &Document, margin: &str) -> anyhow::Result<bool> {
        let path = document.path.display();
        if document.bytes.is_empty() {
            let kind = if document.kind == "network-config" {
                document.kind
            } else {
                "cloud-config"
            };
            table::line(&format!(
                "Empty '{kind}' found at {path}. Nothing to validate."
            ));
            return Ok(true);
        }
        let (errors, deprecations) = if document.kind == "network-config" {
            let text = String::from_utf8_lossy(&document.bytes);
            match yaml::parse(&text, "network-config", &Limits::default()) {
                Ok(_) => {
                    table::line("Skipping network-config: firstlight sets up no networks.");
                    return Ok(true);
                }
                Err(error) => (
                    vec![Problem::error(Some(error.place), error.message)],
                    Vec::new(),
                ),
            }
        } else {
            if let Some(mime) = not_evaluated(&document.bytes) {
                table::line(&format!(
                    "User-data type '{mime}' not currently evaluated by cloud-init schema"
                ));
                return Ok(true);
            }
            let catalogue = Catalogue::at(&super::this_machine());
            sorted(checks::user_data(document.bytes.clone(), &catalogue)?)
        };
        if self.annotate && !(errors.is_empty() && deprecations.is_empty()) {
            table::line(&annotated(&document.bytes, &errors, &deprecations));
        } else if !self.annotate && !deprecations.is_empty() {
            table::line(&format!(
                "Cloud config schema deprecations: {}",
                list(&deprecations)
            ));
        }
        if errors.is_empty() {
            let valid = match &self.config_file {
                Some(file) => file.display().to_string(),
                None => document.kind.to_owned(),
            };
            table::line(&format!("{margin}Valid schema {valid}"));
            return Ok(true);
        }
        if !self.annotate {
            table::line(&format!("{margin}Invalid {} {path}", document.kind));
            let list = list(&errors);
            table::complain(&format!(
                "{margin}Error: Cloud config schema errors: {list}\n"
            ));
        }
        Ok(false)
    }
}

/// The type of what is user data and neither a cloud-config, a template of one, nor a message of
/// several, by how it begins.
fn not_evaluated(bytes: &[u8]) -> Option<String> {
    let evaluated = [PartKind::CloudConfig, PartKind::Jinja];
    let mime = engine::type_by_beginning(bytes)?;
    let is_other = evaluated.iter().all(|kind| kind.mime() != mime);
    is_other.then_some(mime)
}

/// What cannot be used, and what is only an old spelling.
///
/// What cloud-init does and this version does not is neither: the file is good. Nor is what works in
/// a way that surprises, or looks like a secret: `firstlight validate` tells of these.
fn sorted(remarks: Vec<Remark>) -> (Vec<Problem>, Vec<Problem>) {
    let told = remarks.into_iter().filter(|remark| !remark.is_of_secret);
    let told = told.map(|remark| remark.problem);
    let is_unknown = |problem: &Problem| problem.message.contains(UNKNOWN_KEY);
    let told = told.filter(|problem| problem.severity != Severity::Warning || is_unknown(problem));
    told.partition(|problem| problem.severity != Severity::Notice)
}

fn list(problems: &[Problem]) -> String {
    let all: Vec<String> = problems.iter().map(told).collect();
    all.join(", ")
}

/// `format-l4.c10: ...`, as cloud-init names what has a line.
fn told(problem: &Problem) -> String {
    let (line, column) = place(problem);
    format!("format-l{line}.c{column}: {}", said(problem))
}

fn said(problem: &Problem) -> String {
    match &problem.hint {
        Some(hint) => format!("{} ({hint})", problem.message),
        None => problem.message.clone(),
    }
}

fn place(problem: &Problem) -> (u32, u32) {
    let place = problem.place.as_ref();
    place.map_or((1, 1), |place| (place.line.max(1), place.column.max(1)))
}

/// The text with marks behind its lines, and below it what they stand for.
fn annotated(bytes: &[u8], errors: &[Problem], deprecations: &[Problem]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let marks = |problems: &[Problem], letter: &str| -> Vec<(u32, String, String)> {
        let mut problems: Vec<&Problem> = problems.iter().collect();
        problems.sort_by_key(|problem| place(problem));
        let numbered = problems.into_iter().zip(1..);
        numbered
            .map(|(problem, number)| (place(problem).0, format!("{letter}{number}"), said(problem)))
            .collect()
    };
    let (errors, deprecations) = (marks(errors, "E"), marks(deprecations, "D"));
    let mut lines: Vec<String> = text
        .split('\n')
        .zip(1..)
        .map(|(line, number)| {
            let own = errors.iter().chain(&deprecations);
            let own = own.filter(|(at, ..)| *at == number);
            let labels: Vec<&str> = own.map(|(_, label, _)| label.as_str()).collect();
            match labels.as_slice() {
                [] => line.to_owned(),
                labels => format!("{line}\t\t# {}", labels.join(",")),
            }
        })
        .collect();
    for (title, marks) in [("Errors", &errors), ("Deprecations", &deprecations)] {
        if !marks.is_empty() {
            let told = marks
                .iter()
                .map(|(_, label, said)| format!("# {label}: {said}"));
            let told: Vec<String> = told.collect();
            lines.push(format!("# {title}: -------------\n{}\n\n", told.join("\n")));
        }
    }
    lines.join("\n")
}
