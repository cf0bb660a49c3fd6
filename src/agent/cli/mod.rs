//! The command line.

mod apply;
mod boot;
mod clean;
mod logs;
pub(crate) mod modules;
mod plan;
mod query;
mod run;
mod schema;
mod semaphores;
mod status;
pub(crate) mod table;
mod timeline;
mod userdata;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::log;
use crate::session::Target;

/// Turns one generic machine image into this particular machine.
///
/// At boot systemd starts `firstlight boot`: it asks the cloud who this instance is and what its
/// owner wants, changes exactly that, and remembers that it did. By hand, `plan` shows what would
/// change, `status` what happened, and `run MODULE --force` does one thing again.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    target: Target,
    /// Say more on stderr; twice: even more.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Boot(boot::Boot),
    Apply(apply::Apply),
    Plan(plan::Plan),
    Run(run::Run),
    Status(status::Status),
    Query(query::Query),
    Userdata(userdata::Userdata),
    Validate(validate::Validate),
    Schema(schema::Schema),
    Modules(modules::Modules),
    #[command(subcommand)]
    Semaphores(semaphores::Semaphores),
    Clean(clean::Clean),
    Timeline(timeline::Timeline),
    #[command(subcommand)]
    Logs(logs::Logs),
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// An exit code of 64: the command line was wrong (sysexits(3), EX_USAGE).
const USAGE: u8 = 64;

/// The command line, to describe it.
#[cfg(feature = "documents")]
pub(crate) fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Reads the command line, does what it says, and tells how it went.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are not errors, and go to stdout.
            let code = if error.use_stderr() { USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    log::start(cli.verbose);
    let target = cli.target;
    let result = match cli.command {
        Command::Boot(command) => command.run(&target),
        Command::Apply(command) => command.run(&target),
        Command::Plan(command) => command.run(&target),
        Command::Run(command) => command.run(&target),
        Command::Status(command) => command.run(&target),
        Command::Query(command) => command.run(&target),
        Command::Userdata(command) => command.run(&target),
        Command::Validate(command) => command.run(&target),
        Command::Schema(command) => command.run(&target),
        Command::Modules(command) => command.run(&target),
        Command::Semaphores(command) => command.run(&target),
        Command::Clean(command) => command.run(&target),
        Command::Timeline(command) => command.run(&target),
        Command::Logs(command) => command.run(&target),
    };
    result.unwrap_or_else(|error| {
        table::complain(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}
