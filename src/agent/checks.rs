//! What is wrong with what was said, found without doing it.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use contract::config::Config;
use contract::custom::Nobody;
use contract::instance::InstanceMetadata;
use contract::machine::{FileKind, Probe};
use contract::module::Context;
use contract::params::Params;
use contract::place::Place;
use contract::plan::{Problem, Severity};
use contract::user_data::{PartKind, UserData, VendorData};
use contract::yaml::{self, Kind, Limits, Mapping};
use engine::custom;
use engine::image::Image;
use engine::settings::{PartHandlers, Settings};
use engine::validate::{Find, Within, lint};
use engine::{PartRow, Prepared, Surroundings};

use crate::catalogue::Catalogue;
use crate::fetch::Addresses;

const CLOUD_CONFIG: &str = "text/cloud-config";

/// What a boot tells of its configuration and user data beside `told`. Nothing of it stops
/// anything: modules say themselves what they cannot use.
pub(crate) fn of_boot(
    catalogue: &Catalogue,
    prepared: &Prepared,
    told: &[Problem],
) -> Vec<Problem> {
    let told: HashSet<&Place> = places(told).collect();
    let mut problems = catalogue.schema().check(prepared.config.root());
    problems.retain(|problem| !problem.place.as_ref().is_some_and(|at| told.contains(at)));
    for problem in &mut problems {
        problem.severity = problem.severity.min(Severity::Warning);
    }
    let used = prepared.parts.iter().filter(|part| part.decision == "used");
    for part in used {
        let finds = lint(part.body.expose(), &part.name, part.first_line);
        problems.extend(finds.iter().map(|find| find.notice(within(part))));
    }
    problems
}

/// Something found in a file.
pub(crate) struct Remark {
    pub(crate) problem: Problem,
    /// Whether it is only of what looks like a secret.
    pub(crate) is_of_secret: bool,
    /// The part of user data it stands in, if that has several.
    pub(crate) part: Option<String>,
    /// The line it stands in, as far as everybody may see it.
    pub(crate) line: Option<String>,
}

/// What is wrong with a file of user data, or of a single cloud-config.
pub(crate) fn user_data(bytes: Vec<u8>, catalogue: &Catalogue) -> anyhow::Result<Vec<Remark>> {
    let metadata = InstanceMetadata::new("i-assumed".parse()?, "file");
    let image = Image::default();
    let mut settings = Settings::default();
    settings.part_handlers = Some(PartHandlers::default());
    let data = UserData::new(bytes);
    let around = Surroundings::known_by(&Addresses);
    let prepared = engine::prepare_with(
        &around,
        &image,
        &settings,
        &metadata,
        &data,
        &VendorData::default(),
    );
    let mut checked = Checked::new(catalogue);
    for mut problem in prepared.problems {
        // At a boot the others go on; whoever checks a file wants to know.
        if is_ignored(&problem, &prepared.parts) {
            problem.severity = Severity::Error;
        } else if is_handler(&problem, &prepared.parts) {
            // Few images let it run.
            problem.severity = Severity::Warning;
        }
        checked.problems.push(problem);
    }
    for part in &prepared.parts {
        let text = String::from_utf8_lossy(part.body.expose()).into_owned();
        let finds = lint(text.as_bytes(), &part.name, part.first_line);
        checked.finds(finds, within(part));
        if part.mime == CLOUD_CONFIG && !part.decision.starts_with("ignored") {
            let first = part.first_line.max(1);
            let parsed = yaml::parse_at(&text, part.name.as_str(), first, &Limits::default());
            if let Ok(Kind::Map(root)) = parsed.map(|document| document.value.kind) {
                checked.document(root, &metadata);
            }
        }
    }
    if prepared.parts.is_empty() && checked.problems.is_empty() {
        let problem = Problem::warning(None, "there is nothing in it");
        checked.problems.push(problem);
    }
    Ok(checked.remarks(&prepared.parts))
}

