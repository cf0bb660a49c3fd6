//! Repositories for yum and dnf, a file each.
//!
//! Source: cloud-init, `cloudinit/config/cc_yum_add_repo.py`; dnf.conf(5), "Repo Options".

use std::collections::BTreeSet;
use std::path::Path;

use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem};
use contract::schema::{Key, Shape};
use contract::yaml::{Mapping, Value};
use serde::Deserialize;

use crate::fields::wrong;
use crate::repositories::{self, OPTION, Repository};

const DIRECTORY: &str = "/etc/yum.repos.d/";

/// One of these says where the packages are.
const SOURCES: &[&str] = &["baseurl", "metalink", "mirrorlist"];

const KEYS: &[Key] = &[
    Key::new(
        "yum_repos",
        Shape::Named(&Shape::Named(&OPTION)),
        "repositories by their ids, each with options of dnf.conf(5): `baseurl`, `metalink` or `mirrorlist`, and others",
    ),
    Key::new(
        "yum_repo_dir",
        Shape::Text,
        "the directory that their files are written to",
    )
    .or(DIRECTORY),
];

/// Writes the files of repositories.
pub(crate) struct YumAddRepo;

/// The keys, each read by itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    yum_repos: Option<Value>,
    yum_repo_dir: Option<Value>,
}

impl Module for YumAddRepo {
    const FACTS: Facts = Facts {
        name: "yum_add_repo",
        summary: "add repositories for yum and dnf",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/yum_add_repo.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(repos) = want.yum_repos else {
            return Plan::nothing();
        };
        let directory = want.yum_repo_dir.as_ref();
        match repositories::directory(directory, "yum_repo_dir", DIRECTORY) {
            Ok(directory) => plan(&repos, &directory, ctx),
            Err(problem) => Plan::problem(problem),
        }
    }
}

fn plan(repos: &Value, directory: &Path, ctx: &Context<'_>) -> Plan {
    let mut plan = Plan::nothing();
    let Some(entries) = repos.as_map() else {
        return Plan::problem(wrong("yum_repos", repos, "a mapping"));
    };
    let mut seen = BTreeSet::new();
    for (key, entry) in entries.iter() {
        match repository(key, entry, &mut plan.problems) {
            Ok(repository) if !seen.insert(repository.id.clone()) => {
                let message = format!(
                    "yum_repos: `{}` is there twice; the first counts",
                    repository.id
                );
                plan.problems
                    .push(Problem::warning(Some(key.place.clone()), message));
            }
            Ok(repository) => match repository.file(directory, &repository.id, ctx.probe) {
                Ok(step) => step.into_iter().for_each(|step| plan.push(step)),
                Err(problem) => plan.problems.push(problem),
            },
            Err(problem) => plan.problems.push(problem),
        }
    }
    plan
}

