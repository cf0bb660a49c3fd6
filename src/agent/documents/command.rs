//! `firstlight documents DIR`, `firstlight documents --markdown DIR`

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap_complete::Shell;

use super::{configuration, markdown, pages};
use crate::cli::{self, table};
use crate::cloud_init_cli;

/// Where each shell looks for completions below `/usr/share`, and what stands before and behind the
/// name of the command (its own documentation: bash-completion's README, zshcompsys(1), fish's
/// "Writing your own completions").
const SHELLS: [(Shell, &str, &str); 3] = [
    (Shell::Bash, "bash-completion/completions/", ""),
    (Shell::Zsh, "zsh/site-functions/_", ""),
    (Shell::Fish, "fish/vendor_completions.d/", ".fish"),
];

/// Writes manual pages and completions below a directory as they lie below `/usr/share`, or the pages of
/// docs/ into it, if that is what is asked for.
pub(crate) fn main() -> Option<ExitCode> {
    let words: Vec<_> = env::args_os().skip(1).collect();
    let written = match words.split_first()? {
        (word, _) if word != "documents" => return None,
        (_, [dir]) => write(Path::new(dir)),
        (_, [word, dir]) if word == "--markdown" => markdown::write(Path::new(dir)),
        _ => {
            table::complain("usage: firstlight documents [--markdown] DIR");
            return Some(ExitCode::FAILURE);
        }
    };
    Some(written.map_or_else(
        |error| {
            table::complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    ))
}

fn write(dir: &Path) -> anyhow::Result<()> {
    let page = configuration::page()?;
    let mut files = vec![("man/man5/firstlight.yaml.5".to_owned(), page)];
    let commands = std::iter::once(cli::command()).chain(cloud_init_cli::commands());
    for mut command in commands {
        files.extend(pages::of(command.clone())?);
        // There is nothing to complete of a command without options.
        if command.get_arguments().all(clap::Arg::is_positional) {
            continue;
        }
        let name = command.get_name().to_owned();
        for (shell, before, behind) in SHELLS {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, name.as_str(), &mut script);
            files.push((format!("{before}{name}{behind}"), script));
        }
    }
    for (path, bytes) in files {
        let path = dir.join(path);
        path.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, bytes))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
