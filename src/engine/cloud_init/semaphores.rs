//! The files in which cloud-init notes what it has run: read as well as written.
//!
//! firstlight's journal is the truth. These files are made of it, and whoever takes one away wants
//! the module again; one that somebody else put there says that the module is done. cloud-init
//! writes its own before a module runs, so that a script may take away the semaphore that makes it
//! run once; ours are there by then, too.
//!
//! Source: cloud-init, `cloudinit/helpers.py` (`FileSemaphores`, `Runners`), `cloudinit/settings.py`.

use std::path::{Path, PathBuf};

use contract::effect::Effect;
use contract::error::EffectError;
use contract::machine::{Machine, Probe};
use contract::module::{Entry, Frequency};
use contract::name::InstanceId;
use contract::plan::Problem;

use super::{STATE, clock, files};
use crate::semaphore::{self, Record, Semaphores};

/// What a file of ours has behind what cloud-init writes; nobody reads more than that it is there.
const OURS: &str = "firstlight";

/// Where the semaphores of an instance's modules are.
#[derive(Debug, Default)]
pub struct Marks(Vec<Mark>);

#[derive(Debug)]
struct Mark {
    module: &'static str,
    frequency: Frequency,
    path: PathBuf,
}

impl Marks {
    /// Those of these modules; `name` is a module's semaphore without what tells its frequency.
    #[must_use]
    pub fn of(id: &InstanceId, entries: &[Entry], name: impl Fn(&str) -> String) -> Self {
        let marks = entries.iter().filter_map(|entry| {
            let name = name(entry.facts.name);
            let path = match entry.frequency {
                Frequency::Always => return None,
                Frequency::Instance => files::dir_of(id).join("sem").join(name),
                Frequency::Once => Path::new(STATE).join("sem").join(format!("{name}.once")),
            };
            Some(Mark {
                module: entry.facts.name,
                frequency: entry.frequency,
                path,
            })
        });
        Self(marks.collect())
    }

    /// The files of the modules of which nothing is left when these records are forgotten.
    pub fn paths<'a>(
        &'a self,
        semaphores: &'a Semaphores,
        forgotten: &'a [String],
    ) -> impl Iterator<Item = &'a Path> {
        let goes = |mark: &&Mark| {
            let own = semaphores.of_module(mark.module, mark.frequency);
            let mut own = own.into_iter().peekable();
            own.peek().is_some() && own.all(|name| forgotten.iter().any(|other| other == name))
        };
        self.0.iter().filter(goes).map(|mark| mark.path.as_path())
    }

    /// Writes the semaphore of a module, unless that was done before, and tells the record of it: for the
    /// same append as that of what the module did, behind a settling of the disk. So a semaphore that is
    /// missing was taken away.
    pub(crate) fn publish(
        &self,
        machine: &dyn Machine,
        semaphores: &Semaphores,
        module: &str,
        frequency: Frequency,
    ) -> Option<(String, Record)> {
        let is_own = |mark: &&Mark| mark.module == module && mark.frequency == frequency;
        let mark = self.0.iter().find(is_own)?;
        if semaphores.is_published(module, frequency) {
            // Noted again: a script may have taken the journal away as well.
            return Some(mark.shown());
        }
        let same = self.0.iter().filter(|other| other.path == mark.path);
        let mut same = same.map(|other| semaphores.is_published(other.module, other.frequency));
        if !same.any(|is_there| is_there)
            && let Err(error) = machine.apply(&mark.file())
        {
            tracing::warn!("cloud_init_compat: {}", contract::error::chain(&error));
            return None;
        }
        Some(mark.shown())
    }
}

impl Mark {
    fn file(&self) -> Effect {
        let text = format!("{}: {} {OURS}\n", std::process::id(), clock::unix());
        Effect::file(self.path.clone(), text)
    }

    fn shown(&self) -> (String, Record) {
        let done = Record::Done {
            at: semaphore::now(),
            digest: None,
        };
        (semaphore::published(self.module), done)
    }

    fn not_shown(&self) -> (String, Record) {
        (semaphore::published(self.module), Record::Absent)
    }

    fn found(&self, probe: &dyn Probe) -> Found {
        match probe.read(&self.path) {
            Ok(None) => Found::Nothing,
            Ok(Some(bytes)) if String::from_utf8_lossy(&bytes).trim_end().ends_with(OURS) => {
                Found::Ours
            }
            // What cannot be read is there.
            Ok(Some(_)) | Err(_) => Found::Theirs,
        }
    }
}

