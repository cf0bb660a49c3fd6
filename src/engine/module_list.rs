//! Which modules run, in which order and how often: the keys `cloud_init_modules`,
//! `cloud_config_modules` and `cloud_final_modules`.
//!
//! Source: cloud-init, `cloudinit/config/modules.py`.

use contract::config::Config;
use contract::module::{Entry, Frequency, Stage};
use contract::place::Place;
use contract::plan::Problem;
use contract::yaml::{Kind, Value};

use crate::near::nearest;

/// The lists of cloud-init's stages, and ours that do the same.
const LISTS: [(&str, Stage); 3] = [
    ("cloud_init_modules", Stage::Identity),
    ("cloud_config_modules", Stage::Config),
    ("cloud_final_modules", Stage::Final),
];

/// The modules that cloud-init has.
#[derive(Debug, Clone, Copy)]
pub struct CloudInit<'a> {
    /// Their names.
    pub modules: &'a [&'a str],
    /// Names that older lists have for some of them, each with today's.
    pub renamed: &'a [(&'a str, &'a str)],
}

/// One item of a list.
struct Item<'v> {
    name: String,
    frequency: Option<&'v Value>,
    args: Option<&'v Value>,
    place: &'v Place,
}

/// The modules of `table` as a configuration wants them: in the order of its lists, at the stage of
/// the list that names them, as often as it says. A stage without a list has the table's.
///
/// `cloud_init` tells which modules cloud-init has. A list that leaves one of these out switches
/// it off; the others of the table, which no list of cloud-init's knows, stay behind the module that
/// they follow in the table, unless a list names them.
#[must_use]
pub fn wanted(
    table: &[Entry],
    cloud_init: CloudInit<'_>,
    config: &Config,
) -> (Vec<Entry>, Vec<Problem>) {
    let mut reader = Reader {
        table,
        cloud_init,
        problems: Vec::new(),
    };
    let lists = LISTS.map(|(key, stage)| {
        let value = config.root().get(key);
        (
            stage,
            value.and_then(|value| reader.list(key, stage, value)),
        )
    });
    if lists.iter().all(|(_, list)| list.is_none()) {
        return (table.to_vec(), reader.problems);
    }
    let listed = |name: &str| {
        let mut all = lists.iter().filter_map(|(_, list)| list.as_ref()).flatten();
        all.any(|entry| entry.facts.name == name)
    };
    let mut wanted: Vec<Entry> = Vec::new();
    for stage in Stage::ALL {
        let list = lists.iter().find(|(own, _)| *own == stage);
        let list = list.and_then(|(_, list)| list.as_ref());
        let mut entries: Vec<Entry> = list.cloned().unwrap_or_default();
        for (index, entry) in table.iter().enumerate() {
            if entry.stage != stage {
                continue;
            }
            let name = entry.facts.name;
            let is_theirs = cloud_init.modules.contains(&name);
            let stays = match list {
                Some(_) => !is_theirs && !listed(name),
                // cloud-init's own lists would still name one that a later list names.
                None => is_theirs || !listed(name),
            };
            if stays {
                let at = behind(table.get(..index).unwrap_or_default(), &entries, stage);
                entries.insert(at, *entry);
            }
        }
        // A module that two lists name runs at both stages if it runs differently often: each
        // frequency has its own semaphore. Else the first has done it.
        for entry in entries {
            let same = |own: &Entry| {
                own.facts.name == entry.facts.name && own.frequency == entry.frequency
            };
            if !wanted.iter().any(same) {
                wanted.push(entry);
            }
        }
    }
    (wanted, reader.problems)
}

/// The position behind the last of `before`'s modules of the stage that is in `entries`.
fn behind(before: &[Entry], entries: &[Entry], stage: Stage) -> usize {
    let position = |name: &str| entries.iter().position(|own| own.facts.name == name);
    let before = before.iter().rev().filter(|entry| entry.stage == stage);
    let found = before.filter_map(|entry| position(entry.facts.name)).next();
    found.map_or(0, |at| at + 1)
}