/// What is wrong with a file of an image's configuration; its templates are not rendered.
pub(crate) fn image_file(
    path: &Path,
    bytes: &[u8],
    catalogue: &Catalogue,
) -> anyhow::Result<Vec<Remark>> {
    let metadata = InstanceMetadata::new("i-assumed".parse()?, "file");
    let name = std::path::absolute(path)?.display().to_string();
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut checked = Checked::new(catalogue);
    checked.finds(lint(bytes, &name, 1), Within::Image);
    let template = engine::image::template(&text, &name).filter(|_| may_be_template(path));
    match yaml::parse(&text, name.as_str(), &Limits::default()) {
        // What it renders to, and so what is in it, is known on an instance alone.
        _ if template.is_some() => match template.and_then(Result::err) {
            Some(problem) => checked.problems.push(problem),
            None => {
                let message = "a template: what it renders to depends on the instance, and is not \
                               looked at here";
                let place = Some(Place::whole(name.as_str()));
                checked.problems.push(Problem::notice(place, message));
            }
        },
        Ok(document) => {
            let odd = document.warnings.into_iter();
            let odd = odd.map(|odd| Problem::warning(Some(odd.place), odd.message));
            checked.problems.extend(odd);
            match document.value.kind {
                Kind::Map(root) => checked.image(root, &text, &metadata),
                Kind::Null => {}
                other => {
                    let message = format!("expected a mapping, found {}", other.name());
                    let place = Some(document.value.place);
                    checked.problems.push(Problem::error(place, message));
                }
            }
        }
        Err(error) => checked.problems.push(Problem {
            hint: error.hint,
            ..Problem::error(Some(error.place), error.message)
        }),
    }
    Ok(checked.remarks(&[PartRow {
        name,
        body: contract::secret::Secret::new(text.into_bytes()),
        first_line: 1,
        ..PartRow::default()
    }]))
}

/// What is wrong with the modules that an image brings along, file for file.
pub(crate) fn custom_modules(
    catalogue: &Catalogue,
    probe: &dyn Probe,
) -> Vec<(PathBuf, Vec<Remark>)> {
    let mut files: BTreeMap<&str, Vec<Problem>> = BTreeMap::new();
    for problem in &catalogue.problems {
        let place = problem.place.as_ref();
        let file = place.map_or(custom::DIR, |place| &place.source);
        files.entry(file).or_default().push(problem.clone());
    }
    let remarks = |(name, problems): (&str, Vec<Problem>)| {
        let path = PathBuf::from(name);
        // Without its text the lines are not shown.
        let text = probe.read(&path).ok().flatten().unwrap_or_default();
        let mut checked = Checked::new(catalogue);
        checked.problems = problems;
        checked.finds = lint(&text, name, 1);
        let file = PartRow {
            name: name.to_owned(),
            body: contract::secret::Secret::new(text),
            first_line: 1,
            ..PartRow::default()
        };
        (path, checked.remarks(&[file]))
    };
    files.into_iter().map(remarks).collect()
}

/// Templates are files of cloud-init's, by their place or by their ending.
fn may_be_template(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "cfg")
}

struct Checked<'c> {
    catalogue: &'c Catalogue,
    problems: Vec<Problem>,
    finds: Vec<Find>,
    /// What is to be said of the finds.
    secrets: Vec<Problem>,
}

impl<'c> Checked<'c> {
    const fn new(catalogue: &'c Catalogue) -> Self {
        Self {
            catalogue,
            problems: Vec::new(),
            finds: Vec::new(),
            secrets: Vec::new(),
        }
    }

    fn image(&mut self, root: Mapping, text: &str, metadata: &InstanceMetadata) {
        let config = Config::new(root.clone());
        self.problems.extend(Settings::of(&config).1);
        let lists = self.catalogue.wanted(&config);
        self.problems.extend(lists.1);
        if text.contains("{{") || text.contains("{%") {
            self.add(self.catalogue.schema().check(&root));
        } else {
            self.document(root, metadata);
        }
    }

    /// Holds a document against the schema, and lets each module whose keys it has make its plan, for
    /// a machine without files: what is wrong with the values comes out of that. Of two that speak
    /// of one place the module knows better, unless the schema knows what was meant.
    fn document(&mut self, root: Mapping, metadata: &InstanceMetadata) {
        let schema = self.catalogue.schema();
        self.finds.extend(schema.secrets(&root));
        let (meant, guessed): (Vec<_>, Vec<_>) = schema
            .check(&root)
            .into_iter()
            .partition(|problem| problem.hint.is_some());
        self.add(meant);
        let config = Config::new(root);
        let (params, dir) = (
            Params::default(),
            Path::new("/var/lib/firstlight/instances/none"),
        );
        let context = Context {
            instance: metadata,
            config: &config,
            params: &params,
            scripts: &[],
            handlers: &[],
            instance_dir: dir,
            scripts_dir: dir,
            probe: &NoFiles,
            ask: &Nobody,
            render: engine::render,
        };
        for entry in self.catalogue.entries() {
            let names = entry.facts.key_names();
            if names.iter().any(|name| config.get(name).is_some()) {
                let mut problems = entry.plan(&context).problems;
                problems.retain(|problem| problem.place.is_some() && !problem.is_of_machine);
                self.add(problems);
            }
        }
        self.add(guessed);
    }