/// What is in the place of a semaphore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Ours,
    /// cloud-init's, or a person's.
    Theirs,
}

/// What a semaphore and the journal mean together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// What the journal says.
    AsJournal,
    /// Somebody else did it.
    DoneByOthers,
    /// It was taken away: the module is due again.
    TakenAway,
    /// It is to be written.
    Unwritten,
    /// It is there, and that is to be noted.
    Unnoted,
    /// It is noted, but there is nothing for which it could stand.
    Stale,
}

/// The table: whether the journal has anything of the module (done, failed, begun, interrupted: all
/// of it keeps the module from running), what is on the disk, and whether the journal has seen ours
/// there. Every state that a crash can leave has a row.
const fn meaning(is_recorded: bool, found: Found, is_published: bool) -> Meaning {
    match (is_recorded, found, is_published) {
        (false, Found::Theirs, _) => Meaning::DoneByOthers,
        // A power cut between our file and the record: it did not happen.
        (false, Found::Nothing | Found::Ours, false) => Meaning::AsJournal,
        (false, Found::Nothing | Found::Ours, true) => Meaning::Stale,
        (true, Found::Nothing, true) => Meaning::TakenAway,
        // A power cut between the record and our file, or nobody asked for the file before.
        (true, Found::Nothing, false) => Meaning::Unwritten,
        (true, Found::Ours | Found::Theirs, false) => Meaning::Unnoted,
        (true, Found::Ours | Found::Theirs, true) => Meaning::AsJournal,
    }
}

/// Brings journal and semaphores together before anything is run, and says what came of it. A dry
/// run (`dry`) changes nothing but what it is told.
///
/// # Errors
/// When the journal could not be written.
pub fn reconcile(
    machine: &dyn Machine,
    semaphores: &mut Semaphores,
    marks: &Marks,
    dry: bool,
) -> Result<Vec<Problem>, EffectError> {
    let mut told = Told::default();
    for frequency in [Frequency::Instance, Frequency::Once] {
        let mut records = Vec::new();
        let mut wrote = false;
        for mark in marks.0.iter().filter(|mark| mark.frequency == frequency) {
            let own = semaphores.of_module(mark.module, frequency);
            let is_published = semaphores.is_published(mark.module, frequency);
            match meaning(!own.is_empty(), mark.found(machine), is_published) {
                Meaning::AsJournal => {}
                Meaning::DoneByOthers => {
                    let at = semaphore::now();
                    let done = Record::Done { at, digest: None };
                    records.push((mark.module.to_owned(), done));
                    records.push(mark.shown());
                    told.done.push(mark.module);
                }
                Meaning::TakenAway => {
                    let forgotten = own.iter().map(|name| ((*name).to_owned(), Record::Absent));
                    records.extend(forgotten);
                    records.push(mark.not_shown());
                    told.again.push(mark.module);
                }
                Meaning::Unwritten if dry => {}
                Meaning::Unwritten => match machine.apply(&mark.file()) {
                    Ok(_) => {
                        wrote = true;
                        records.push(mark.shown());
                    }
                    Err(error) => {
                        tracing::warn!("cloud_init_compat: {}", contract::error::chain(&error));
                    }
                },
                Meaning::Unnoted => records.push(mark.shown()),
                Meaning::Stale => records.push(mark.not_shown()),
            }
        }
        if records.is_empty() {
            continue;
        }
        if dry {
            semaphores.assume(frequency, records);
            continue;
        }
        if wrote {
            machine.settle()?;
        }
        semaphores.note(machine, frequency, "", records)?;
    }
    Ok(told.problems())
}

#[derive(Default)]
struct Told {
    done: Vec<&'static str>,
    again: Vec<&'static str>,
}

impl Told {
    fn problems(&self) -> Vec<Problem> {
        let names = |modules: &[&str]| modules.join(", ");
        let mut problems = Vec::new();
        if !self.done.is_empty() {
            let (count, names) = (self.done.len(), names(&self.done));
            let message = format!(
                "modules that cloud-init has done, and that are not done again: {count} ({names})"
            );
            let hint = "`firstlight semaphores reset NAME` makes one due again";
            problems.push(Problem::notice(None, message).hint(hint));
        }
        if !self.again.is_empty() {
            let names = names(&self.again);
            let message = format!(
                "semaphores below {STATE} were taken away, so these modules are due again: {names}"
            );
            problems.push(Problem::notice(None, message));
        }
        problems
    }
}

#[cfg(test)]
mod tests;
