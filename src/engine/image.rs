//! What the image says: the configuration baked into it, and what the machine adds to it before the
//! cloud is asked.
//!
//! Source: cloud-init, `cloudinit/stages.py` (`fetch_base_config`) and `cloudinit/util.py`
//! (`read_conf_with_confd`).

use std::io;
use std::path::Path;

use contract::config::Config;
use contract::instance::InstanceMetadata;
use contract::machine::{FileKind, Probe};
use contract::params::Params;
use contract::place::Place;
use contract::plan::Problem;
use contract::yaml::{self, Kind, Limits, Mapping};

use crate::{jinja, kernel, merge};

/// cloud-init's own file, whose key `conf_d` may name another directory than this.
const CLOUD_INIT: &str = "/etc/cloud/cloud.cfg";
const CLOUD_INIT_DIR: &str = "/etc/cloud/cloud.cfg.d";

/// What the machine found out at this boot, such as cloud-init's ds-identify.
const RUN: &str = "/run/cloud-init/cloud.cfg";

/// Ours, which win over cloud-init's.
const FILE: &str = "/etc/firstlight/config.yaml";
const DIR: &str = "/etc/firstlight/config.d";

/// The directory whose files are ours, so that templates in them are rendered.
pub(crate) const OURS: &str = "/etc/firstlight/";

const MAX_FILE: usize = 1 << 20;

/// The image's configuration, merged, and what is wrong with its files.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// All files as one; the source of a value's place is the path of its file.
    pub config: Config,
    /// Files that were left out, and what is odd in the others.
    pub problems: Vec<Problem>,
    /// Whether some files of /etc/cloud are templates, so that they say more when the instance is
    /// known: see [`load_for`].
    pub has_templates: bool,
}

/// A configuration and what to call it.
type Layer = (String, Mapping);

/// Reads the image's configuration; a broken file is a problem, and the others count.
///
/// The kernel command line wins over the files of /etc/firstlight, these over what this boot found
/// out, and that over the files of /etc/cloud; in a directory the last name wins. It is not known
/// yet which instance this is: templates count as the text that they are, if that is a document.
pub fn load(probe: &dyn Probe) -> Image {
    read(probe, None)
}

/// The same when the instance is known: files of /etc/cloud that begin with `## template: jinja` are
/// rendered, as those of user data. Source: cloud-init, `cloudinit/util.py` (`read_conf`).
pub fn load_for(probe: &dyn Probe, metadata: &InstanceMetadata) -> Image {
    // What the launch says is no part of it: how that is read, the image says.
    read(
        probe,
        Some(jinja::variables(metadata, &Params::default(), Some(probe))),
    )
}

fn read(probe: &dyn Probe, variables: Option<jinja::Variables>) -> Image {
    let mut loader = Loader {
        probe,
        variables,
        image: Image::default(),
    };
    let kernel = loader.kernel();
    let mut layers: Vec<Layer> = kernel
        .map(|map| (kernel::SOURCE.to_owned(), map))
        .into_iter()
        .collect();
    layers.extend(loader.directory(DIR, ".yaml", As::Document));
    layers.extend(loader.file(FILE, As::Document));
    layers.extend(loader.file(RUN, As::Document));
    let cloud_init = loader.cloud_init();
    layers.push((CLOUD_INIT.to_owned(), cloud_init));
    let root = loader.merged(layers);
    Image {
        config: Config::new(root),
        ..loader.image
    }
}

/// What is wrong with a text as a template, if it is one: it is looked at, and not rendered.
///
/// # Errors
/// With its place, where it is no good one.
pub fn template(text: &str, source: &str) -> Option<Result<(), Problem>> {
    let checked = jinja::check(jinja::body(text)?);
    Some(checked.map_err(|fault| broken_template(source, &fault)))
}

fn broken_template(source: &str, fault: &jinja::Fault) -> Problem {
    // The header stands before the first line that it counts.
    let place = Place::new(source, fault.line.saturating_add(1), 1);
    let message = format!(
        "file ignored: the template cannot be rendered: {}",
        fault.message
    );
    Problem::error(Some(place), message)
}

/// How a file is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    Document,
    /// It may be a template of one.
    Template,
}

struct Loader<'a> {
    probe: &'a dyn Probe,
    /// For templates; `None` before the instance is known.
    variables: Option<jinja::Variables>,
    image: Image,
}

