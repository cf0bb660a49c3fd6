//! Somebody's script: the file, and that it is run.

use std::path::PathBuf;

use contract::effect::{CommandSpec, Effect, Mode, Program};
use contract::plan::Step;
use contract::secret::Secret;

/// Runs that, with nothing added to its environment, for as long as it takes; `label` is what plans
/// and logs call it.
pub(crate) fn command(label: &str, program: Program) -> CommandSpec {
    CommandSpec {
        label: label.to_owned(),
        program,
        env: Vec::new(),
        timeout: None,
    }
}

/// Writes `body` to `path`, for root alone, and then runs the command. Another body is another input
/// of the step.
pub(crate) fn step(name: String, path: PathBuf, body: Secret<Vec<u8>>, run: CommandSpec) -> Step {
    let file = Effect::secret_file(path, body.clone(), Mode::PRIVATE_EXEC);
    let mut step = Step::new(name, [file, Effect::Run(run)]);
    step.inputs = body;
    step
}
