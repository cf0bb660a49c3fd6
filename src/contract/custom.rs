//! Custom modules: programs of an image that say what shall be, as firstlight's own modules do.

use std::path::Path;
use std::time::Duration;

use crate::machine::NotDone;
use crate::part_handler::NoAnswer;
use crate::secret::Secret;

/// What a program is asked.
#[derive(Debug)]
pub struct Question<'a> {
    /// The program, an absolute path on the machine.
    pub program: &'a Path,
    /// Its standard input: JSON.
    pub text: Secret<Vec<u8>>,
    /// What it must not tell the log: it is blotted out in what it says beside its answer.
    pub secrets: &'a [Secret<String>],
    /// How long it may think.
    pub timeout: Duration,
}

/// Whoever can ask a program of the image. Asking changes nothing on the machine.
pub trait Ask {
    /// What it answers on its standard output.
    ///
    /// # Errors
    /// When it cannot be asked here, or gave no answer.
    fn ask(&self, question: &Question<'_>) -> Result<Secret<Vec<u8>>, NoAnswer>;
}

/// For where there is no machine: nobody is asked.
#[derive(Debug)]
pub struct Nobody;

impl Ask for Nobody {
    fn ask(&self, _: &Question<'_>) -> Result<Secret<Vec<u8>>, NoAnswer> {
        Err(NoAnswer::NotHere(NotDone::NeedsLiveMachine))
    }
}
