//! The repositories of Alpine Linux's apk.
//!
//! Source: cloud-init, `cloudinit/config/cc_apk_configure.py`; apk-repositories(5).

use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::Value;
use serde::Deserialize;

use crate::fields::wrong;
use crate::hidden;
use crate::switch;

const FILE: &str = "/etc/apk/repositories";
const MIRROR: &str = "https://alpine.global.ssl.fastly.net/alpine";

const REPOS: &[Key] = &[
    Key::new(
        "preserve_repositories",
        Shape::Switch,
        "whether the file stays as it is",
    )
    .or("false"),
    Key::new(
        "alpine_repo",
        Shape::Map(ALPINE),
        "Alpine's own repositories",
    ),
    Key::new(
        "local_repo_base_url",
        Shape::Text,
        "a repository of one's own, to which the version is added",
    ),
];

const ALPINE: &[Key] = &[
    Key::new("version", Shape::Scalar, "the release: `v3.20`, `edge`").required(),
    Key::new("base_url", Shape::Text, "the mirror").or(MIRROR),
    Key::new(
        "community_enabled",
        Shape::Switch,
        "whether the packages of the community are among them",
    )
    .or("false"),
    Key::new(
        "testing_enabled",
        Shape::Switch,
        "whether the packages of `edge` that are tested are among them",
    )
    .or("false"),
];

/// Writes /etc/apk/repositories.
pub(crate) struct ApkConfigure;

/// `apk_repos:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    apk_repos: Option<Value>,
}

impl Module for ApkConfigure {
    const FACTS: Facts = Facts {
        name: "apk_configure",
        summary: "say where apk gets packages from",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            "apk_repos",
            Shape::Map(REPOS),
            "where apk gets packages from",
        )],
    };
    const NOTES: &'static str = include_str!("notes/apk_configure.md");
    type Section = Section;

    fn plan(want: Section, _: &Context<'_>) -> Plan {
        let Some(repos) = want.apk_repos else {
            return Plan::nothing();
        };
        let mut plan = Plan::nothing();
        match text(&repos, &mut plan.problems) {
            Ok(Some(text)) => {
                let is_secret = text.lines().any(hidden::has_password);
                let file = hidden::file(FILE, text, is_secret);
                plan.push(Step::new("repositories", [file]));
            }
            Ok(None) => {}
            Err(problem) => plan.problems.push(problem),
        }
        plan
    }
}

/// What is in the file; `None` if it stays as it is.
fn text(repos: &Value, told: &mut Vec<Problem>) -> Result<Option<String>, Problem> {
    if repos.as_map().is_none() {
        return Err(wrong("apk_repos", repos, "a mapping"));
    }
    let preserves = repos.get("preserve_repositories");
    if switch::or(false, "apk_repos.preserve_repositories", preserves, told) {
        return Ok(None);
    }
    let local = repos
        .get("local_repo_base_url")
        .filter(|url| !url.is_null());
    let local = local.map(|url| word(url, "apk_repos.local_repo_base_url"));
    let local = local.transpose()?;
    let Some(alpine) = repos.get("alpine_repo").filter(|alpine| !alpine.is_null()) else {
        let message = "apk_repos: there is no `alpine_repo`, so nothing is written";
        return Err(Problem::warning(Some(repos.place.clone()), message));
    };
    if alpine.as_map().is_none() {
        return Err(wrong("apk_repos.alpine_repo", alpine, "a mapping"));
    }
    let field = |name: &str| alpine.get(name).filter(|value| !value.is_null());
    let version = field("version").ok_or_else(|| {
        let message = "apk_repos.alpine_repo: missing key `version`";
        Problem::error(Some(alpine.place.clone()), message)
    })?;
    let version = word(version, "apk_repos.alpine_repo.version")?;
    let base = field("base_url").map(|url| word(url, "apk_repos.alpine_repo.base_url"));
    let base = base.transpose()?.unwrap_or_else(|| MIRROR.to_owned());
    let mut is_on = |name: &str| {
        let key = format!("apk_repos.alpine_repo.{name}");
        switch::or(false, &key, field(name), told)
    };
    let mut text = format!("# Written by firstlight\n\n{base}/{version}/main\n");
    if is_on("community_enabled") {
        text.push_str(&format!("{base}/{version}/community\n"));
    }
    if is_on("testing_enabled") {
        if version != "edge" {
            text.push_str("# Packages of edge may not fit to this release.\n");
        }
        text.push_str(&format!("{base}/edge/testing\n"));
    }
    if let Some(local) = local.filter(|local| !local.is_empty()) {
        text.push_str(&format!("\n# Of this site\n{local}/{version}\n"));
    }
    Ok(Some(text))
}

