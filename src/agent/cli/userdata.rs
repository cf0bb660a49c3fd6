//! `firstlight userdata`

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use contract::place::Place;
use contract::report::ProblemReport;
use contract::yaml::{self, Kind, Mapping, Value};
use engine::{PartRow, Prepared};
use serde_json::json;

use super::{Format, table};
use crate::offline::Offline;
use crate::session::{Session, Target};

/// Show what the user data says and what becomes of it.
///
/// Of this machine's boot, which only root may read, or of a --file.
#[derive(Debug, clap::Args)]
pub(super) struct Userdata {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List its parts and what became of each.
    Parts {
        #[command(flatten)]
        from: Offline,
        /// How to print them.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the merged configuration; a comment says where each top-level key comes from.
    Config {
        #[command(flatten)]
        from: Offline,
        /// How to print it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the launch parameters that concern this instance.
    Params {
        #[command(flatten)]
        from: Offline,
        /// How to print them.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the decoded payload of a part as it is.
    Show {
        #[command(flatten)]
        from: Offline,
        /// Its number; may be left out if there is only one.
        #[arg(long, value_name = "N")]
        part: Option<usize>,
    },
}

impl Userdata {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        match self.what {
            What::Parts { from, format } => parts(&prepared(&from, target)?, format)?,
            What::Config { from, format } => config(&prepared(&from, target)?, format)?,
            What::Params { from, format } => params(&prepared(&from, target)?, format)?,
            What::Show { from, part } => show(&prepared(&from, target)?, part)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What is wrong is said on stderr: the answer itself is for programs, too.
fn prepared(from: &Offline, target: &Target) -> anyhow::Result<Prepared> {
    let prepared = match &from.file {
        Some(file) => from.prepare(file, target)?,
        None => stored(target)?,
    };
    for problem in &prepared.problems {
        table::complain(&table::problem_line(&ProblemReport::from(problem)));
    }
    Ok(prepared)
}

fn stored(target: &Target) -> anyhow::Result<Prepared> {
    let mut session = Session::look(target)?;
    if target.seed.is_some() {
        let (datasource, found) = session.ask()?;
        return Ok(session.understand(datasource, found).0.prepared);
    }
    let mut known = session.recall_or_fail()?;
    session.check(&mut known);
    Ok(known.prepared)
}

fn parts(prepared: &Prepared, format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        let all: Vec<_> = prepared.parts.iter().map(part_json).collect();
        return table::json(&all);
    }
    let head = [
        "PART",
        "NAME",
        "TYPE",
        "BYTES",
        "LAUNCH INDEX",
        "WHAT BECAME OF IT",
    ];
    let mut rows = vec![table::row(head)];
    for part in &prepared.parts {
        let index = part.launch_index.map_or("all".to_owned(), index_text);
        let size = part.body.expose().len().to_string();
        let number = part.number.to_string();
        let cells = [
            number.as_str(),
            &part.name,
            &part.mime,
            &size,
            &index,
            &part.decision,
        ];
        rows.push(table::row(cells));
    }
    table::print(&rows);
    Ok(())
}

fn index_text(index: contract::instance::LaunchIndex) -> String {
    index.0.to_string()
}

fn part_json(part: &PartRow) -> serde_json::Value {
    json!({
        "number": part.number,
        "name": part.name,
        "type": part.mime,
        "format": part.kind,
        "launch_index": part.launch_index,
        "size": part.body.expose().len(),
        "sha256": part.sha256(),
        "decision": part.decision,
    })
}

fn config(prepared: &Prepared, format: Format) -> anyhow::Result<()> {
    let root = prepared.config.root();
    if format == Format::Json {
        return table::json(root);
    }
    let mut text = String::from("#cloud-config\n");
    for (key, value) in root.iter() {
        text.push_str(&format!("# {}\n", sources(key, value)));
        let mut pair = Mapping::new();
        pair.insert(key.clone(), value.clone());
        let pair = Value::new(Kind::Map(pair), key.place.clone());
        text.push_str(&yaml::to_string(&pair));
    }
    table::bytes(text.as_bytes());
    Ok(())
}

/// The first place in each file or part that something of a key's value stands in.
fn sources(key: &Value, value: &Value) -> String {
    let mut places = Vec::new();
    note(&key.place, &mut places);
    note_all(value, &mut places);
    let texts: Vec<String> = places.iter().map(|place| line_of(place)).collect();
    texts.join(", ")
}

fn note_all<'v>(value: &'v Value, places: &mut Vec<&'v Place>) {
    match &value.kind {
        Kind::List(entries) => entries.iter().for_each(|entry| note_all(entry, places)),
        Kind::Map(map) => map.iter().for_each(|(key, value)| {
            note(&key.place, places);
            note_all(value, places);
        }),
        _ => note(&value.place, places),
    }
}

fn note<'v>(place: &'v Place, places: &mut Vec<&'v Place>) {
    if places.iter().all(|known| known.source != place.source) {
        places.push(place);
    }
}

/// `part-001:3`; a name cannot end the comment that it stands in.
fn line_of(place: &Place) -> String {
    let name = place.source.replace(char::is_control, "?");
    match place.line {
        0 => name,
        line => format!("{name}:{line}"),
    }
}

fn params(prepared: &Prepared, format: Format) -> anyhow::Result<()> {
    let pairs = prepared.params.iter();
    if format == Format::Json {
        let map: serde_json::Map<String, serde_json::Value> = pairs
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        return table::json(&map);
    }
    let mut rows = vec![table::row(["PARAMETER", "VALUE"])];
    rows.extend(pairs.map(|(name, value)| {
        let visible = value.replace(char::is_control, "\u{fffd}");
        table::row([name, &visible])
    }));
    table::print(&rows);
    Ok(())
}

fn show(prepared: &Prepared, number: Option<usize>) -> anyhow::Result<()> {
    let parts = &prepared.parts;
    let part = match (number, parts.as_slice()) {
        (_, []) => bail!("there is no user data"),
        (None, [part]) => part,
        (None, _) => bail!(
            "there are {} parts: say which with --part N; `firstlight userdata parts` lists them",
            parts.len()
        ),
        (Some(number), _) => {
            let part = parts.iter().find(|part| part.number == number);
            part.with_context(|| {
                format!("there is no part {number}; `firstlight userdata parts` lists them")
            })?
        }
    };
    table::bytes(part.body.expose());
    Ok(())
}
