//! Files that the configuration spells out.
//!
//! Source: cloud-init, `cloudinit/config/cc_write_files.py` and `cc_write_files_deferred.py`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use contract::effect::{Append, Content, Effect, Source, WriteSpec};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::{Each, Value};
use serde::Deserialize;

mod entry;
#[cfg(test)]
mod tests;

use entry::{ENTRY, Entry, Reader};

/// The most that one entry unpacks to, and that all of them do.
const ENTRY_LIMIT: usize = 16 * 1024 * 1024;
const TOTAL_LIMIT: usize = 64 * 1024 * 1024;

const KEYS: &[Key] = &[Key::new(
    "write_files",
    Shape::List(&Shape::Map(ENTRY)),
    "files to write, in order, once for an instance",
)];

const EARLY_HINT: &str =
    "`defer: true` writes it in the final stage, after users and packages are there";
const LATE_HINT: &str = "make it with `users`, `groups` or a package";

/// Writes the files that nothing else has to come before.
pub(crate) struct WriteFiles;

/// Writes the files that say `defer: true`.
pub(crate) struct WriteFilesDeferred;

/// `write_files:`, a list of entries.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    write_files: Option<Each<Entry>>,
}

impl Module for WriteFiles {
    const FACTS: Facts = Facts {
        name: "write_files",
        summary: "write the files that are given",
        stage: Stage::Identity,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/write_files.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        plan(&want, ctx, false)
    }
}

impl Module for WriteFilesDeferred {
    const FACTS: Facts = Facts {
        name: "write_files_deferred",
        summary: "write the files that say `defer: true`",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/write_files.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        plan(&want, ctx, true)
    }
}

/// The steps of those entries that are deferred, or of those that are not.
fn plan(want: &Section, ctx: &Context<'_>, deferred: bool) -> Plan {
    let mut planner = Planner {
        ctx,
        deferred,
        plan: Plan::nothing(),
        left: TOTAL_LIMIT,
        names: BTreeMap::new(),
        appends: Vec::new(),
    };
    let Some(entries) = &want.write_files else {
        return Plan::nothing();
    };
    for (number, (value, entry)) in entries.iter_with_values().enumerate() {
        let entry = match entry {
            Ok(entry) => entry,
            // One that cannot be read does not say when, and is told of once.
            Err(error) if !deferred => {
                planner.plan.problems.push(Problem::from(error));
                continue;
            }
            Err(_) => continue,
        };
        let reader = Reader::new(number);
        let mut problems = Vec::new();
        if reader.switch("defer", entry.defer.as_ref(), &mut problems) != deferred {
            continue;
        }
        match planner.entry(&reader, value, &entry, &mut problems) {
            Ok(spec) => {
                let step = planner.step(spec);
                planner.plan.push(step);
            }
            Err(problem) => problems.push(problem),
        }
        planner.plan.problems.append(&mut problems);
    }
    planner.plan
}

struct Planner<'a> {
    ctx: &'a Context<'a>,
    deferred: bool,
    plan: Plan,
    /// How much the entries may still unpack to.
    left: usize,
    /// How many steps have each name.
    names: BTreeMap<String, usize>,
    /// What is appended to where, so far.
    appends: Vec<(PathBuf, Option<Content>, Option<Source>)>,
}

impl Planner<'_> {
    fn entry(
        &mut self,
        reader: &Reader,
        value: &Value,
        entry: &Entry,
        problems: &mut Vec<Problem>,
    ) -> Result<WriteSpec, Problem> {
        let path = reader.path(value, entry.path.as_ref(), problems)?;
        let mode = reader.mode(entry.permissions.as_ref(), problems);
        let source = reader.source(entry.source.as_ref(), self.ctx, problems)?;
        let bytes = match &entry.content {
            Some(content) if !content.is_null() => {
                let limit = ENTRY_LIMIT.min(self.left);
                Some(reader.content(content, entry.encoding.as_ref(), limit, problems)?)
            }
            _ if source.is_some() => None,
            _ => Some(Vec::new()),
        };
        self.left = self.left.saturating_sub(bytes.as_ref().map_or(0, Vec::len));
        let content = bytes.map(|bytes| match mode.is_private() {
            true => Content::Secret(Secret::new(bytes)),
            false => Content::Plain(bytes),
        });
        let append = reader.switch("append", entry.append.as_ref(), problems);
        let append = append.then(|| {
            let this = (path.clone(), content.clone(), source.clone());
            let nth = 1 + self.appends.iter().filter(|other| **other == this).count();
            self.appends.push(this);
            Append {
                records: self.ctx.instance_dir.join("appended"),
                nth,
            }
        });
        Ok(WriteSpec {
            path,
            content,
            source,
            append,
            mode,
            owner: reader.owner(entry.owner.as_ref())?,
            hint: if self.deferred { LATE_HINT } else { EARLY_HINT },
        })
    }

    fn step(&mut self, spec: WriteSpec) -> Step {
        let path = spec.path.display().to_string();
        let count = self.names.entry(path.clone()).or_insert(0);
        *count += 1;
        let name = match *count {
            1 => path,
            count => format!("{path} ({count})"),
        };
        Step::new(name, [Effect::Write(Box::new(spec))])
    }
}
