//! Semaphores: what was begun, done or tried before, and what is due therefore.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use contract::effect::{Effect, Mode};
use contract::error::EffectError;
use contract::hex::hex;
use contract::machine::{Machine, Probe};
use contract::module::Frequency;
use contract::place::Place;
use contract::plan::Problem;
use contract::secret::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::store::StoreError;

/// The version of a journal's lines.
const FORMAT: u32 = 1;
const ONCE: &str = "/var/lib/firstlight/once/journal";
const BOOT: &str = "/run/firstlight/journal";
/// What begins the name of the record that a module's semaphore was shown to others.
const PUBLISHED: &str = "cloud-init:";

/// What is remembered of a module or a step. `at` is Unix time in seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Record {
    /// Nothing, or it was reset.
    #[default]
    Absent,
    /// It was begun. Whoever holds the run lock and reads this knows that it did not end.
    Started {
        /// When.
        at: u64,
    },
    /// It is done.
    Done {
        /// When.
        at: u64,
        /// Keyed digest of its inputs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
    },
    /// It was tried and did not take hold.
    Failed {
        /// When.
        at: u64,
    },
    /// It was begun, did not end, and a later boot noted that.
    Interrupted {
        /// When that was noted.
        at: u64,
    },
    /// The machine went down while it ran, which a script may have asked for.
    EndedByShutdown {
        /// When.
        at: u64,
    },
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "not done",
            Self::Started { .. } => "started",
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
            Self::Interrupted { .. } => "interrupted",
            Self::EndedByShutdown { .. } => "ended by shutdown",
        })
    }
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is due.
    Run,
    /// It was begun and did not end; doing it again is harmless, or was asked for.
    RunAgain,
    /// It is done.
    DoneBefore,
    /// It failed, and is tried again only by hand.
    FailedBefore,
    /// It was begun, did not end, and must not be begun twice.
    WasInterrupted,
    /// The machine's shutdown ended it, and it must not be begun twice.
    WasEndedByShutdown,
}

/// What a record means for something that runs code or not, when interrupted code is to be run
/// again (`rerun`) or not. Every state that a crash can leave behind has a row.
#[must_use]
pub const fn verdict(record: &Record, runs_code: bool, rerun: bool) -> Verdict {
    match (record, runs_code) {
        (Record::Absent, _) => Verdict::Run,
        (Record::Done { .. }, _) => Verdict::DoneBefore,
        (Record::Failed { .. }, _) => Verdict::FailedBefore,
        (Record::Started { .. } | Record::Interrupted { .. }, true) if !rerun => {
            Verdict::WasInterrupted
        }
        // Also under `rerun`: a script that reboots would do so forever.
        (Record::EndedByShutdown { .. }, true) => Verdict::WasEndedByShutdown,
        _ => Verdict::RunAgain,
    }
}

/// The name under which it is remembered that a module's semaphore was shown to others.
pub(crate) fn published(module: &str) -> String {
    format!("{PUBLISHED}{module}")
}

/// One line of a journal.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    v: u32,
    name: String,
    boot: String,
    #[serde(flatten)]
    record: Record,
}

/// The semaphores of an instance, of this boot, and of the machine's whole life.
#[derive(Debug, Default)]
pub struct Semaphores {
    /// Of each name what each journal that has it says.
    records: BTreeMap<String, Vec<Known>>,
    instance_journal: PathBuf,
    torn: Vec<PathBuf>,
    /// Journals that may have said more than can be read.
    damaged: Vec<PathBuf>,
    /// Of the instance's key, to begin each digest with.
    mac: Option<Hmac<Sha256>>,
    problems: Vec<Problem>,
}

#[derive(Debug)]
struct Known {
    record: Record,
    boot: String,
    journal: PathBuf,
}

impl Semaphores {
    /// Reads the journals; `dir` is the instance's directory. A line that nobody understands is
    /// kept and is a problem.
    ///
    /// # Errors
    /// When a journal is there and cannot be read.
    pub fn load(probe: &dyn Probe, dir: &Path) -> Result<Self, StoreError> {
        let mut all = Self {
            instance_journal: dir.join("journal"),
            ..Self::default()
        };
        let key = crate::store::read(probe, &dir.join("key"))?;
        all.mac = key.and_then(|key| Hmac::new_from_slice(&key).ok());
        for path in [
            PathBuf::from(ONCE),
            all.instance_journal.clone(),
            PathBuf::from(BOOT),
        ] {
            if let Some(bytes) = crate::store::read(probe, &path)? {
                all.replay(&path, &bytes);
            }
        }
        Ok(all)
    }

