//! The machine itself: the one crate that changes anything, below `/` or below another root.
//!
//! [`Host`] performs effects; [`DryRun`] tells what performing them would change.

mod accounts;
mod aging;
mod authorized_keys;
mod beside;
mod block;
mod clock;
mod commands;
mod confined;
mod console;
mod custom;
mod devices;
mod diff;
mod dry_run;
mod files;
mod host;
mod host_names;
mod import_keys;
mod items;
mod kept;
mod kit;
mod labels;
mod lane;
mod lock;
mod machine;
mod memory;
mod mirror;
mod output;
mod packages;
mod part_handlers;
mod passwords;
mod post;
mod power;
mod program;
mod redirection;
mod root;
mod running;
mod settings;
mod staged;
mod syslog;
#[cfg(test)]
mod tests;
mod tools;
mod usage;
mod watchdog;
mod written;

/// Pure functions of this crate that are fed with arbitrary bytes, see `fuzz/`.
#[doc(hidden)]
pub mod fuzzing {
    use contract::effect::AuthorizedKeysSpec;

    /// The bytes of an authorized_keys file with the keys in it.
    pub fn merge_authorized_keys(old: &[u8], spec: &AuthorizedKeysSpec) -> Vec<u8> {
        use crate::authorized_keys::{Held, lines, merge};

        merge(old, &lines(spec), Held::Replaced)
    }
}

pub use commands::{ask, pass_on, time_in_programs};
pub use console::show_on_console;
pub use dry_run::DryRun;
pub use host::Host;
pub use lock::{
    RunLock, boot_id, is_public, is_run_by_firstlight, random32, remove, remove_state, state,
};
pub use power::Ending;
pub use running::any_failed;
pub use usage::{count_usage, usage};
