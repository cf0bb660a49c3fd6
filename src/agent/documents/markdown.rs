//! docs/modules, a page for each module, and the table of cloud-init's keys in docs/compatibility.md.

#[cfg(feature = "documents")]
use std::fs;
#[cfg(feature = "documents")]
use std::path::Path;

#[cfg(feature = "documents")]
use anyhow::Context as _;
use contract::module::{Entry, Wake};
use contract::schema::{Key, Shape};

use super::keys::{Fate, REMARKS};
use crate::cli::modules::frequency;

/// What makes these pages, for whoever finds them not as they should be.
const COMMAND: &str = "cargo run --features documents -- documents --markdown docs";
/// Where a module's notes say how cloud-init's does otherwise.
const DIFFERENCES: &str = "## Differences from cloud-init";
/// Between these lines of docs/compatibility.md is the table of keys.
const MARKS: [&str; 2] = ["<!-- keys -->\n", "<!-- end of keys -->\n"];

/// Writes docs/modules, and the table of keys into docs/compatibility.md.
#[cfg(feature = "documents")]
pub(super) fn write(docs: &Path) -> anyhow::Result<()> {
    let dir = docs.join("modules");
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    for (name, text) in pages() {
        let path = dir.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let path = docs.join("compatibility.md");
    let page = || format!("cannot bring the table into {}", path.display());
    let text = fs::read_to_string(&path).with_context(page)?;
    let text = with_keys(&text).with_context(page)?;
    fs::write(&path, text).with_context(page)
}

/// Every page of docs/modules with the name of its file, the index first.
pub(super) fn pages() -> Vec<(String, String)> {
    let mut pages = vec![("README.md".to_owned(), index())];
    pages.extend(modules::TABLE.iter().map(|entry| {
        let name = format!("{}.md", entry.facts.name);
        (name, page(entry))
    }));
    pages
}

/// The page with the table of keys as it shall be; `None` if it has no place for it.
pub(super) fn with_keys(page: &str) -> Option<String> {
    let [begin, end] = MARKS;
    let (before, rest) = page.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}{}{end}{after}", table_of_keys()))
}

fn index() -> String {
    let mut text = format!(
        "<!-- made by `{COMMAND}` -->\n\n# Modules\n\n\
         In the order in which a boot runs them; an image's and a launch's lists of modules may change it. \
         `firstlight modules` shows the order on a machine, `firstlight modules NAME` the page of one.\n\n"
    );
    text += &row(["module", "what it does", "stage", "how often", "keys"]);
    text += &row(["---"; 5]);
    for entry in modules::TABLE {
        let facts = entry.facts;
        let keys: Vec<String> = facts.keys.iter().map(|key| code(key.name)).collect();
        let name = facts.name;
        text += &row([
            &format!("[{name}]({name}.md)"),
            facts.summary,
            facts.stage.as_str(),
            facts.frequency.as_str(),
            &keys.join(", "),
        ]);
    }
    text
}

fn page(entry: &Entry) -> String {
    let facts = entry.facts;
    let (stage, frequency) = (facts.stage.as_str(), frequency(facts));
    let mut text = format!(
        "<!-- made by `{COMMAND}`, of the module's facts and notes -->\n\n\
         # {}\n\n{}; stage {stage}, {frequency}.\n",
        facts.name,
        capital(facts.summary)
    );
    if !facts.keys.is_empty() {
        if facts.wake == Wake::Always {
            text += "It runs though none of its keys is given.\n";
        }
        text += "\n## Keys\n\n";
        text += &row(["key", "holds", "default", "what it is for"]);
        text += &row(["---"; 4]);
        let mut rows = Rows::default();
        for key in facts.keys {
            match first_reader(key.name).filter(|first| *first != facts.name) {
                Some(first) => {
                    let there = format!("{}: see [{first}]({first}.md)", key.summary);
                    rows.text += &cells(key, key.name, &there);
                }
                None => rows.describe(key, ""),
            }
        }
        text += &rows.text;
    }
    if !entry.notes.is_empty() {
        text.push('\n');
        text += entry.notes;
    }
    text
}

