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
    match boot::Boot::of_a_unit(std::env::args_os().skip(1)) {
        Some(command) => {
            log::start(0);
            end(command.run(&Target::default()))
        }
        None => by_hand(),
    }
}

/// Whatever our units do not say.
#[cold]
fn by_hand() -> ExitCode {
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
    end(result)
}

fn end(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        table::complain(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What the units that are shipped begin with, without the program.
    fn command_lines(dir: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                command_lines(&path, found);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let lines = text
                    .lines()
                    .filter_map(|line| line.strip_prefix("ExecStart=/usr/bin/firstlight "));
                found.extend(lines.map(str::to_owned));
            }
        }
    }

    #[test]
    fn what_our_units_say_is_read_as_by_hand() {
        let mut lines = Vec::new();
        for dir in ["systemd", "packaging"] {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
            command_lines(&dir, &mut lines);
        }
        assert_eq!(lines.len(), 5, "{lines:?}");
        for line in lines {
            let words = || line.split(' ');
            let short = boot::Boot::of_a_unit(words().map(OsString::from)).unwrap();
            let cli = Cli::try_parse_from(["firstlight"].into_iter().chain(words())).unwrap();
            let Command::Boot(long) = cli.command else {
                panic!("{line}");
            };
            assert_eq!(format!("{short:?}"), format!("{long:?}"), "{line}");
            let here = Target::default();
            assert_eq!(format!("{here:?}"), format!("{:?}", cli.target));
            assert_eq!(cli.verbose, 0);
        }
    }
}