struct Reader<'a> {
    table: &'a [Entry],
    cloud_init: CloudInit<'a>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// The modules that a list names; `None` if it is no list, so that the stage stays as it is.
    fn list(&mut self, key: &str, stage: Stage, value: &Value) -> Option<Vec<Entry>> {
        let items = match &value.kind {
            Kind::List(items) => items.as_slice(),
            Kind::Null => &[],
            other => {
                let message = format!("`{key}`: expected a list, found {}", other.name());
                let problem = Problem::warning(Some(value.place.clone()), message);
                self.problems
                    .push(problem.hint("the modules run as without it"));
                return None;
            }
        };
        let mut entries: Vec<Entry> = Vec::new();
        let mut undone = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let what = format!("{key}[{index}]");
            let Some(item) = self.item(&what, item) else {
                continue;
            };
            match self.table.iter().find(|own| own.facts.name == item.name) {
                Some(entry) => {
                    let frequency = self.frequency(&what, &item);
                    self.args(&what, &item);
                    let mut entry = *entry;
                    entry.stage = stage;
                    entry.frequency = frequency.unwrap_or(entry.frequency);
                    entries.push(entry);
                }
                None if self.cloud_init.modules.contains(&item.name.as_str()) => {
                    undone.push(item.name);
                }
                None => self.unknown(&what, &item),
            }
        }
        if !undone.is_empty() {
            let names = undone.join("`, `");
            let message = format!("`{key}`: firstlight does not do `{names}`");
            self.problems
                .push(Problem::notice(Some(value.place.clone()), message));
        }
        Some(entries)
    }

    /// `name`, `[name, frequency, args...]` or `{name, frequency, args}`; what Python takes for
    /// false is skipped.
    fn item<'v>(&mut self, what: &str, item: &'v Value) -> Option<Item<'v>> {
        let (name, frequency, args) = match &item.kind {
            Kind::String(_) => (Some(item), None, None),
            Kind::List(list) if list.is_empty() => return None,
            Kind::List(list) => (list.first(), list.get(1), list.get(2)),
            Kind::Map(map) if map.is_empty() => return None,
            Kind::Map(map) => (map.get("name"), map.get("frequency"), map.get("args")),
            Kind::Null | Kind::Bool(false) => return None,
            _ => (None, None, None),
        };
        let Some(name) = name.and_then(Value::as_str) else {
            let message = format!("`{what}`: expected a module's name");
            let problem = Problem::warning(Some(item.place.clone()), message);
            let form = "write `NAME`, `[NAME, FREQUENCY]` or `{name: NAME, frequency: FREQUENCY}`";
            self.problems.push(problem.hint(form));
            return None;
        };
        let name = canonical(name);
        let mut renamed = self.cloud_init.renamed.iter();
        let today = renamed.find(|(old, _)| *old == name);
        let name = today.map_or(name, |(_, today)| (*today).to_owned());
        (!name.is_empty()).then_some(Item {
            name,
            frequency,
            args,
            place: &item.place,
        })
    }

    /// How often, if that is said and known.
    fn frequency(&mut self, what: &str, item: &Item<'_>) -> Option<Frequency> {
        let value = item.frequency?;
        let frequency = match value.as_str().map(str::trim) {
            Some("always") => Some(Frequency::Always),
            Some("once-per-instance" | "instance") => Some(Frequency::Instance),
            Some("once") => Some(Frequency::Once),
            _ => None,
        };
        let is_empty = value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
        if frequency.is_none() && !is_empty {
            let name = &item.name;
            let message = format!("`{what}`: unknown frequency; `{name}` runs as often as usual");
            let problem = Problem::warning(Some(value.place.clone()), message);
            self.problems
                .push(problem.hint("known are `always`, `once-per-instance` and `once`"));
        }
        frequency
    }

    fn args(&mut self, what: &str, item: &Item<'_>) {
        let given = item.args.filter(|value| match &value.kind {
            Kind::List(list) => !list.is_empty(),
            other => *other != Kind::Null,
        });
        if let Some(args) = given {
            let message = format!("`{what}`: arguments of `{}` are not used", item.name);
            self.problems
                .push(Problem::warning(Some(args.place.clone()), message));
        }
    }

    fn unknown(&mut self, what: &str, item: &Item<'_>) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let message = if item.name.chars().all(is_name) {
            format!("`{what}`: there is no module `{}`", item.name)
        } else {
            format!("`{what}`: that is no module's name")
        };
        let ours = self.table.iter().map(|entry| entry.facts.name);
        let known = ours.chain(self.cloud_init.modules.iter().copied());
        let problem = Problem::warning(Some(item.place.clone()), message);
        self.problems.push(match nearest(&item.name, known) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint("`firstlight modules` lists them"),
        });
    }
}

/// The name as the table has it: `_` for `-`, without the `cc_` and `.py` of cloud-init's files.
fn canonical(name: &str) -> String {
    let name = name.trim().replace('-', "_");
    let end = name.len().saturating_sub(3);
    let is_file = name
        .get(end..)
        .is_some_and(|end| end.eq_ignore_ascii_case(".py"));
    let name = if is_file { name.get(..end) } else { None }.unwrap_or(&name);
    let name = name.trim();
    name.strip_prefix("cc_").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests;