/// The first module that reads a key: its page describes what is below it.
fn first_reader(key: &str) -> Option<&'static str> {
    let mut readers = readers(key);
    readers.next().map(|entry| entry.facts.name)
}

fn readers(key: &str) -> impl Iterator<Item = &'static Entry> {
    let reads = move |entry: &&Entry| entry.facts.key_names().contains(&key);
    modules::TABLE.iter().filter(reads)
}

/// The rows of a table of keys.
#[derive(Default)]
struct Rows {
    text: String,
    /// The mappings whose fields have rows: where, and what they are.
    told: Vec<(String, Vec<&'static str>)>,
}

impl Rows {
    /// A row for a key, and for each field below it.
    fn describe(&mut self, key: &Key, above: &str) {
        let path = format!("{above}{}", key.name);
        let summary = match self.same(&key.shape) {
            Some(same) => format!("{}; its fields are those of `{same}`", key.summary),
            None => key.summary.to_owned(),
        };
        self.text += &cells(key, &path, &summary);
        self.below(&key.shape, &path);
    }

    /// Where the fields of such a mapping are told of already.
    fn same(&self, shape: &Shape) -> Option<&str> {
        match shape {
            Shape::OneOf(shapes) => shapes.iter().find_map(|shape| self.same(shape)),
            Shape::List(of) | Shape::Named(of) => self.same(of),
            _ => {
                let names: Vec<_> = shape.fields()?.iter().map(|field| field.name).collect();
                let mut told = self.told.iter();
                let same = told.find(|(_, own)| *own == names)?;
                Some(&same.0)
            }
        }
    }

    fn below(&mut self, shape: &Shape, path: &str) {
        match shape {
            Shape::Map(fields) | Shape::Open(fields) | Shape::Strict(fields)
                if self.same(shape).is_none() =>
            {
                let names = fields.iter().map(|field| field.name).collect();
                self.told.push((path.to_owned(), names));
                let above = format!("{path}.");
                fields.iter().for_each(|key| self.describe(key, &above));
            }
            Shape::List(of) => self.below(of, &format!("{path}[]")),
            Shape::Named(of) => self.below(of, &format!("{path}.NAME")),
            Shape::OneOf(shapes) => shapes.iter().for_each(|shape| self.below(shape, path)),
            _ => {}
        }
    }
}

fn cells(key: &Key, path: &str, summary: &str) -> String {
    let default = match key.default {
        Some(default) => code(default),
        None if key.is_required => "needed".to_owned(),
        None => String::new(),
    };
    row([&code(path), &key.shape.name(), &default, &key.told(summary)])
}

fn table_of_keys() -> String {
    let mut text = row(["key", "", "where, or why not"]);
    text += &row(["---"; 3]);
    for key in modules::CLOUD_INIT_KEYS {
        let (fate, why) = fate(key);
        text += &row([&code(key), fate.word(), &why]);
    }
    text
}

/// What becomes of a key, and where that is told.
fn fate(key: &str) -> (Fate, String) {
    let readers: Vec<&Entry> = readers(key).collect();
    if readers.is_empty() {
        let own = REMARKS.iter().find(|(name, ..)| *name == key);
        return own.map_or((Fate::NotDone, String::new()), |(_, fate, why)| {
            (*fate, (*why).to_owned())
        });
    }
    let differ = |entry: &&Entry| is_told_of(key, entry);
    let fate = match readers.iter().any(differ) {
        true => Fate::Differs,
        false => Fate::Done,
    };
    let links = readers.iter().map(|entry| {
        let name = entry.facts.name;
        match is_told_of(key, entry) {
            true => format!("[{name}](modules/{name}.md#differences-from-cloud-init)"),
            false => format!("[{name}](modules/{name}.md)"),
        }
    });
    (fate, links.collect::<Vec<_>>().join(", "))
}

/// Whether the differences of a module are about this key: it has no other, or they name it.
fn is_told_of(key: &str, entry: &Entry) -> bool {
    let Some((_, differences)) = entry.notes.split_once(DIFFERENCES) else {
        return false;
    };
    let names = differences.split('`').skip(1).step_by(2);
    let of_key = |name: &str| name.split(['.', ':', '[']).next() == Some(key);
    entry.facts.keys.len() == 1 || names.into_iter().any(of_key)
}

/// A row of a table: a bar in a cell would begin another.
fn row<const N: usize>(cells: [&str; N]) -> String {
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | ")).replace("  |", " |")
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use contract::plan::Severity;

    use super::super::keys::OWN;
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::checks;

    fn docs() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs"))
    }

