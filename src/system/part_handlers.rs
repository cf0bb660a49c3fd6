//! Asks a part handler what it takes, by running it in a process of its own.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::time::Duration;

use contract::error::chain;
use contract::part_handler::{Examine, NoAnswer, Traits};
use contract::secret::Secret;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::commands;
use crate::host::Host;
use crate::program::elsewhere;

/// What is run with `-c`: it reads the module and answers with [`Traits`].
const PROGRAM: &str = include_str!("part_handlers.py");
/// A longer answer cannot be written, in bytes.
const ANSWER_LIMIT: u64 = 64 << 10;

impl Examine for Host {
    fn examine(
        &self,
        module: &Secret<Vec<u8>>,
        interpreter: &str,
        timeout: Duration,
    ) -> Result<Traits, NoAnswer> {
        if let Some(why) = elsewhere(self, self, &[interpreter.to_owned()]) {
            return Err(NoAnswer::NotHere(why));
        }
        let files = || -> io::Result<(File, File)> { Ok((text(module.expose())?, blank()?)) };
        let failed = |error: io::Error| NoAnswer::Failed(error.to_string());
        let (stdin, mut stdout) = files().map_err(failed)?;
        let answer = stdout.try_clone().map_err(failed)?;
        // No directory of a user's, and no compiled file left behind.
        let argv = [interpreter, "-I", "-B", "-c", PROGRAM].map(str::to_owned);
        let files = [OwnedFd::from(stdin), OwnedFd::from(answer)];
        commands::converse(self, &argv, interpreter, files, timeout)
            .map_err(|error| NoAnswer::Failed(chain(&error)))?;
        let mut said = Vec::new();
        stdout.rewind().map_err(failed)?;
        stdout
            .take(ANSWER_LIMIT)
            .read_to_end(&mut said)
            .map_err(failed)?;
        let end = said.iter().position(|byte| *byte == 0);
        let said = said.get(..end.unwrap_or(said.len())).unwrap_or_default();
        // The error of serde_json may quote what it read.
        serde_json::from_slice(said)
            .map_err(|_| NoAnswer::Failed("list_types gave no list of content types".to_owned()))
    }
}

/// A file in memory that holds that.
fn text(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create(c"firstlight", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// A file in memory of so many zeros, which nobody can make longer.
fn blank() -> io::Result<File> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let file = File::from(memfd_create(c"firstlight", flags)?);
    file.set_len(ANSWER_LIMIT)?;
    let seals = SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file)
}
