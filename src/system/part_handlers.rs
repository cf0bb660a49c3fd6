//! Asks a part handler what it takes, by running it in a process of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use contract::error::chain;
use contract::part_handler::{Examine, NoAnswer, Traits};
use contract::secret::Secret;

use crate::commands;
use crate::host::Host;
use crate::memory::{self, Blank};
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
        let failed = |error: io::Error| NoAnswer::Failed(error.to_string());
        let stdin = memory::text(module.expose()).map_err(failed)?;
        let blank = Blank::new(ANSWER_LIMIT).map_err(failed)?;
        let answer = blank.file().map_err(failed)?;
        // No directory of a user's, and no compiled file left behind.
        let argv = [interpreter, "-I", "-B", "-c", PROGRAM].map(str::to_owned);
        let files = [OwnedFd::from(stdin), OwnedFd::from(answer)];
        commands::converse(self, &argv, interpreter, files, timeout)
            .map_err(|error| NoAnswer::Failed(chain(&error)))?;
        let said = blank.said().map_err(failed)?;
        // The error of serde_json may quote what it read.
        serde_json::from_slice(&said)
            .map_err(|_| NoAnswer::Failed("list_types gave no list of content types".to_owned()))
    }
}
