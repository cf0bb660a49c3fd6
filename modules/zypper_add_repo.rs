//! Repositories for zypper, a file each, and settings of libzypp.
//!
//! Source: cloud-init, `cloudinit/config/cc_zypper_add_repo.py`; zypper(8), /etc/zypp/zypp.conf.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use contract::effect::{BlockSpec, Effect, Mode, Text};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::is_secret_name;
use contract::yaml::{Mapping, Value};
use serde::Deserialize;

use crate::fields::{self, wrong};
use crate::hidden;
use crate::repositories::{self, OPTION, Repository};

const DIRECTORY: &str = "/etc/zypp/repos.d/";
const SETTINGS: &str = "/etc/zypp/zypp.conf";

/// What stands above the settings that come from the configuration, as with cloud-init.
const MARK: &str = "# Added via cloud.cfg";
const END: &str = "# The end of what firstlight added";

const ZYPPER: &[Key] = &[
    Key::new(
        "repos",
        Shape::List(&Shape::Named(&OPTION)),
        "repositories, each with `id`, `baseurl` and other options of zypper",
    ),
    Key::new(
        "config",
        Shape::Named(&Shape::Scalar),
        "settings of /etc/zypp/zypp.conf; `reposdir` is where the repositories are written to",
    ),
];

/// Writes the files of repositories, and settings.
pub(crate) struct ZypperAddRepo;

/// `zypper:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    zypper: Option<Value>,
}

impl Module for ZypperAddRepo {
    const FACTS: Facts = Facts {
        name: "zypper_add_repo",
        summary: "add repositories for zypper",
        stage: Stage::Config,
        frequency: Frequency::Always,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            "zypper",
            Shape::Open(ZYPPER),
            "repositories and settings of zypper",
        )],
    };
    const NOTES: &'static str = include_str!("notes/zypper_add_repo.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(zypper) = want.zypper else {
            return Plan::nothing();
        };
        if zypper.as_map().is_none() {
            return Plan::problem(wrong("zypper", &zypper, "a mapping"));
        }
        let mut plan = Plan::nothing();
        let config = zypper.get("config").filter(|config| !config.is_null());
        if let Some(config) = config {
            match config.as_map() {
                Some(settings) => settings_of(settings, ctx, &mut plan),
                None => plan
                    .problems
                    .push(wrong("zypper.config", config, "a mapping")),
            }
        }
        let reposdir = config.and_then(|config| config.get("reposdir"));
        match repositories::directory(reposdir, "zypper.config.reposdir", DIRECTORY) {
            Ok(directory) => {
                if let Some(repos) = zypper.get("repos").filter(|repos| !repos.is_null()) {
                    add(repos, &directory, ctx, &mut plan);
                }
            }
            Err(problem) => plan.problems.push(problem),
        }
        plan
    }
}

fn add(repos: &Value, directory: &Path, ctx: &Context<'_>, plan: &mut Plan) {
    let Some(entries) = repos.as_list() else {
        plan.problems.push(wrong("zypper.repos", repos, "a list"));
        return;
    };
    let mut seen = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("zypper.repos[{index}]");
        match repository(entry, &path, &mut plan.problems) {
            Ok(repository) => {
                let name = repository.id.replace(' ', "_");
                if !seen.insert(name.clone()) {
                    let message = format!("{path}: `{name}` is there twice; the first counts");
                    let problem = Problem::warning(Some(entry.place.clone()), message);
                    plan.problems.push(problem);
                    continue;
                }
                match repository.file(directory, &name, ctx.probe) {
                    Ok(step) => step.into_iter().for_each(|step| plan.push(step)),
                    Err(problem) => plan.problems.push(problem),
                }
            }
            Err(problem) => plan.problems.push(problem),
        }
    }
}

fn repository(entry: &Value, path: &str, told: &mut Vec<Problem>) -> Result<Repository, Problem> {
    let options = entry.as_map();
    let options = options.ok_or_else(|| wrong(path, entry, "a mapping"))?;
    let missing = |key: &&&str| options.get(key).is_none_or(Value::is_null);
    if let Some(key) = ["id", "baseurl"].iter().find(missing) {
        let message = format!("{path}: missing key `{key}`");
        return Err(Problem::error(Some(entry.place.clone()), message));
    }
    let id = options.get("id").unwrap_or(entry);
    let id = repositories::id(id, &format!("{path}.id"))?;
    let mut repository = Repository::read(id, options, path, &entry.place, told);
    for name in ["enabled", "autorefresh"] {
        if !repository.has(name) {
            repository.set(name.to_owned(), vec!["1".to_owned()]);
        }
    }
    Ok(repository)
}

