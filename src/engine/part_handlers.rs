//! The part handlers of some user data: which part is one, and which later ones it takes.
//!
//! They are code, so the image has to allow them, and what a handler takes is known only when
//! somebody has asked it. Source: cloud-init, `cloudinit/handlers/__init__.py` (`walker_callback`,
//! `walker_handle_handler`).

use std::path::PathBuf;

use contract::hex::hex;
use contract::part_handler::{Calls, Examine, NoAnswer, PartHandler, Traits};
use contract::place::Place;
use contract::plan::Problem;
use contract::secret::Secret;
use contract::user_data::Part;
use sha2::{Digest, Sha256};

use crate::settings::PartHandlers;
use crate::user_data::{Kept, Reach, Surroundings};

/// The handlers met so far, in their order.
#[derive(Default)]
pub(crate) struct Handlers {
    known: Vec<(Vec<String>, PartHandler)>,
    /// Whether there is one that nobody could ask.
    some_unknown: bool,
}

/// What becomes of a handler.
pub(crate) struct Met {
    pub(crate) decision: String,
    pub(crate) problem: Option<Problem>,
    pub(crate) kept: Option<Kept>,
}

/// What becomes of another part because of the handlers before it.
pub(crate) enum Fate {
    /// One of them takes it, by this name.
    Taken(String),
    /// Perhaps one takes it: nobody could ask.
    Open,
    /// None takes it.
    Nobodys,
}

impl Handlers {
    /// Registers a handler: from now on it takes the parts of its types, before everybody else.
    pub(crate) fn meet(
        &mut self,
        part: Part,
        name: &str,
        allowed: Option<&PartHandlers>,
        around: &Surroundings<'_>,
    ) -> Met {
        let place = Some(Place::whole(name));
        let ignored = |why: &str, hint: Option<&str>| Met {
            decision: format!("ignored: {why}"),
            problem: Some(Problem {
                hint: hint.map(str::to_owned),
                ..Problem::warning(place.clone(), format!("part ignored: {why}"))
            }),
            kept: None,
        };
        let Some(allowed) = allowed else {
            let why = "it is a part handler, and the image does not let them run";
            let hint = "the image's own configuration may say `firstlight: {part_handlers: python3}`; \
                        in user data that counts for nothing";
            return ignored(why, Some(hint));
        };
        let (traits, kept) = match traits(&part.body, allowed, around) {
            Asked::Answered(traits, kept) => (traits, kept),
            Asked::Failed(why) => {
                let hint = "what it wrote is in the output log";
                return ignored(
                    &format!("the part handler cannot be used: {why}"),
                    Some(hint),
                );
            }
            Asked::Not(why) => {
                self.some_unknown = true;
                let message = format!(
                    "a boot lets {} run this part handler, and gives it the later parts of its \
                     types; {why}, so its types are not known",
                    allowed.interpreter
                );
                let hint = "only if the image's own configuration says `firstlight: {part_handlers: \
                            python3}`";
                return Met {
                    decision: "a part handler, not run here".to_owned(),
                    problem: Some(Problem::notice(place, message).hint(hint)),
                    kept: None,
                };
            }
        };
        let problem = (traits.calls == Calls::Never).then(|| {
            let message = "the part handler is never called: its frequency is neither `always` nor \
                           `once-per-instance`";
            Problem::warning(place, message)
        });
        let decision = format!("a part handler of {}", traits.types.join(", "));
        let handler = PartHandler {
            part,
            interpreter: allowed.interpreter.clone(),
            timeout: allowed.timeout,
            calls: traits.calls,
            takes: Vec::new(),
        };
        self.known.push((traits.types, handler));
        Met {
            decision,
            problem,
            kept,
        }
    }

    /// Gives a part to the last handler that takes its type.
    pub(crate) fn give(&mut self, part: &Part) -> Fate {
        let mime = part.kind.mime();
        let takes =
            |(types, _): &&mut (Vec<String>, PartHandler)| types.iter().any(|own| own == mime);
        match self.known.iter_mut().rev().find(takes) {
            Some((_, handler)) => {
                handler.takes.push(part.clone());
                Fate::Taken(handler.part.name.clone())
            }
            None if self.some_unknown => Fate::Open,
            None => Fate::Nobodys,
        }
    }

    /// All of them, each with its parts.
    pub(crate) fn done(self) -> impl Iterator<Item = PartHandler> {
        self.known.into_iter().map(|(_, handler)| handler)
    }
}

enum Asked {
    /// What it said, and what to keep of it for later boots and stages.
    Answered(Traits, Option<Kept>),
    Failed(String),
    /// Nobody asked it, and this is why.
    Not(&'static str),
}

fn traits(module: &Secret<Vec<u8>>, allowed: &PartHandlers, around: &Surroundings<'_>) -> Asked {
    let path = path(module, allowed, around);
    let kept = around.probe.and_then(|probe| probe.read(&path).ok()?);
    if let Some(traits) = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return Asked::Answered(traits, None);
    }
    let examine: &dyn Examine = match (around.examine, around.reach) {
        (Some(examine), _) => examine,
        (None, Reach::Kept) => {
            return Asked::Failed(
                "it did not say what it takes when the machine booted".to_owned(),
            );
        }
        (None, _) => return Asked::Not("nothing is run here"),
    };
    match examine.examine(module, &allowed.interpreter, allowed.timeout) {
        Ok(traits) => {
            let kept = serde_json::to_vec(&traits).ok();
            let kept = kept.map(|text| (path, Some(Secret::new(text))));
            Asked::Answered(traits, kept)
        }
        Err(NoAnswer::NotHere(why)) => Asked::Not(why.why()),
        Err(NoAnswer::Failed(why)) => Asked::Failed(why),
    }
}

/// Where is kept what this module said to this interpreter.
fn path(module: &Secret<Vec<u8>>, allowed: &PartHandlers, around: &Surroundings<'_>) -> PathBuf {
    let mut digest = Sha256::new();
    digest.update(allowed.interpreter.as_bytes());
    digest.update([0]);
    digest.update(module.expose());
    let digest = hex(&digest.finalize());
    around.dir.join(format!("part-handler-{digest}"))
}
