//! What the image says: the configuration baked into it, and what the machine adds to it before the
//! cloud is asked.
//!
//! Source: cloud-init, `cloudinit/stages.py` (`fetch_base_config`) and `cloudinit/util.py`
//! (`read_conf_with_confd`).

use std::io;
use std::path::Path;

use contract::config::Config;
use contract::machine::{FileKind, Probe};
use contract::place::Place;
use contract::plan::Problem;
use contract::yaml::{self, Kind, Limits, Mapping};

use crate::{kernel, merge};

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
}

/// A configuration and what to call it.
type Layer = (String, Mapping);

/// Reads the image's configuration; a broken file is a problem, and the others count.
///
/// The kernel command line wins over the files of /etc/firstlight, these over what this boot found
/// out, and that over the files of /etc/cloud; in a directory the last name wins.
pub fn load(probe: &dyn Probe) -> Image {
    let mut image = Image::default();
    let kernel = image.kernel(probe);
    let mut layers: Vec<Layer> = kernel
        .map(|map| (kernel::SOURCE.to_owned(), map))
        .into_iter()
        .collect();
    layers.extend(image.directory(probe, DIR, ".yaml"));
    layers.extend(image.file(probe, FILE));
    layers.extend(image.file(probe, RUN));
    let cloud_init = image.cloud_init(probe);
    layers.push((CLOUD_INIT.to_owned(), cloud_init));
    image.config = Config::new(image.merged(layers));
    image
}