fn repository(key: &Value, entry: &Value, told: &mut Vec<Problem>) -> Result<Repository, Problem> {
    let id = repositories::id(key, "yum_repos")?.replace(' ', "-");
    let path = format!("yum_repos.{id}");
    let none = Mapping::new();
    let options = entry.as_map().or(entry.is_null().then_some(&none));
    let options = options.ok_or_else(|| wrong(&path, entry, "a mapping"))?;
    let repository = Repository::read(id, options, &path, &key.place, told);
    if SOURCES.iter().any(|name| repository.has(name)) {
        return Ok(repository);
    }
    let message = format!("{path}: it does not say where its packages are");
    let problem = Problem::error(Some(entry.place.clone()), message);
    Err(problem.hint("give `baseurl`, `metalink` or `mirrorlist`"))
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    const EPEL: &str = "
yum_repos:
  epel testing:
    baseurl: https://example.com/epel/9/$basearch
    enabled: false
    failovermethod: priority
    gpgcheck: true
    GPG-Key: file:///etc/pki/rpm-gpg/RPM-GPG-KEY-EPEL
    name: Extra Packages for Enterprise Linux 9 - Testing
  tools:
    baseurl: [https://a.example/tools, https://b.example/tools]
    priority: 10
    skip_if_unavailable: 'yes'
    includepkgs:
";

    #[test]
    fn each_repository_is_a_file() {
        let plan = Setting::default().plan::<YumAddRepo>(EPEL);
        assert_eq!(plan.problems, []);
        assert_eq!(
            plan.lines(),
            [
                "file /etc/yum.repos.d/epel-testing.repo (0644)",
                "file /etc/yum.repos.d/tools.repo (0644)"
            ]
        );
        let text = plan.text_of("/etc/yum.repos.d/epel-testing.repo").unwrap();
        assert_eq!(
            text,
            "[epel-testing]\n\
             gpg_key = file:///etc/pki/rpm-gpg/RPM-GPG-KEY-EPEL\n\
             baseurl = https://example.com/epel/9/$basearch\n\
             enabled = 0\n\
             failovermethod = priority\n\
             gpgcheck = 1\n\
             name = Extra Packages for Enterprise Linux 9 - Testing\n"
        );
        let text = plan.text_of("/etc/yum.repos.d/tools.repo").unwrap();
        assert_eq!(
            text,
            "[tools]\n\
             baseurl = https://a.example/tools\n\thttps://b.example/tools\n\
             priority = 10\n\
             skip_if_unavailable = yes\n"
        );
    }

    #[test]
    fn a_second_run_and_a_file_that_was_there_change_nothing() {
        let first = Setting::default().plan::<YumAddRepo>(EPEL);
        let text = first.text_of("/etc/yum.repos.d/tools.repo").unwrap();
        let machine = FakeMachine::with(&[
            ("/etc/yum.repos.d/tools.repo", &text),
            ("/etc/yum.repos.d/epel-testing.repo", "[epel-testing]\n"),
        ]);
        let setting = Setting {
            machine,
            ..Setting::default()
        };
        let plan = setting.plan::<YumAddRepo>(EPEL);
        assert_eq!(plan.steps, []);
        let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            ["test:3:3: /etc/yum.repos.d/epel-testing.repo is there already and stays as it is"]
        );
    }

    #[test]
    fn the_directory_may_be_another_one() {
        let config =
            "{yum_repo_dir: /etc/repos, yum_repos: {a: {metalink: 'https://example.com/'}}}";
        let plan = Setting::default().plan::<YumAddRepo>(config);
        assert_eq!(plan.lines(), ["file /etc/repos/a.repo (0644)"]);
    }

    #[test]
    fn a_repository_with_a_password_is_for_root_alone() {
        #[rustfmt::skip]
        let table = [
            ("baseurl: 'https://user:hunter2@example.com/'",                        "0600"),
            ("baseurl: 'https://example.com/', username: a, password: hunter2",     "0600"),
            ("baseurl: 'https://user:hun/ter2@example.com/'",                       "0600"),
            ("baseurl: 'https://token@example.com/'",                               "0600"),
            ("baseurl: 'https://example.com/?token=hunter2'",                       "0600"),
            ("metalink: 'https://example.com/metalink?repo=epel-9&arch=$basearch'", "0644"),
            ("baseurl: 'https://example.com:8080/a:b'",                             "0644"),
        ];
        for (options, mode) in table {
            let plan =
                Setting::default().plan::<YumAddRepo>(&format!("yum_repos: {{a: {{{options}}}}}"));
            assert_eq!(
                plan.lines(),
                [format!("file /etc/yum.repos.d/a.repo ({mode})")],
                "{options}"
            );
            let shown = plan.text_of("/etc/yum.repos.d/a.repo");
            assert_eq!(shown.is_some(), mode == "0644", "{options}");
        }
    }

    #[test]
    fn what_is_wrong_costs_itself_alone() {
        #[rustfmt::skip]
        let table = [
            ("a: {name: x}",                            "test:1:16: yum_repos.a: it does not say where its packages are (give `baseurl`, `metalink` or `mirrorlist`)"),
            ("a:",                                      "test:1:14: yum_repos.a: it does not say where its packages are (give `baseurl`, `metalink` or `mirrorlist`)"),
            ("a: [x]",                                  "test:1:16: yum_repos.a: expected a mapping, found a list"),
            ("../a: {baseurl: x}",                      "test:1:13: yum_repos: that is no name of a repository (letters, digits, `-`, `_` and `.` are always good)"),
            ("g g: {baseurl: y}, g-g: {baseurl: z}",    "test:1:32: yum_repos: `g-g` is there twice; the first counts"),
            ("b: {baseurl: x, 'a=b': 1}",               "test:1:29: yum_repos.b: that is no name of an option"),
            ("b: {baseurl: x, name: {a: 1}}",           "test:1:35: yum_repos.b.name: expected a string, or a list of them, found a mapping"),
        ];
        for (entries, says) in table {
            let config = format!("yum_repos: {{{entries}, good: {{baseurl: x}}}}");
            let plan = Setting::default().plan::<YumAddRepo>(&config);
            let said = plan.problems[0].to_string();
            assert_eq!(said, says, "{entries}");
            assert_eq!(plan.problems.len(), 1, "{entries}");
            let last = plan.lines().pop();
            assert_eq!(
                last.as_deref(),
                Some("file /etc/yum.repos.d/good.repo (0644)"),
                "{entries}"
            );
        }
        #[rustfmt::skip]
        let whole = [
            ("yum_repos: [a]",                                      "test:1:12: yum_repos: expected a mapping, found a list"),
            ("{yum_repo_dir: etc, yum_repos: {a: {baseurl: x}}}",   "test:1:16: yum_repo_dir: expected the absolute path of a directory"),
        ];
        for (config, says) in whole {
            let plan = Setting::default().plan::<YumAddRepo>(config);
            assert_eq!(plan.steps, [], "{config}");
            assert_eq!(plan.problems[0].to_string(), says);
        }
    }
}