    /// Those of an instance whose journals cannot be read at all: what was begun is not known.
    #[must_use]
    pub fn unreadable(dir: &Path) -> Self {
        let instance_journal = dir.join("journal");
        Self {
            damaged: vec![ONCE.into(), instance_journal.clone(), BOOT.into()],
            instance_journal,
            ..Self::default()
        }
    }

    /// Whether something of this frequency may have been begun although `record` does not say so.
    pub(crate) fn may_have_begun(&self, frequency: Frequency, record: &Record) -> bool {
        *record == Record::Absent && self.damaged.contains(&self.journal(frequency))
    }

    fn replay(&mut self, path: &Path, bytes: &[u8]) {
        if !bytes.is_empty() && !bytes.ends_with(b"\n") {
            self.torn.push(path.to_owned());
        }
        let lines = bytes.split(|byte| *byte == b'\n').zip(1u32..);
        for (line, number) in lines.filter(|(line, _)| !line.is_empty()) {
            match serde_json::from_slice::<Line>(line) {
                Ok(line) if line.v == FORMAT => {
                    let known = Known {
                        record: line.record,
                        boot: line.boot,
                        journal: path.to_owned(),
                    };
                    self.remember(line.name, known);
                }
                other => {
                    let place = Place::new(path.display().to_string(), number, 1);
                    let message = "a record that cannot be read is left as it is";
                    if is_torn(line, other.err().as_ref()) {
                        self.problems.push(Problem::notice(Some(place), message));
                        continue;
                    }
                    let problem = Problem::warning(Some(place), message)
                        .hint("what may have been begun is not begun again");
                    self.problems.push(problem);
                    if self.damaged.last().is_none_or(|last| last != path) {
                        self.damaged.push(path.to_owned());
                    }
                }
            }
        }
    }

    /// What was odd about the journals.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What a journal says of a name now.
    fn remember(&mut self, name: String, known: Known) {
        let all = self.records.entry(name).or_default();
        all.retain(|own| own.journal != known.journal);
        all.push(known);
    }

    /// What is remembered of a module (`users`) or step (`scripts_user/part-001`); of one that ran
    /// at several frequencies the last that was noted.
    #[must_use]
    pub fn get(&self, name: &str) -> &Record {
        let last = self.records.get(name).and_then(|all| all.last());
        last.map_or(&Record::Absent, |known| &known.record)
    }

    /// The same for something of this frequency, whose records are its own: of what is done at
    /// every boot only this boot's count. Source: cloud-init, `cloudinit/helpers.py`, where a
    /// semaphore's path is made of its name and frequency.
    #[must_use]
    pub fn due(&self, name: &str, frequency: Frequency, boot_id: &str) -> &Record {
        let journal = self.journal(frequency);
        let own = self.records.get(name).into_iter().flatten();
        let mut own = own.filter(|known| known.journal == journal);
        own.next()
            .filter(|known| frequency != Frequency::Always || known.boot == boot_id)
            .map_or(&Record::Absent, |known| &known.record)
    }

    fn journal(&self, frequency: Frequency) -> PathBuf {
        match frequency {
            Frequency::Always => PathBuf::from(BOOT),
            Frequency::Instance => self.instance_journal.clone(),
            Frequency::Once => PathBuf::from(ONCE),
        }
    }

