//! firstlight: turns one generic machine image into this particular machine.

mod boot;
mod checks;
mod cli;
mod cloud_init;
mod fetch;
mod image_tree;
mod last_act;
mod log;
mod notify;
mod offline;
mod session;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
