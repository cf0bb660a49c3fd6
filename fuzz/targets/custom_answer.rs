//! What a custom module answers.

use std::borrow::Cow;
use std::path::Path;
use std::sync::LazyLock;

use contract::config::Config;
use contract::custom::{Ask, Question};
use contract::module::{Context, Entry};
use contract::params::Params;
use contract::part_handler::NoAnswer;
use contract::secret::Secret;
use contract::testing::FakeMachine;
use contract::yaml::{self, Kind, Limits};
use engine::custom;

use super::support;

const MANIFEST: &str = "\
name: site
summary: set up the site
stage: config
keys:
  site:
    type: object
    properties:
      users: {type: array, items: {type: string}}
      code: {type: string, writeOnly: true}
";
const SECRET: &str = "tr0ub4dor";

static TABLE: LazyLock<Cow<'static, [Entry]>> = LazyLock::new(|| {
    let path = format!("{}/site", custom::DIR);
    let manifest = format!("{path}.yaml");
    let files = [
        (manifest.as_str(), MANIFEST),
        (path.as_str(), "#!/bin/sh\n"),
    ];
    custom::load(&FakeMachine::with(&files), &support::OWN).0
});

struct Program<'a>(&'a [u8]);

impl Ask for Program<'_> {
    fn ask(&self, _: &Question<'_>) -> Result<Secret<Vec<u8>>, NoAnswer> {
        Ok(Secret::new(self.0.to_vec()))
    }
}

pub(super) fn run(data: &[u8]) {
    let section = format!("site: {{users: [ada, bob], code: {SECRET}}}");
    let Ok(document) = yaml::parse(&section, "document", &Limits::default()) else {
        return;
    };
    let Kind::Map(root) = document.value.kind else {
        return;
    };
    let machine = FakeMachine::with(&[("/etc/os-release", "ID=debian\n")]);
    let context = Context {
        instance: &support::instance(),
        config: &Config::new(root),
        params: &Params::default(),
        scripts: &[],
        handlers: &[],
        instance_dir: Path::new("/var/lib/firstlight/instances/i-1"),
        scripts_dir: Path::new("/var/lib/firstlight/instances/i-1/scripts"),
        ask: &Program(data),
        probe: &machine,
        render: engine::render,
    };
    let site = TABLE.iter().find(|entry| entry.is_custom());
    let plan = site.expect("its manifest is fine").plan(&context);
    let problems = plan.problems.iter().map(ToString::to_string);
    let lines: Vec<String> = plan.lines().into_iter().chain(problems).collect();
    assert!(
        !lines.iter().any(|line| line.contains(char::is_control)),
        "what is shown is lines"
    );
    assert!(
        !format!("{lines:?} {plan:?}").contains(SECRET),
        "a secret is shown nowhere"
    );
}
