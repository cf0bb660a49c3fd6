//! Tools that went on beside other modules, when their stage is over.

use contract::error::chain;
use contract::machine::{Change, Joined};
use contract::report::{ErrorReport, ModuleReport, Outcome, StepReport};

use crate::perform::BEGUN;

/// Writes the ends of tools into the reports of those who began them; the names of the modules of
/// which one failed.
pub(crate) fn close(modules: &mut [ModuleReport], joined: Vec<Joined>) -> Vec<String> {
    let mut failed = Vec::new();
    for end in joined {
        let module = modules
            .iter_mut()
            .find(|module| module.steps.iter().any(|step| is_begun(step, &end)));
        let Some(module) = module else { continue };
        let step = module.steps.iter_mut().find(|step| is_begun(step, &end));
        if step.is_some_and(|step| finish(step, end)) {
            module.outcome = Outcome::Failed;
            failed.push(module.name.clone());
        }
    }
    failed
}

fn is_begun(step: &StepReport, end: &Joined) -> bool {
    step.effects
        .iter()
        .any(|effect| effect.what == end.what && effect.change == BEGUN)
}

/// Whether it failed.
fn finish(step: &mut StepReport, end: Joined) -> bool {
    let word = match &end.result {
        Ok(Change::AlreadySo) => "already so",
        Ok(_) => "made",
        Err(_) => "failed",
    };
    let begun = step
        .effects
        .iter_mut()
        .find(|effect| effect.what == end.what && effect.change == BEGUN);
    if let Some(effect) = begun {
        word.clone_into(&mut effect.change);
    }
    match end.result {
        Err(error) => {
            step.outcome = Outcome::Failed;
            step.error.get_or_insert(ErrorReport {
                message: chain(&error),
                class: error.class(),
            });
            true
        }
        Ok(_) => {
            let same = |effect: &contract::report::EffectReport| effect.change == "already so";
            if step.outcome == Outcome::Changed && step.effects.iter().all(same) {
                step.outcome = Outcome::Unchanged;
            }
            false
        }
    }
}
