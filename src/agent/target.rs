//! What a command works on.

use std::fs;
use std::path::PathBuf;

/// Which machine, and who tells what it shall become.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Target {
    /// Work on the system below this directory instead of on this machine.
    #[arg(long, value_name = "DIR", default_value = "/", global = true)]
    pub(crate) root: PathBuf,
    /// Take metadata and user data from this directory instead of from the cloud: `meta-data`,
    /// `user-data`, optionally `vendor-data` and `vendor-data2`, and `root/` to copy to an empty --root first.
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) seed: Option<PathBuf>,
}

impl Default for Target {
    /// This machine, and what its cloud says.
    fn default() -> Self {
        Self {
            root: PathBuf::from("/"),
            seed: None,
        }
    }
}

impl Target {
    /// The seed's image, if it has one.
    pub(crate) fn image(&self) -> Option<PathBuf> {
        let image = self.seed.as_ref()?.join("root");
        fs::metadata(&image)
            .is_ok_and(|meta| meta.is_dir())
            .then_some(image)
    }
}
