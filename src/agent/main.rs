//! firstlight: turns one generic machine image into this particular machine.

mod boot;
mod catalogue;
mod checks;
mod cli;
mod cloud_init;
mod cloud_init_cli;
#[cfg(any(test, feature = "documents"))]
mod documents;
mod environment;
mod fetch;
mod image_tree;
mod last_act;
mod log;
mod logs;
mod notify;
mod offline;
mod seal;
mod session;
mod target;

use std::process::ExitCode;

use cloud_init_cli::Tool;

fn main() -> ExitCode {
    system::count_usage();
    #[cfg(feature = "documents")]
    if let Some(code) = documents::main() {
        return code;
    }
    Tool::called().map_or_else(cli::main, Tool::main)
}
