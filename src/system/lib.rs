//! The machine itself: the one crate that changes anything, below `/` or below another root.
//!
//! [`Host`] performs effects; [`DryRun`] tells what performing them would change.

mod accounts;
mod authorized_keys;
mod commands;
mod dry_run;
mod files;
mod host;
mod lock;
mod machine;
mod mirror;
mod root;
mod running;
mod staged;
#[cfg(test)]
mod tests;

pub use dry_run::DryRun;
pub use host::Host;
pub use lock::{RunLock, boot_id, random32, remove_state};