/// The settings, at the end of zypp.conf: those of an earlier boot are replaced.
fn settings_of(settings: &Mapping, ctx: &Context<'_>, plan: &mut Plan) {
    let mut lines = String::new();
    for (key, value) in fields::sorted(settings) {
        let name = key.to_text().unwrap_or_default();
        if name == "configdir" {
            let message = "zypper.config.configdir: where zypper is configured does not change";
            let problem = Problem::warning(Some(key.place.clone()), message);
            plan.problems.push(problem);
            continue;
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if name.is_empty() || !name.chars().all(is_plain) {
            let message = "zypper.config: that is no name of a setting";
            let problem = Problem::error(Some(key.place.clone()), message);
            plan.problems.push(problem);
            continue;
        }
        let is_line = |text: &String| !text.contains(char::is_control);
        match value.to_text().filter(is_line) {
            Some(text) if text.is_empty() => {}
            Some(text) => lines.push_str(&format!("{name}={text}\n")),
            None if value.is_null() => {}
            None => {
                let path = format!("zypper.config.{name}");
                plan.problems.push(wrong(&path, value, "one line of text"));
            }
        }
    }
    if lines.is_empty() {
        return;
    }
    let old = match ctx.probe.read(Path::new(SETTINGS)) {
        Ok(old) => old.unwrap_or_default(),
        Err(error) => {
            let message = format!("cannot read {SETTINGS}: {error}");
            plan.problems.push(Problem::error(None, message));
            return;
        }
    };
    let old = String::from_utf8_lossy(&old);
    let mut text = without_block(&old);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(MARK);
    text.push('\n');
    text.push_str(&lines);
    text.push_str(END);
    text.push('\n');
    if text == old {
        return;
    }
    let effect = if has_secret(&text) || has_secret(&old) {
        hidden::file(SETTINGS, text, true)
    } else {
        let block = BlockSpec {
            what: "settings of zypper".to_owned(),
            at: PathBuf::from(SETTINGS),
            text: Text::All(text),
            mode: Mode::PUBLIC,
            check: None,
        };
        Effect::Block(Box::new(block))
    };
    plan.push(Step::new("zypp.conf", [effect]));
}

/// Whether a setting is secret by its name, or has an address with a password.
fn has_secret(text: &str) -> bool {
    let settings = text.lines().filter(|line| !line.starts_with('#'));
    let mut pairs = settings.filter_map(|line| line.split_once('='));
    pairs.any(|(name, value)| is_secret_name(name) || hidden::has_password(value))
}

/// The text without the settings that an earlier boot, or cloud-init, has added. What cloud-init added has
/// no end but the settings' own; what stands behind ours is an administrator's.
fn without_block(text: &str) -> String {
    let mut is_ours = false;
    let mut rest = String::new();
    for line in text.split_inclusive('\n') {
        let is_setting = line.contains('=') && !line.starts_with(['#', '[']);
        let is_end = is_ours && line.trim_end() == END;
        is_ours = line.trim_end() == MARK || is_ours && is_setting;
        if !is_ours && !is_end {
            rest.push_str(line);
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    const CONFIG: &str = "
zypper:
  repos:
    - id: opensuse oss
      name: os-oss, the main one
      baseurl: http://dl.example.com/dist/leap/v/repo/oss/
      enabled: 1
      autorefresh: false
    - id: update
      baseurl: http://dl.example.com/dist/leap/v/update
      pkg-gpgcheck: true
  config:
    reposdir: /etc/zypp/repos.dir
    servicesdir: /etc/zypp/services.d
    download.use_deltarpm: true
";
    const ZYPP_CONF: &str = "[main]\n# arch = s390\n";

    fn setting(files: &[(&str, &str)]) -> Setting {
        Setting {
            machine: FakeMachine::with(files),
            ..Setting::default()
        }
    }

    #[test]
    fn repositories_are_files_and_settings_are_added() {
        let plan = setting(&[(SETTINGS, ZYPP_CONF)]).plan::<ZypperAddRepo>(CONFIG);
        assert_eq!(plan.problems, []);
        assert_eq!(
            plan.lines(),
            [
                "settings of zypper in /etc/zypp/zypp.conf",
                "file /etc/zypp/repos.dir/opensuse_oss.repo (0644)",
                "file /etc/zypp/repos.dir/update.repo (0644)",
            ]
        );
        #[rustfmt::skip]
        let table = [
            (SETTINGS,
             "[main]\n# arch = s390\n# Added via cloud.cfg\ndownload.use_deltarpm=True\nreposdir=/etc/zypp/repos.dir\n\
              servicesdir=/etc/zypp/services.d\n# The end of what firstlight added\n"),
            ("/etc/zypp/repos.dir/opensuse_oss.repo",
             "[opensuse oss]\nautorefresh = 0\nbaseurl = http://dl.example.com/dist/leap/v/repo/oss/\n\
              enabled = 1\nname = os-oss, the main one\n"),
            ("/etc/zypp/repos.dir/update.repo",
             "[update]\nbaseurl = http://dl.example.com/dist/leap/v/update\npkg_gpgcheck = 1\nenabled = 1\nautorefresh = 1\n"),
        ];
        for (path, text) in table {
            assert_eq!(plan.text_of(path).as_deref(), Some(text), "{path}");
        }
    }

    #[test]
    fn the_next_boot_adds_nothing_and_other_settings_take_the_place_of_these() {
        let first = setting(&[(SETTINGS, ZYPP_CONF)]).plan::<ZypperAddRepo>(CONFIG);
        let paths = [
            SETTINGS,
            "/etc/zypp/repos.dir/opensuse_oss.repo",
            "/etc/zypp/repos.dir/update.repo",
        ];
        let texts = paths.map(|path| (path, first.text_of(path).unwrap()));
        let files = texts.each_ref().map(|(path, text)| (*path, text.as_str()));
        let again = setting(&files).plan::<ZypperAddRepo>(CONFIG);
        assert_eq!(again, Plan::nothing());
        let other =
            setting(&files).plan::<ZypperAddRepo>("zypper: {config: {a.b: 1, c: '', d: false}}");
        assert_eq!(
            other.text_of(SETTINGS).as_deref(),
            Some(
                "[main]\n# arch = s390\n# Added via cloud.cfg\na.b=1\nd=False\n# The end of what firstlight added\n"
            )
        );
    }

    #[test]
    fn settings_with_a_password_are_for_root_alone() {
        for config in [
            "{proxy: 'http://u:hunter2@h'}",
            "{credentials.global.password: hunter2}",
        ] {
            let config = format!("zypper: {{config: {config}}}");
            let plan = setting(&[(SETTINGS, ZYPP_CONF)]).plan::<ZypperAddRepo>(&config);
            assert_eq!(
                plan.lines(),
                ["file /etc/zypp/zypp.conf (0600)"],
                "{config}"
            );
            assert_eq!(plan.text_of(SETTINGS), None, "{config}");
        }
    }

    #[test]
    fn what_is_wrong_costs_itself_alone() {
        #[rustfmt::skip]
        let table = [
            ("repos: [{id: a}, {id: good, baseurl: x}]",                    "test:1:18: zypper.repos[0]: missing key `baseurl`"),
            ("repos: [{baseurl: a}, {id: good, baseurl: x}]",               "test:1:18: zypper.repos[0]: missing key `id`"),
            ("repos: [a, {id: good, baseurl: x}]",                          "test:1:18: zypper.repos[0]: expected a mapping, found a string"),
            ("repos: [{id: a/b, baseurl: x}, {id: good, baseurl: x}]",      "test:1:23: zypper.repos[0].id: that is no name of a repository (letters, digits, `-`, `_` and `.` are always good)"),
            ("repos: [{id: good, baseurl: x}, {id: good, baseurl: y}]",     "test:1:42: zypper.repos[1]: `good` is there twice; the first counts"),
            ("repos: [{id: good, baseurl: x}], config: []",                 "test:1:51: zypper.config: expected a mapping, found a list"),
            ("repos: [{id: good, baseurl: x}], config: {configdir: /a}",    "test:1:52: zypper.config.configdir: where zypper is configured does not change"),
            ("repos: [{id: good, baseurl: x}], config: {'a b': 1}",         "test:1:52: zypper.config: that is no name of a setting"),
            ("repos: [{id: good, baseurl: x}], config: {a: [1]}",           "test:1:55: zypper.config.a: expected one line of text, found a list"),
        ];
        for (text, says) in table {
            let plan = setting(&[]).plan::<ZypperAddRepo>(&format!("zypper: {{{text}}}"));
            assert_eq!(plan.problems[0].to_string(), says, "{text}");
            assert_eq!(plan.problems.len(), 1, "{text}");
            assert_eq!(
                plan.lines(),
                ["file /etc/zypp/repos.d/good.repo (0644)"],
                "{text}"
            );
        }
        #[rustfmt::skip]
        let whole = [
            ("zypper: [a]",                                             "test:1:9: zypper: expected a mapping, found a list"),
            ("zypper: {repos: a}",                                      "test:1:17: zypper.repos: expected a list, found a string"),
        ];
        for (text, says) in whole {
            let plan = setting(&[]).plan::<ZypperAddRepo>(text);
            assert_eq!(plan.problems[0].to_string(), says, "{text}");
            assert_eq!(plan.steps, [], "{text}");
        }
    }

    #[test]
    fn what_an_administrator_wrote_below_the_settings_stays() {
        let first =
            setting(&[(SETTINGS, "[main]\n")]).plan::<ZypperAddRepo>("zypper: {config: {a: 0}}");
        let text = first.text_of(SETTINGS).unwrap() + "b = 2\n";
        let later = setting(&[(SETTINGS, &text)]).plan::<ZypperAddRepo>("zypper: {config: {a: 1}}");
        let wanted = format!("[main]\nb = 2\n{MARK}\na=1\n{END}\n");
        assert_eq!(later.text_of(SETTINGS), Some(wanted));
    }
}