    /// Everything that is remembered, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Record)> {
        let names = self.records.keys().map(String::as_str);
        let all = names.filter(|name| !name.starts_with(PUBLISHED));
        all.map(|name| (name, self.get(name)))
            .filter(|(_, record)| **record != Record::Absent)
    }

    /// What is remembered at this frequency of a module and of its steps, by name.
    pub(crate) fn of_module(&self, module: &str, frequency: Frequency) -> Vec<&str> {
        let journal = self.journal(frequency);
        let is_own = |name: &str| {
            let rest = name.strip_prefix(module);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let own = self.records.iter().filter(|(name, all)| {
            let mut known = all.iter().filter(|known| known.journal == journal);
            is_own(name) && known.any(|known| known.record != Record::Absent)
        });
        own.map(|(name, _)| name.as_str()).collect()
    }

    /// Whether the file that says to others that a module is done is known to be on the disk.
    pub(crate) fn is_published(&self, module: &str, frequency: Frequency) -> bool {
        !self.of_module(&published(module), frequency).is_empty()
    }

    /// Takes records for true without keeping them, for a run that changes nothing.
    pub(crate) fn assume(&mut self, frequency: Frequency, records: Vec<(String, Record)>) {
        let journal = self.journal(frequency);
        for (name, record) in records {
            let known = Known {
                record,
                boot: String::new(),
                journal: journal.clone(),
            };
            self.remember(name, known);
        }
    }

    /// Forgets these names, durably.
    ///
    /// # Errors
    /// When the journal could not be written.
    pub fn reset(&mut self, machine: &dyn Machine, names: &[String]) -> Result<(), EffectError> {
        let mut by_journal: BTreeMap<PathBuf, Vec<(String, Record)>> = BTreeMap::new();
        for name in names
            .iter()
            .flat_map(|name| [name.clone(), published(name)])
        {
            for known in self.records.get(&name).into_iter().flatten() {
                let entry = by_journal.entry(known.journal.clone()).or_default();
                entry.push((name.clone(), Record::Absent));
            }
        }
        for (journal, records) in by_journal {
            self.append(machine, &journal, "", records, true)?;
        }
        Ok(())
    }

    /// Rewrites the journals of this machine's life and of an instance, whose directory is `dir`,
    /// with one line for each name; lines that nobody understands stay word for word. To be done
    /// when another instance begins: nobody reads the old one's journal at a boot any more.
    ///
    /// # Errors
    /// When a journal could not be read or written; each is whole, as it was or compacted.
    pub fn compact(machine: &dyn Machine, dir: &Path) -> Result<(), StoreError> {
        for path in [PathBuf::from(ONCE), dir.join("journal")] {
            let Some(bytes) = crate::store::read(machine, &path)? else {
                continue;
            };
            let compacted = compacted(&bytes);
            if compacted.len() < bytes.len() {
                let journal = Secret::new(compacted);
                machine.apply(&Effect::secret_file(path, journal, Mode::PRIVATE))?;
            }
        }
        Ok(())
    }

    /// Notes records of one frequency with one append.
    pub(crate) fn note(
        &mut self,
        machine: &dyn Machine,
        frequency: Frequency,
        boot_id: &str,
        records: Vec<(String, Record)>,
    ) -> Result<(), EffectError> {
        let journal = self.journal(frequency);
        self.append(
            machine,
            &journal,
            boot_id,
            records,
            frequency != Frequency::Always,
        )
    }

    fn append(
        &mut self,
        machine: &dyn Machine,
        journal: &Path,
        boot_id: &str,
        records: Vec<(String, Record)>,
        durable: bool,
    ) -> Result<(), EffectError> {
        // A line that a power cut tore apart must not swallow the next one.
        let mut bytes = if self.torn.iter().any(|path| path == journal) {
            vec![b'\n']
        } else {
            vec![]
        };
        for (name, record) in &records {
            let line = Line {
                v: FORMAT,
                name: name.clone(),
                boot: boot_id.to_owned(),
                record: record.clone(),
            };
            bytes.extend(serde_json::to_vec(&line).unwrap_or_default());
            bytes.push(b'\n');
        }
        machine.append(journal, &bytes, durable)?;
        self.torn.retain(|path| path != journal);
        for (name, record) in records {
            let known = Known {
                record,
                boot: boot_id.to_owned(),
                journal: journal.to_owned(),
            };
            self.remember(name, known);
        }
        Ok(())
    }

    /// HMAC-SHA-256 of inputs under the instance's key, in hexadecimal: a plain hash of a secret
    /// would let it be guessed.
    pub(crate) fn digest(&self, inputs: &[&[u8]]) -> Option<String> {
        let mut mac = self.mac.clone()?;
        for input in inputs {
            mac.update(&input.len().to_le_bytes());
            mac.update(input);
        }
        Some(hex(&mac.finalize().into_bytes()))
    }
}

/// Whether a power cut left the line so: cut off, or with the zeros of a file that had grown and was
/// not written yet. What such a record was of had not been begun, as records are durable before that.
fn is_torn(line: &[u8], error: Option<&serde_json::Error>) -> bool {
    let is_cut_off = error.is_some_and(serde_json::Error::is_eof);
    is_cut_off || line.iter().all(|byte| *byte == 0)
}

/// The last line of each name, in the order of these lines, and all lines that are none of ours.
fn compacted(journal: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = journal
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .collect();
    let name = |line: &&[u8]| {
        let line: Line = serde_json::from_slice(line).ok()?;
        (line.v == FORMAT).then_some((line.name, line.record))
    };
    let mut last = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some((name, _)) = name(line) {
            last.insert(name, at);
        }
    }
    let mut bytes = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let stays = match name(line) {
            None => true,
            Some((name, record)) => last.get(&name) == Some(&at) && record != Record::Absent,
        };
        if stays {
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
    }
    bytes
}

/// Unix time in seconds.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests;