impl Image {
    /// The file and its directory, merged for themselves: how one of them says that it is merged
    /// counts among them only.
    fn cloud_init(&mut self, probe: &dyn Probe) -> Mapping {
        let file = self.file(probe, CLOUD_INIT);
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
                self.problems
                    .push(problem.hint(format!("{CLOUD_INIT_DIR} is read")));
                CLOUD_INIT_DIR.to_owned()
            }
        };
        let mut layers = Vec::new();
        if !dir.is_empty() {
            let files = self.directory(probe, &dir, ".cfg");
            layers.push((dir, self.merged(files)));
        }
        layers.extend(file);
        self.merged(layers)
    }

    fn kernel(&mut self, probe: &dyn Probe) -> Option<Mapping> {
        match kernel::line(probe) {
            Ok(line) => self.parse(&kernel::configuration(&line), kernel::SOURCE),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    /// The files of a directory that have this ending, the last name first.
    fn directory(&mut self, probe: &dyn Probe, dir: &str, ending: &str) -> Vec<Layer> {
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
        let mut layers: Vec<Layer> = files.filter_map(|path| self.file(probe, &path)).collect();
        layers.reverse();
        layers
    }

    /// All as one; of two that say something the earlier wins.
    fn merged(&mut self, layers: Vec<Layer>) -> Mapping {
        let mut root = Mapping::new();
        for (name, layer) in layers {
            let odd = merge::below(&mut root, layer);
            self.problems
                .extend(odd.unwrap_or_else(|error| vec![error.warning(kind_of(&name))]));
        }
        root
    }

    fn file(&mut self, probe: &dyn Probe, path: &str) -> Option<Layer> {
        let bytes = match probe.read(Path::new(path)) {
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
        Some((path.to_owned(), self.parse(&text, path)?))
    }

    fn parse(&mut self, text: &str, source: &str) -> Option<Mapping> {
        match yaml::parse(text, source, &Limits::default()) {
            Ok(document) => {
                let odd = document.warnings.into_iter();
                self.problems
                    .extend(odd.map(|w| Problem::warning(Some(w.place), w.message)));
                match document.value.kind {
                    Kind::Map(map) => return Some(map),
                    Kind::Null => {}
                    other => {
                        let why = format!("expected a mapping, found {}", other.name());
                        self.broken(source, &why);
                    }
                }
            }
            Err(error) => self.problems.push(Problem {
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
        self.problems
            .push(problem.hint("run as root to know what it says"));
    }

    fn broken(&mut self, source: &str, why: &str) {
        self.problems.push(Problem::error(
            Some(Place::whole(source)),
            format!("{} ignored: {why}", kind_of(source)),
        ));
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

    fn seen(files: &[(&str, &str)]) -> (Config, Vec<String>) {
        let image = load(&FakeMachine::with(files));
        let problems = image.problems.iter().map(ToString::to_string).collect();
        (image.config, problems)
    }

    #[test]
    fn each_source_wins_over_those_below_it() {
        let sources = [
            ("/etc/cloud/cloud.cfg", "0"),
            ("/etc/cloud/cloud.cfg.d/05_a.cfg", "1"),
            ("/etc/cloud/cloud.cfg.d/90_b.cfg", "2"),
            ("/run/cloud-init/cloud.cfg", "3"),
            ("/etc/firstlight/config.yaml", "4"),
            ("/etc/firstlight/config.d/a.yaml", "5"),
            ("/etc/firstlight/config.d/b.yaml", "6"),
            ("/proc/cmdline", "7"),
        ];
        let texts = sources.map(|(path, level)| match path {
            "/proc/cmdline" => (path, format!("ro cc: {{v: {level}, w{level}: 1}} end_cc")),
            _ => (path, format!("v: {level}\nw{level}: 1\n")),
        });
        for count in 1..=texts.len() {
            let files = texts
                .iter()
                .take(count)
                .map(|(path, text)| (*path, text.as_str()));
            let (config, problems) = seen(&files.collect::<Vec<_>>());
            assert_eq!(problems, Vec::<String>::new());
            let value = config.get("v").and_then(yaml::Value::as_int);
            assert_eq!(value, i128::try_from(count - 1).ok());
            assert_eq!(config.root().len(), count + 1);
        }
    }

    #[test]
    fn conf_d_moves_the_directory_or_switches_it_off() {
        #[rustfmt::skip]
        let table = [
            ("a: 1",                Some(1), 0),
            ("conf_d: /srv/conf.d", Some(2), 0),
            ("conf_d: ''",          None,    0),
            ("conf_d:",             None,    0),
            ("conf_d: [1]",         Some(1), 1),
            ("conf_d: srv",         Some(1), 1),
        ];
        for (text, want, problems) in table {
            let (config, found) = seen(&[
                ("/etc/cloud/cloud.cfg", text),
                ("/etc/cloud/cloud.cfg.d/x.cfg", "x: 1"),
                ("/etc/cloud/cloud.cfg.d/sub.cfg/y", "x: 3"),
                ("/srv/conf.d/x.cfg", "x: 2"),
            ]);
            assert_eq!(
                config.get("x").and_then(yaml::Value::as_int),
                want,
                "{text}"
            );
            assert_eq!(found.len(), problems, "{text}: {found:?}");
        }
    }

    #[test]
    fn the_kernel_command_line_is_named_where_it_is_wrong() {
        let (_, problems) = seen(&[("/proc/cmdline", "quiet cc: a: [ end_cc")]);
        assert!(
            problems[0].starts_with("kernel command line:1:"),
            "{problems:?}"
        );
        let (_, problems) = seen(&[("/proc/cmdline", "cc: - a")]);
        assert_eq!(
            problems,
            ["kernel command line: configuration ignored: expected a mapping, found a list"]
        );
    }

    #[test]
    fn a_file_of_cloud_init_may_say_how_it_is_merged() {
        let how = "merge_how: list(append)+dict(recurse_list)";
        let (config, problems) = seen(&[
            ("/etc/cloud/cloud.cfg", &format!("l: [0]\n{how}\n")),
            ("/etc/cloud/cloud.cfg.d/1.cfg", &format!("l: [1]\n{how}\n")),
            ("/etc/cloud/cloud.cfg.d/2.cfg", "l: [2]"),
        ]);
        let list = config.get("l").and_then(|l| l.as_list()).unwrap();
        let list: Vec<_> = list.iter().filter_map(yaml::Value::as_int).collect();
        assert_eq!((list, problems), (vec![2, 1, 0], Vec::new()));
    }

    /// A machine whose file `/etc/cloud/cloud.cfg.d/90.cfg` is for root alone.
    struct Locked(FakeMachine);

    impl Probe for Locked {
        fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
            match path.ends_with("90.cfg") {
                true => Err(io::ErrorKind::PermissionDenied.into()),
                false => self.0.read(path),
            }
        }

        fn list(&self, path: &Path) -> io::Result<Option<Vec<String>>> {
            self.0.list(path)
        }

        fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
            self.0.kind(path)
        }
    }

    #[test]
    fn a_file_that_this_user_cannot_read_is_named_and_the_others_count() {
        let files = [
            ("/etc/cloud/cloud.cfg", "a: 1"),
            ("/etc/cloud/cloud.cfg.d/90.cfg", "a: 2"),
        ];
        let image = load(&Locked(FakeMachine::with(&files)));
        assert_eq!(image.config.get("a").and_then(yaml::Value::as_int), Some(1));
        let problems: Vec<String> = image.problems.iter().map(ToString::to_string).collect();
        let want = "/etc/cloud/cloud.cfg.d/90.cfg: not read: permission denied (run as root to know what it says)";
        assert_eq!(problems, [want]);
    }

    #[test]
    fn a_file_with_a_bad_merge_how_is_left_out_and_named() {
        let (config, problems) = seen(&[
            ("/etc/cloud/cloud.cfg", "b: 1\nmerge_how: append"),
            ("/etc/cloud/cloud.cfg.d/1.cfg", "a: 1"),
        ]);
        assert_eq!(
            (config.get("a").is_some(), config.get("b").is_some()),
            (true, false)
        );
        assert!(
            problems[0].starts_with("/etc/cloud/cloud.cfg:2:12: file ignored: `merge_how`"),
            "{problems:?}"
        );
    }
}
