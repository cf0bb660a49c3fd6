//! The commands of cloud-init, for whoever calls this program by their names: the links that the
//! package for images of cloud-init ships.
//!
//! Options, exit codes and what programs read are those of cloud-init 25.1.4; help and errors for
//! people are firstlight's own. Source: `cloudinit/cmd/main.py`.

mod analyze;
mod clean;
mod cloud_id;
mod collect_logs;
mod devel;
mod events;
mod now;
mod per;
mod query;
mod schema;
mod stages;
mod status;

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};
use engine::cloud_init::VERSION;

use crate::cli::table;
use crate::log;
use crate::session::{Session, Target};

/// A command of cloud-init's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    CloudInit,
    CloudId,
    Per,
}

impl Tool {
    /// The one by whose name this program was called.
    pub(crate) fn called() -> Option<Self> {
        let called = env::args_os().next()?;
        match Path::new(&called).file_name().and_then(OsStr::to_str)? {
            "cloud-init" => Some(Self::CloudInit),
            "cloud-id" => Some(Self::CloudId),
            "cloud-init-per" => Some(Self::Per),
            _ => None,
        }
    }

    /// Does what the command line says, and tells how it went.
    pub(crate) fn main(self) -> ExitCode {
        match self {
            Self::CloudInit => cloud_init(),
            Self::CloudId => parsed::<cloud_id::CloudId>().map_or_else(code, |command| {
                log::start(0);
                end(command.run())
            }),
            Self::Per => {
                log::start(0);
                end(per::run(env::args_os().skip(1).collect()))
            }
        }
    }
}

/// firstlight, called as cloud-init: the commands that people and tools know, answered from
/// firstlight's own records.
///
/// `firstlight --help` shows what there is beside them.
#[derive(Debug, Parser)]
#[command(
    name = "cloud-init",
    disable_help_subcommand = true,
    infer_long_args = true,
    max_term_width = 100
)]
struct Cli {
    /// Show the release of cloud-init whose commands these are, and exit.
    #[arg(short = 'v', long)]
    version: bool,
    /// Say more on stderr.
    #[arg(short, long)]
    debug: bool,
    /// Taken for the sake of old habits: a boot goes on without a data source anyway.
    #[arg(long)]
    force: bool,
    /// cloud-init's units use it; firstlight has its own.
    #[arg(long)]
    all_stages: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(stages::Init),
    Modules(stages::Modules),
    Single(stages::Single),
    Query(query::Query),
    Features(Features),
    #[command(subcommand)]
    Analyze(analyze::Analyze),
    #[command(subcommand)]
    Devel(devel::Devel),
    CollectLogs(collect_logs::CollectLogs),
    Clean(clean::Clean),
    Status(status::Status),
    Schema(schema::Schema),
}

/// List what this version can do of what tools ask for: nothing, as it sets up no networks.
#[derive(Debug, clap::Args)]
struct Features {}

/// What argparse exits with when the command line is wrong.
const USAGE: u8 = 2;

/// The command lines, to describe them.
#[cfg(feature = "documents")]
pub(crate) fn commands() -> [clap::Command; 3] {
    [Cli::command(), cloud_id::CloudId::command(), per::command()]
}

fn cloud_init() -> ExitCode {
    let cli: Cli = match parsed() {
        Ok(cli) => cli,
        Err(error) => return code(error),
    };
    if cli.version {
        table::line(&format!("{} {VERSION}", program().display()));
        return ExitCode::SUCCESS;
    }
    log::start(if cli.debug { 2 } else { 0 });
    if cli.all_stages {
        table::complain(
            "error: --all-stages is for cloud-init's own units: enable firstlight.service and \
             firstlight-final.service, or run `firstlight boot`",
        );
        return ExitCode::FAILURE;
    }
    let Some(command) = cli.command else {
        let message = "a subcommand is required";
        return code(Cli::command().error(ErrorKind::MissingSubcommand, message));
    };
    end(match command {
        Command::Init(command) => command.run(),
        Command::Modules(command) => command.run(),
        Command::Single(command) => command.run(),
        Command::Query(command) => command.run(),
        Command::Features(_) => Ok(ExitCode::SUCCESS),
        Command::Analyze(command) => command.run(),
        Command::Devel(command) => command.run(),
        Command::CollectLogs(command) => command.run(),
        Command::Clean(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Schema(command) => command.run(),
    })
}

fn parsed<P: Parser>() -> Result<P, clap::Error> {
    P::try_parse()
}

/// Shows help or what is wrong with the command line, with argparse's exit code.
fn code(error: clap::Error) -> ExitCode {
    let code = if error.use_stderr() { USAGE } else { 0 };
    let _ = error.print();
    ExitCode::from(code)
}

fn end(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        table::complain(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

/// This program as cloud-init shows itself: by its whole path.
fn program() -> OsString {
    let called = env::args_os().next().unwrap_or_default();
    if Path::new(&called).components().count() > 1 {
        return called;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found = env::split_paths(&path).map(|dir| dir.join(&called));
    let found = found.find(|file| file.exists());
    found.map_or(called, PathBuf::into_os_string)
}

/// The machine that this program runs on.
fn machine() -> anyhow::Result<Session> {
    Session::look(&this_machine())
}

fn this_machine() -> Target {
    Target {
        root: "/".into(),
        seed: None,
    }
}
