//! What somebody else needs to see to help: how the boot went, and nothing that is secret.
//!
//! It is made of what is safe to show by its kind (the report, the names of parts, semaphores, what
//! firstlight itself said), and of configuration that everybody on the machine can read anyway, line
//! by line without what looks like a secret. User data, and what scripts wrote, are in it only if
//! somebody asks for them.

mod tar;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use contract::calendar::Utc;
use contract::effect::{Effect, Mode};
use contract::machine::{Machine as _, Probe};
use contract::secret::{REDACTED, Secret};
use engine::report_file;
use engine::store::Store;
use engine::validate::{lint, redacted};
use serde_json::json;
use system::Host;

use self::tar::Archive;
use crate::session::{Known, Session};

/// Of a longer file the end is taken, in bytes.
const MAX_FILE: usize = 1 << 20;
/// More files of configuration than any image has.
const MAX_CONFIGS: usize = 200;

/// The image's configuration: files, and directories of them.
const CONFIGS: [&str; 4] = [
    "/etc/firstlight/config.yaml",
    "/etc/firstlight/config.d",
    "/etc/cloud/cloud.cfg",
    "/etc/cloud/cloud.cfg.d",
];

/// What scripts and commands of user data wrote.
const OUTPUT: [&str; 2] = [
    "/var/log/firstlight-output.log",
    "/var/log/cloud-init-output.log",
];

/// What firstlight itself said in this boot: what its children say goes through another transport.
const JOURNAL: [&str; 7] = [
    "journalctl",
    "--boot",
    "--no-pager",
    "--output=short-precise",
    "--lines=20000",
    "_TRANSPORT=journal",
    "_COMM=firstlight",
];

const UNITS: [&str; 5] = [
    "systemctl",
    "show",
    "--property=Id,ActiveState,SubState,Result,UnitFileState,ExecMainStatus,ActiveEnterTimestamp",
    "firstlight.service",
    "firstlight-final.service",
];

/// Collects into an archive at `file`, which only root can read then; its whole path.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn collect(
    session: &mut Session,
    file: &Path,
    folder: &str,
    with_user_data: bool,
) -> anyhow::Result<PathBuf> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    let utc = Utc::at(now);
    let folder = format!("{folder}-{}-{:02}-{:02}", utc.year, utc.month, utc.day);
    let known = session.recall().ok().flatten();
    let mut archive = Archive::new(now);
    let mut add = |name: &str, bytes: &[u8]| archive.add(&format!("{folder}/{name}"), bytes);
    add("version", version().as_bytes())?;
    let host = &session.host;
    if let Some(report) = report_file::read(host) {
        add("status.json", &serde_json::to_vec_pretty(&report)?)?;
    }
    if let Some(public) = report_file::read_public(host) {
        add("instance.json", &serde_json::to_vec_pretty(&public)?)?;
    }
    if let Some(known) = &known {
        add("parts.json", &serde_json::to_vec_pretty(&parts(known))?)?;
        add("semaphores.txt", semaphores(session, known).as_bytes())?;
    }
    for (name, command) in [
        ("units.txt", UNITS.as_slice()),
        ("journal.txt", JOURNAL.as_slice()),
    ] {
        if let Some(text) = system::ask(host, command) {
            add(name, clean(name, text.as_bytes()).as_bytes())?;
        }
    }
    for path in configs(host) {
        if let Ok(Some(bytes)) = host.read(&path) {
            let name = path.display().to_string();
            add(
                name.trim_start_matches('/'),
                clean(&name, &bytes).as_bytes(),
            )?;
        }
    }
    if with_user_data {
        for (name, bytes) in secrets(host) {
            add(&name, &bytes)?;
        }
    }
    write(file, archive.finish()?)
}

fn version() -> String {
    let (own, theirs) = (env!("CARGO_PKG_VERSION"), engine::cloud_init::VERSION);
    format!("firstlight {own}, as cloud-init {theirs}\n")
}

/// The parts of the user data, without what is in them.
fn parts(known: &Known) -> serde_json::Value {
    let parts = known.prepared.parts.iter();
    let parts = parts.map(|part| {
        json!({
            "name": part.name,
            "type": part.mime,
            "bytes": part.body.expose().len(),
            "decision": part.decision,
        })
    });
    parts.collect()
}

fn semaphores(session: &Session, known: &Known) -> String {
    match session.semaphores(known) {
        Ok(all) => all
            .iter()
            .map(|(name, record)| format!("{name}: {record}\n"))
            .collect(),
        Err(error) => format!("{error:#}\n"),
    }
}

/// Files of configuration that everybody can read.
fn configs(host: &Host) -> Vec<PathBuf> {
    let all = CONFIGS.map(PathBuf::from).into_iter().flat_map(|path| {
        let names = host.list(&path).ok().flatten();
        match names {
            Some(names) => names.into_iter().map(|name| path.join(name)).collect(),
            None => vec![path],
        }
    });
    let public = all.filter(|path| system::is_public(host, path));
    public.take(MAX_CONFIGS).collect()
}

/// What was launched and what came of it, as it is.
fn secrets(host: &Host) -> Vec<(String, Vec<u8>)> {
    let stored = Store::current(host).and_then(|id| Store::load_instance(host, &id).ok()?);
    let user_data = stored.map(|(_, user, _)| ("user-data".to_owned(), user.bytes().to_vec()));
    let outputs = OUTPUT.iter().filter_map(|path| {
        let bytes = host.read(Path::new(path)).ok()??;
        Some((path.trim_start_matches('/').to_owned(), end_of(bytes)))
    });
    user_data.into_iter().chain(outputs).collect()
}

fn end_of(bytes: Vec<u8>) -> Vec<u8> {
    let from = bytes.len().saturating_sub(MAX_FILE);
    bytes.into_iter().skip(from).collect()
}

/// A text without what looks like a secret.
fn clean(name: &str, bytes: &[u8]) -> String {
    let from = bytes.len().saturating_sub(MAX_FILE);
    let bytes = bytes.get(from..).unwrap_or_default();
    let finds = lint(bytes, name, 1);
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().zip(1..).map(|(line, number)| {
        let line = redacted(line, name, number, &finds);
        format!("{}\n", line.as_deref().unwrap_or(REDACTED))
    });
    lines.collect()
}

/// A file that is there as a whole or not at all, and that nobody can have laid a link for.
fn write(file: &Path, bytes: Vec<u8>) -> anyhow::Result<PathBuf> {
    let path = std::path::absolute(file)?;
    let here = Host::new(Path::new("/")).context("cannot open /")?;
    let effect = Effect::secret_file(path.clone(), Secret::new(bytes), Mode::PRIVATE);
    here.apply(&effect)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_where_a_secret_begins() {
        let text =
            b"hostname: web\npassword: hunter2hunter2\nurl: https://me:hunter2hunter2@host/\n";
        let clean = clean("cloud.cfg", text);
        assert!(clean.contains("hostname: web\n"), "{clean}");
        assert!(clean.contains("password:"), "{clean}");
        assert!(!clean.contains("hunter2"), "{clean}");
    }
}