    /// Adds what looks like a secret, of which somebody who checks a file wants to know.
    fn finds(&mut self, finds: Vec<Find>, within: Within) {
        let warning = |find: &Find| Problem {
            severity: Severity::Warning,
            ..find.notice(within)
        };
        self.secrets.extend(finds.iter().map(warning));
        self.finds.extend(finds);
    }

    /// Adds what is not told yet.
    fn add(&mut self, problems: Vec<Problem>) {
        let told: HashSet<Place> = places(&self.problems).cloned().collect();
        let is_new =
            |problem: &Problem| !problem.place.as_ref().is_some_and(|at| told.contains(at));
        self.problems.extend(problems.into_iter().filter(is_new));
    }

    /// All of it in the order of the text, each with its line.
    fn remarks(self, texts: &[PartRow]) -> Vec<Remark> {
        let Self {
            problems,
            finds,
            secrets,
            catalogue: _,
        } = self;
        let problems = problems.into_iter().map(|problem| (problem, false));
        let mut problems: Vec<(Problem, bool)> = problems.collect();
        problems.extend(secrets.into_iter().map(|problem| (problem, true)));
        let order = |place: &Place| {
            let part = texts.iter().position(|part| part.name == *place.source);
            (part, place.line, place.column)
        };
        problems.sort_by_key(|(problem, _)| problem.place.as_ref().map(order));
        let remark = |(problem, is_of_secret): (Problem, bool)| {
            let place = problem.place.as_ref();
            let part = place.and_then(|at| texts.iter().find(|part| part.name == *at.source));
            let name = part.map(|part| part.name.clone());
            Remark {
                part: name.filter(|_| texts.len() > 1),
                line: place
                    .zip(part)
                    .and_then(|(at, part)| line(at, part, &finds)),
                problem,
                is_of_secret,
            }
        };
        problems.into_iter().map(remark).collect()
    }
}

const fn within(part: &PartRow) -> Within {
    if part.is_included {
        Within::Included
    } else {
        Within::UserData
    }
}

/// The line that a place is in, without what looks like a secret.
fn line(place: &Place, part: &PartRow, finds: &[Find]) -> Option<String> {
    let index = place.line.checked_sub(part.first_line.max(1))?;
    let text = String::from_utf8_lossy(part.body.expose());
    let line = text.lines().nth(usize::try_from(index).ok()?)?;
    engine::validate::redacted(line, &part.name, place.line, finds)
}

/// Where something is wrong with what was written.
fn places(problems: &[Problem]) -> impl Iterator<Item = &Place> {
    let written = problems.iter().filter(|problem| !problem.is_of_machine);
    let places = written.filter_map(|problem| problem.place.as_ref());
    places.filter(|place| !place.is_whole())
}

/// Whether the problem is why its part counts for nothing.
fn is_ignored(problem: &Problem, parts: &[PartRow]) -> bool {
    let Some(place) = &problem.place else {
        return false;
    };
    let part = parts.iter().find(|part| part.name == *place.source);
    part.is_some_and(|part| part.decision.starts_with("ignored"))
        && problem.severity == Severity::Warning
}

/// Whether it speaks of a part handler.
fn is_handler(problem: &Problem, parts: &[PartRow]) -> bool {
    let place = problem.place.as_ref();
    let part = place.and_then(|at| parts.iter().find(|part| part.name == *at.source));
    part.is_some_and(|part| part.mime == PartKind::HANDLER.mime())
}

/// A machine of which nothing is known.
struct NoFiles;

impl Probe for NoFiles {
    fn read(&self, _: &Path) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn list(&self, _: &Path) -> io::Result<Option<Vec<String>>> {
        Ok(None)
    }

    fn kind(&self, _: &Path) -> io::Result<Option<FileKind>> {
        Ok(None)
    }
}
