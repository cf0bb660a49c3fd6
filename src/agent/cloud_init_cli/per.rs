//! `cloud-init-per`: a command that is run once for an instance, once for a disk, or at every boot.
//!
//! Source: cloud-init 25.1.4, `tools/cloud-init-per`, a shell script: whatever it passes on is passed
//! on here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use contract::effect::{Effect, Mode, Owner};
use contract::machine::{Machine as _, Probe};
use engine::store::Store;
use system::Host;

use crate::cli::table;

const USAGE: &str = "\
Usage: cloud-init-per FREQUENCY NAME COMMAND [ARGUMENT...]

Runs a command, with its arguments, as often as FREQUENCY says:

  once      once for this disk, whatever instance it becomes
  instance  once for each instance id
  always    every time

NAME tells one command from another. The exit code is the command's.
";

/// Where cloud-init keeps what was done once for a disk.
const ONCE: &str = "/var/lib/cloud/sem";

/// Where it keeps what was done for an instance: below a link to the instance's directory.
const INSTANCE: &str = "/var/lib/cloud/instance";

/// Its command line, to describe it: it takes what follows as it is, without clap.
#[cfg(feature = "documents")]
pub(super) fn command() -> clap::Command {
    let word =
        |name: &'static str, help: &'static str| clap::Arg::new(name).required(true).help(help);
    clap::Command::new("cloud-init-per")
        .about("Run a command once for an instance, once for a disk, or at every boot")
        .long_about("Runs a command, with its arguments, as often as FREQUENCY says. The exit code is the command's.")
        .disable_help_flag(true)
        .args([
            word(
                "FREQUENCY",
                "once: once for this disk, whatever instance it becomes; instance: once for each instance id; \
                 always: every time",
            ),
            word("NAME", "Tells one command from another"),
            word("COMMAND", "The program"),
            clap::Arg::new("ARGUMENT").num_args(0..).help("Its arguments"),
        ])
}

pub(super) fn run(words: Vec<OsString>) -> anyhow::Result<ExitCode> {
    if matches!(
        words.first().and_then(|word| word.to_str()),
        Some("-h" | "--help")
    ) {
        table::bytes(USAGE.as_bytes());
        return Ok(ExitCode::SUCCESS);
    }
    let [frequency, name, program, arguments @ ..] = words.as_slice() else {
        table::complain(USAGE);
        return Ok(ExitCode::FAILURE);
    };
    let name = name
        .to_str()
        .context("NAME is not UTF-8")?
        .replace('-', "_");
    if name.contains('/') {
        bail!("NAME may hold no `/`");
    }
    let host = Host::new(Path::new("/")).context("cannot open /")?;
    if !host.is_privileged() {
        bail!("only root can do that");
    }
    let frequency = frequency.to_string_lossy();
    let dir = match &*frequency {
        "once" | "always" => PathBuf::from(ONCE),
        "instance" => of_instance(&host)?,
        _ => {
            table::complain(USAGE);
            bail!("`{frequency}` is no frequency: say once, instance or always");
        }
    };
    let file = format!("bootper.{name}.{frequency}");
    // cloud-init once wrote names with their hyphens.
    let old = dir.join(file.replace('_', "-"));
    let done = dir.join(file);
    let is_there = |path: &Path| host.read(path).map_or(true, |found| found.is_some());
    if frequency != "always" && (is_there(&done) || is_there(&old)) {
        return Ok(ExitCode::SUCCESS);
    }
    let code = system::pass_on(program, arguments);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let record = format!("{code}\t{}\n", now.as_secs());
    let effects = [
        Effect::Directory {
            at: dir.into(),
            mode: Mode::PUBLIC_DIR,
            owner: Owner::Root,
        },
        Effect::file(done, record),
    ];
    for effect in effects {
        host.apply(&effect)
            .context("the command ran, and that is not recorded")?;
    }
    Ok(ExitCode::from(code))
}

/// Below the instance's directory in cloud-init's tree, if that is kept, or else in firstlight's.
fn of_instance(host: &Host) -> anyhow::Result<PathBuf> {
    let theirs = host
        .kind(Path::new(INSTANCE))
        .context("cannot look for the instance")?;
    if theirs.is_some() {
        return Ok(PathBuf::from(INSTANCE).join("sem"));
    }
    let id = Store::current(host).context("it is not known yet which instance this is")?;
    Ok(Store::dir_of(&id).join("sem"))
}
