//! `firstlight documents`: the manual pages and the completions, for whoever makes packages. It is
//! there in a build with the feature `documents` alone, so what is shipped does not carry it.

mod configuration;
mod pages;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap_complete::Shell;

/// Where each shell looks for completions below `/usr/share`, and under which name (its own
/// documentation: bash-completion's README, zshcompsys(1), fish's "Writing your own completions").
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash-completion/completions/firstlight"),
    (Shell::Zsh, "zsh/site-functions/_firstlight"),
    (Shell::Fish, "fish/vendor_completions.d/firstlight.fish"),
];

/// Write the manual pages and the completions below a directory, as they lie below `/usr/share`.
#[derive(Debug, clap::Args)]
pub(super) struct Documents {
    /// The directory.
    dir: PathBuf,
}

impl Documents {
    /// `command` is the command line that is described.
    pub(super) fn run(self, command: clap::Command) -> anyhow::Result<ExitCode> {
        let mut files = pages::of(command.clone())?;
        files.push((
            "man/man5/firstlight.yaml.5".to_owned(),
            configuration::page()?,
        ));
        for (shell, path) in SHELLS {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command.clone(), "firstlight", &mut script);
            files.push((path.to_owned(), script));
        }
        for (path, bytes) in files {
            let path = self.dir.join(path);
            path.parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| fs::write(&path, bytes))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