impl Loader<'_> {
    /// The file and its directory, merged for themselves: how one of them says that it is merged
    /// counts among them only.
    fn cloud_init(&mut self) -> Mapping {
        let file = self.file(CLOUD_INIT, As::Template);
        let conf_d = file.as_ref().and_then(|(_, map)| map.get("conf_d"));
        let dir = match conf_d.map(|value| (value.as_str(), value)) {
            None => CLOUD_INIT_DIR.to_owned(),
            Some((Some(dir), _)) if dir.trim().is_empty() || dir.starts_with('/') => {
                dir.trim().to_owned()
            }
            Some((_, value)) if value.is_null() => String::new(),
            Some((_, value)) => {
                let message = "`conf_d`: expected the absolute path of a directory";
                let problem = Problem::error(Some(value.place.clone()), message);
                let hint = format!("{CLOUD_INIT_DIR} is read");
                self.image.problems.push(problem.hint(hint));
                CLOUD_INIT_DIR.to_owned()
            }
        };
        let mut layers = Vec::new();
        if !dir.is_empty() {
            let files = self.directory(&dir, ".cfg", As::Template);
            layers.push((dir, self.merged(files)));
        }
        layers.extend(file);
        self.merged(layers)
    }

    fn kernel(&mut self) -> Option<Mapping> {
        match kernel::line(self.probe) {
            Ok(line) => self.parse(&kernel::configuration(&line), kernel::SOURCE, 1),
            Err(problem) => {
                self.image.problems.push(problem);
                None
            }
        }
    }

    /// The files of a directory that have this ending, the last name first.
    fn directory(&mut self, dir: &str, ending: &str, how: As) -> Vec<Layer> {
        let probe = self.probe;
        let mut names = match probe.list(Path::new(dir)) {
            Ok(names) => names.unwrap_or_default(),
            Err(error) => {
                self.unreadable(dir, &error);
                Vec::new()
            }
        };
        names.sort_unstable();
        let dir = dir.trim_end_matches('/');
        let paths = names.iter().filter(|name| name.ends_with(ending));
        let paths = paths.map(|name| format!("{dir}/{name}"));
        let is_directory =
            |path: &str| matches!(probe.kind(Path::new(path)), Ok(Some(FileKind::Directory)));
        let files = paths.filter(|path| !is_directory(path));
        let mut layers: Vec<Layer> = files.filter_map(|path| self.file(&path, how)).collect();
        layers.reverse();
        layers
    }

    /// All as one; of two that say something the earlier wins.
    fn merged(&mut self, layers: Vec<Layer>) -> Mapping {
        let mut root = Mapping::new();
        for (name, layer) in layers {
            let odd = merge::below(&mut root, layer);
            let odd = odd.unwrap_or_else(|error| vec![error.warning(kind_of(&name))]);
            self.image.problems.extend(odd);
        }
        root
    }

    fn file(&mut self, path: &str, how: As) -> Option<Layer> {
        let bytes = match self.probe.read(Path::new(path)) {
            Ok(Some(bytes)) if bytes.len() > MAX_FILE => {
                self.broken(path, "larger than 1 MiB");
                return None;
            }
            Ok(bytes) => bytes?,
            Err(error) => {
                self.unreadable(path, &error);
                return None;
            }
        };
        let Ok(text) = String::from_utf8(bytes) else {
            self.broken(path, "not UTF-8");
            return None;
        };
        let map = match jinja::body(&text) {
            Some(template) if how == As::Template => self.template(&text, template, path),
            _ => self.parse(&text, path, 1),
        };
        Some((path.to_owned(), map?))
    }

    fn template(&mut self, text: &str, template: &str, path: &str) -> Option<Mapping> {
        self.image.has_templates = true;
        let Some(variables) = &self.variables else {
            // What is wrong with it is told when it is rendered.
            let document = yaml::parse(text, path, &Limits::default()).ok()?;
            return match document.value.kind {
                Kind::Map(map) => Some(map),
                _ => None,
            };
        };
        match jinja::render(template, variables) {
            Ok(rendered) => {
                let odd = rendered.missing.iter();
                let odd = odd.map(|name| jinja::missing(name, path));
                self.image.problems.extend(odd);
                self.parse(&rendered.text, path, 2)
            }
            Err(fault) => {
                self.image.problems.push(broken_template(path, &fault));
                None
            }
        }
    }

    /// A text that begins at this line of its file.
    fn parse(&mut self, text: &str, source: &str, first_line: u32) -> Option<Mapping> {
        match yaml::parse_at(text, source, first_line, &Limits::default()) {
            Ok(document) => {
                let odd = document.warnings.into_iter();
                let odd = odd.map(|w| Problem::warning(Some(w.place), w.message));
                self.image.problems.extend(odd);
                match document.value.kind {
                    Kind::Map(map) => return Some(map),
                    Kind::Null => {}
                    other => {
                        let why = format!("expected a mapping, found {}", other.name());
                        self.broken(source, &why);
                    }
                }
            }
            Err(error) => self.image.problems.push(Problem {
                hint: error.hint,
                ..Problem::error(
                    Some(error.place),
                    format!("{} ignored: {}", kind_of(source), error.message),
                )
            }),
        }
        None
    }

    /// A secret of root's is no fault when somebody else looks.
    fn unreadable(&mut self, path: &str, error: &io::Error) {
        if error.kind() != io::ErrorKind::PermissionDenied {
            return self.broken(path, &error.to_string());
        }
        let problem = Problem::warning(Some(Place::whole(path)), "not read: permission denied");
        let problem = problem.hint("run as root to know what it says");
        self.image.problems.push(problem);
    }

    fn broken(&mut self, source: &str, why: &str) {
        let place = Some(Place::whole(source));
        let message = format!("{} ignored: {why}", kind_of(source));
        self.image.problems.push(Problem::error(place, message));
    }
}

fn kind_of(source: &str) -> &'static str {
    if source == kernel::SOURCE {
        "configuration"
    } else {
        "file"
    }
}

#[cfg(test)]
mod tests;