    #[test]
    fn the_pages_of_the_modules_say_what_the_modules_say() {
        let mut there: BTreeSet<String> = fs::read_dir(docs().join("modules"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        for (name, text) in pages() {
            let page = fs::read_to_string(docs().join("modules").join(&name)).unwrap_or_default();
            assert!(page == text, "docs/modules/{name} is old: run `{COMMAND}`");
            there.remove(&name);
        }
        assert_eq!(there, BTreeSet::new(), "nobody's: run `{COMMAND}`");
    }

    #[test]
    fn the_table_has_every_key_of_cloud_init() {
        let page = fs::read_to_string(docs().join("compatibility.md")).unwrap();
        let wanted = with_keys(&page).unwrap();
        assert!(page == wanted, "docs/compatibility.md: run `{COMMAND}`");
    }

    #[test]
    fn a_key_that_a_module_reads_is_cloud_inits_or_firstlights_own() {
        let keys = modules::TABLE
            .iter()
            .flat_map(|entry| entry.facts.key_names());
        let all: BTreeSet<&str> = keys.collect();
        let is_told = |key: &&str| modules::CLOUD_INIT_KEYS.contains(key);
        let others: Vec<&str> = all.into_iter().filter(|key| !is_told(key)).collect();
        assert_eq!(others, OWN, "add them to CLOUD_INIT_KEYS");
        assert!(modules::CLOUD_INIT_KEYS.is_sorted());
    }

    #[test]
    fn what_is_said_of_a_key_is_true() {
        for key in modules::CLOUD_INIT_KEYS {
            let (fate, why) = fate(key);
            assert!(fate != Fate::NotDone || !why.is_empty(), "{key}: why not?");
        }
        let schema = Catalogue::own().schema().to_json_schema();
        for (key, fate, why) in REMARKS {
            assert!(modules::CLOUD_INIT_KEYS.contains(key), "{key}");
            assert!(readers(key).next().is_none(), "{key}: a module reads it");
            let words = schema["properties"][key]["description"].as_str().unwrap();
            let is_read = !words.starts_with("cloud-init's");
            assert_eq!(*fate != Fate::NotDone, is_read, "{key}");
            assert_eq!(why.is_empty(), *fate == Fate::Done, "{key}");
        }
    }

    #[test]
    fn every_module_with_keys_has_an_example_that_is_valid_and_uses_them() {
        let catalogue = Catalogue::own();
        let mut told = Vec::new();
        for entry in modules::TABLE {
            let name = entry.facts.name;
            let blocks = entry.notes.split("```yaml\n").skip(1);
            let mut used = entry.facts.keys.is_empty();
            let is_for_images = entry.facts.keys.iter().any(|key| key.is_for_images);
            for block in blocks {
                let text = block.split("```").next().unwrap();
                let remarks = if is_for_images {
                    let path = Path::new("/etc/firstlight/config.yaml");
                    checks::image_file(path, text.as_bytes(), &catalogue)
                } else {
                    let text = format!("#cloud-config\n{text}").into_bytes();
                    checks::user_data(text, &catalogue)
                };
                // A token has to stand somewhere.
                let bad = remarks.unwrap().into_iter().filter(|own| !own.is_of_secret);
                let bad = bad.map(|remark| remark.problem);
                let bad = bad.filter(|problem| problem.severity > Severity::Notice);
                told.extend(bad.map(|problem| format!("{name}: {problem}")));
                let mut keys = entry.facts.key_names().into_iter();
                used |= keys.any(|key| text.lines().any(|line| line.starts_with(key)));
            }
            assert!(used, "{name}: no example uses its keys");
        }
        assert_eq!(told, Vec::<String>::new());
    }
}
