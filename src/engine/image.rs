//! What the image says: the configuration baked into it.

use std::path::Path;

use contract::config::Config;
use contract::machine::Probe;
use contract::place::Place;
use contract::plan::Problem;
use contract::yaml::{self, Kind, Limits};

use crate::merge;

/// Where cloud-init's configuration and ours stand: a file and a directory of files of a suffix,
/// the later winning.
const SOURCES: [(&str, &str, &str); 2] = [
    ("/etc/cloud/cloud.cfg", "/etc/cloud/cloud.cfg.d", ".cfg"),
    (
        "/etc/firstlight/config.yaml",
        "/etc/firstlight/config.d",
        ".yaml",
    ),
];

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
}

/// Reads the image's configuration; a broken file is a problem, and the others count.
pub fn load(probe: &dyn Probe) -> Image {
    let mut image = Image::default();
    let mut documents = Vec::new();
    for (file, dir, suffix) in SOURCES {
        let mut paths = vec![file.to_owned()];
        match probe.list(Path::new(dir)) {
            Ok(names) => {
                let names = names.unwrap_or_default().into_iter();
                let mut names: Vec<String> = names.filter(|name| name.ends_with(suffix)).collect();
                names.sort();
                paths.extend(names.iter().map(|name| format!("{dir}/{name}")));
            }
            Err(error) => image.broken(dir, &error.to_string()),
        }
        for path in paths {
            documents.extend(image.read(probe, &path).map(|document| (path, document)));
        }
    }
    let mut root = yaml::Mapping::new();
    for (path, document) in documents.into_iter().rev() {
        match merge::below(&mut root, document) {
            Ok(odd) => image.problems.extend(odd),
            Err(error) => image.problems.push(error.warning(&path)),
        }
    }
    image.config = Config::new(root);
    image
}

impl Image {
    fn read(&mut self, probe: &dyn Probe, path: &str) -> Option<yaml::Mapping> {
        let bytes = match probe.read(Path::new(path)) {
            Ok(Some(bytes)) if bytes.len() > MAX_FILE => {
                self.broken(path, "larger than 1 MiB");
                return None;
            }
            Ok(bytes) => bytes?,
            Err(error) => {
                self.broken(path, &error.to_string());
                return None;
            }
        };
        let Ok(text) = String::from_utf8(bytes) else {
            self.broken(path, "not UTF-8");
            return None;
        };
        match yaml::parse(&text, path, &Limits::default()) {
            Ok(document) => {
                let odd = document.warnings.into_iter();
                self.problems
                    .extend(odd.map(|w| Problem::warning(Some(w.place), w.message)));
                match document.value.kind {
                    Kind::Map(map) => return Some(map),
                    Kind::Null => {}
                    other => {
                        let why = format!("expected a mapping, found {}", other.name());
                        self.broken(path, &why);
                    }
                }
            }
            Err(error) => self.problems.push(Problem {
                hint: error.hint,
                ..Problem::error(
                    Some(error.place),
                    format!("file ignored: {}", error.message),
                )
            }),
        }
        None
    }

    fn broken(&mut self, path: &str, why: &str) {
        self.problems.push(Problem::error(
            Some(Place::whole(path)),
            format!("file ignored: {why}"),
        ));
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::FakeMachine;

    use super::*;

    #[test]
    fn later_files_win_dicts_are_joined_lists_are_not_and_a_broken_file_costs_itself() {
        let machine = FakeMachine::with(&[
            ("/etc/cloud/cloud.cfg", "a: {x: 1, y: 1}\nl: [1, 2]\n"),
            ("/etc/cloud/cloud.cfg.d/05.cfg", "a: {y: 2}\nl: [3]\n"),
            ("/etc/cloud/cloud.cfg.d/README", "- not read\n"),
            ("/etc/firstlight/config.d/10.yaml", "a: {z: 3}\n"),
            ("/etc/firstlight/config.d/20.yaml", "a: [\n"),
            ("/etc/firstlight/config.d/30.yaml", "- a list\n"),
        ]);
        let image = load(&machine);
        let number = |key: &str| image.config.get("a").and_then(|a| a.get(key)?.as_int());
        assert_eq!(
            (number("x"), number("y"), number("z")),
            (Some(1), Some(2), Some(3))
        );
        assert_eq!(
            image
                .config
                .get("l")
                .and_then(|l| l.as_list())
                .map(<[_]>::len),
            Some(1)
        );
        let sources: Vec<String> = image
            .problems
            .iter()
            .filter_map(|problem| Some(problem.place.as_ref()?.source.to_string()))
            .collect();
        assert_eq!(
            sources,
            [
                "/etc/firstlight/config.d/20.yaml",
                "/etc/firstlight/config.d/30.yaml"
            ]
        );
    }
}