/// A word of the file's lines.
fn word(value: &Value, key: &str) -> Result<String, Problem> {
    let is_word = |text: &String| !text.contains(|c: char| c.is_whitespace() || c.is_control());
    value.to_text().filter(is_word).ok_or_else(|| {
        let message = format!("{key}: expected one word");
        Problem::error(Some(value.place.clone()), message)
    })
}

#[cfg(test)]
mod tests {
    use contract::testing::Setting;

    use super::*;

    fn plan(config: &str) -> Plan {
        Setting::default().plan::<ApkConfigure>(&format!("apk_repos: {{{config}}}"))
    }

    #[test]
    fn the_file_holds_the_repositories_that_are_asked_for() {
        #[rustfmt::skip]
        let table = [
            ("alpine_repo: {version: v3.20}",
             "\nhttps://alpine.global.ssl.fastly.net/alpine/v3.20/main\n"),
            ("alpine_repo: {version: v3.20, base_url: 'https://m.example/alpine', community_enabled: true}",
             "\nhttps://m.example/alpine/v3.20/main\nhttps://m.example/alpine/v3.20/community\n"),
            ("alpine_repo: {version: edge, base_url: 'http://m', community_enabled: true, testing_enabled: true}",
             "\nhttp://m/edge/main\nhttp://m/edge/community\nhttp://m/edge/testing\n"),
            ("alpine_repo: {version: v3.20, base_url: 'http://m', testing_enabled: true}",
             "\nhttp://m/v3.20/main\n# Packages of edge may not fit to this release.\nhttp://m/edge/testing\n"),
            ("alpine_repo: {version: v3.20, base_url: 'http://m'}, local_repo_base_url: 'https://own.example/local'",
             "\nhttp://m/v3.20/main\n\n# Of this site\nhttps://own.example/local/v3.20\n"),
        ];
        for (config, text) in table {
            let plan = plan(config);
            assert_eq!(plan.problems, [], "{config}");
            let found = plan.text_of(FILE).unwrap();
            assert_eq!(
                found,
                format!("# Written by firstlight\n{text}"),
                "{config}"
            );
        }
        assert_eq!(
            plan("preserve_repositories: true, alpine_repo: {version: v3.20}"),
            Plan::nothing()
        );
    }

    #[test]
    fn a_file_with_a_password_is_for_root_alone() {
        for urls in [
            "alpine_repo: {version: v1, base_url: 'https://u:hunter2@h'}",
            "alpine_repo: {version: v1}, local_repo_base_url: 'https://hunter2@h'",
            "alpine_repo: {version: v1}, local_repo_base_url: 'https://h/?token=hunter2'",
        ] {
            let plan = plan(urls);
            assert_eq!(
                plan.lines(),
                ["file /etc/apk/repositories (0600)"],
                "{urls}"
            );
            assert_eq!(plan.text_of(FILE), None, "{urls}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_and_half_a_file_is_not_written() {
        #[rustfmt::skip]
        let table = [
            ("alpine_repo: {base_url: a}",                          "test:1:26: apk_repos.alpine_repo: missing key `version`"),
            ("alpine_repo: [a]",                                    "test:1:26: apk_repos.alpine_repo: expected a mapping, found a list"),
            ("alpine_repo: {version: v3.20, base_url: 'a b'}",      "test:1:53: apk_repos.alpine_repo.base_url: expected one word"),
            ("alpine_repo: {version: [1]}",                         "test:1:36: apk_repos.alpine_repo.version: expected one word"),
            ("local_repo_base_url: 'http://a'",                     "test:1:12: apk_repos: there is no `alpine_repo`, so nothing is written"),
        ];
        for (config, says) in table {
            let plan = plan(config);
            assert_eq!(plan.problems[0].to_string(), says, "{config}");
            assert_eq!(plan.steps, [], "{config}");
        }
        let plan = plan("alpine_repo: {version: v3.20, testing_enabled: perhaps}");
        assert_eq!(
            plan.problems[0].to_string(),
            "test:1:60: apk_repos.alpine_repo.testing_enabled: expected true or false; it is taken as false"
        );
        assert_eq!(plan.lines(), ["file /etc/apk/repositories (0644)"]);
    }
}
