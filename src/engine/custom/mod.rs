//! Custom modules: what an image brings along in /usr/lib/firstlight/modules.d, a manifest and a program
//! each. The program is asked, as JSON, and answers with effects; performing them, with all that belongs
//! to it, is the same as for firstlight's own modules. docs/custom-modules.md has the protocol.

mod answer;
mod effects;
mod manifest;
mod schema;
mod secrets;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::custom::Question;
use contract::effect::Effect;
use contract::machine::Probe;
use contract::module::{Context, Custom, Entry, Facts};
use contract::part_handler::NoAnswer;
use contract::place::Place;
use contract::plan::{Plan, Problem, Severity};
use contract::schema::Key;
use contract::secret::Secret;
use serde_json::json;

use self::manifest::Manifest;
use crate::report_file;
use crate::validate::Schema;

/// Where an image has them.
pub const DIR: &str = "/usr/lib/firstlight/modules.d";
/// More of them are not read.
const MAX_MODULES: usize = 64;
/// What stands in a question beside the module's own: who asks knows this protocol.
const PROTOCOL: u32 = 1;

/// Makes the effect that packages are installed; `None` where nobody is known who could.
pub type Packages = fn(&[&str], &Context<'_>) -> Option<Effect>;

/// What firstlight has by itself, and no custom module may take.
#[derive(Debug, Clone, Copy)]
pub struct Own {
    /// Its modules.
    pub table: &'static [Entry],
    /// The names of cloud-init's modules.
    pub names: &'static [&'static str],
    /// The top-level keys of cloud-init.
    pub keys: &'static [&'static str],
    /// Keys of its own that neither a module nor this crate reads.
    pub others: &'static [Key],
    /// See [`Packages`].
    pub packages: Packages,
}

/// Firstlight's own modules and those of the image, in their order, and what is wrong with the latter.
///
/// One whose manifest is wrong, or that others than root could have changed, is left out.
#[must_use]
pub fn load(probe: &dyn Probe, own: &Own) -> (Cow<'static, [Entry]>, Vec<Problem>) {
    let none = Cow::Borrowed(own.table);
    let names = match probe.list(Path::new(DIR)) {
        Ok(None) => return (none, Vec::new()),
        Ok(Some(names)) => names,
        Err(error) => {
            let message = format!("cannot read {DIR}: {error}");
            return (none, vec![Problem::error(None, message)]);
        }
    };
    let mut table = own.table.to_vec();
    let mut problems = Vec::new();
    let mut waiting = Vec::new();
    let manifests = names.iter().filter_map(|name| name.strip_suffix(".yaml"));
    for (index, name) in manifests.enumerate() {
        if index == MAX_MODULES {
            let message = format!("{DIR}: only the first {MAX_MODULES} modules are used");
            problems.push(Problem::error(None, message));
            break;
        }
        match manifest::read(probe, name) {
            Ok(manifest) => waiting.push(manifest),
            Err(problem) => problems.push(problem),
        }
    }
    for name in names.iter().filter(|name| name.ends_with(".yml")) {
        let place = Place::whole(format!("{DIR}/{}", name.escape_debug()));
        let problem = Problem::error(
            Some(place),
            "the module is not used: nobody reads this file",
        );
        problems.push(problem.hint("a manifest is called NAME.yaml"));
    }
    // One may follow another that comes later by its name.
    while !waiting.is_empty() {
        let names: BTreeSet<String> = waiting.iter().map(|one| one.name().to_owned()).collect();
        let (ready, rest): (Vec<_>, _) = waiting.into_iter().partition(|one| !one.follows(&names));
        if ready.is_empty() {
            problems.extend(rest.iter().filter_map(Manifest::circle));
            break;
        }
        let joined = ready.into_iter().map(|one| one.join(own, &mut table));
        problems.extend(joined.filter_map(Result::err));
        waiting = rest;
    }
    (Cow::Owned(table), problems)
}

/// A module that is a program.
#[derive(Debug)]
struct Program {
    facts: &'static Facts,
    path: PathBuf,
    timeout: Duration,
    packages: Packages,
}

impl Custom for Program {
    fn plan(&self, ctx: &Context<'_>) -> Plan {
        let name = self.facts.name;
        let section = ctx.config.subset(&self.facts.key_names());
        if let Some(section) = section.as_map() {
            let mut problems = Schema::new(self.facts.keys, &[]).check(section);
            problems.retain(|problem| problem.severity == Severity::Error);
            if !problems.is_empty() {
                return Plan {
                    steps: Vec::new(),
                    problems,
                };
            }
        }
        let secrets = secrets::of(&section, self.facts.keys);
        let question = json!({
            "protocol": PROTOCOL,
            "module": name,
            "stage": self.facts.stage,
            "config": section,
            "instance": report_file::public(ctx.instance),
        });
        let question = Question {
            program: &self.path,
            text: Secret::new(question.to_string().into_bytes()),
            secrets: &secrets,
            timeout: self.timeout,
        };
        match ctx.ask.ask(&question) {
            Ok(text) => {
                let reader = answer::Reader {
                    module: name,
                    section: &section,
                    secrets: &secrets,
                    packages: &|names| (self.packages)(names, ctx),
                };
                reader.plan(text.expose())
            }
            Err(NoAnswer::NotHere(why)) => Plan::not_done("ask", why),
            Err(NoAnswer::Failed(why)) => {
                let message = format!("module `{name}` of the image gave no answer: {why}");
                let problem = Problem::error(None, message);
                Plan::problem(problem.hint("its standard error may say more"))
            }
        }
    }
}
