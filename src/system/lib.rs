//! The hands: the one door through which a machine is changed.
//!
//! [`Host`] performs effects below a root; [`DryRun`] tells what it would do.

mod accounts;
mod commands;
mod dry_run;
mod files;
mod host;
mod live;
mod lock;
mod mirror;
mod root;

pub use dry_run::DryRun;
pub use host::Host;
pub use live::{boot_id, random32, remove_state};
pub use lock::RunLock;
