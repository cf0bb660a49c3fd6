//! Red Hat's subscriptions: registration, pools and repositories.
//!
//! Source: cloud-init, `cloudinit/config/cc_rh_subscription.py`; subscription-manager(8).

use std::time::Duration;

use contract::effect::{Effect, ToolSpec};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::Value;
use serde::Deserialize;

use crate::fields::Fields;
use crate::files;
use crate::{distribution, hidden};

const NAME: &str = "rh_subscription";
const TOOL: &str = "subscription-manager";

/// What a registered machine is known by.
const IDENTITY: &str = "/etc/pki/consumer/cert.pem";

/// Red Hat's servers take their time.
const LIMIT: Duration = Duration::from_secs(600);

/// Attaches what fits, with these options. Since RHEL 10 the tool does not know how to, and there is no need:
/// a registered machine has access to everything (<https://github.com/canonical/cloud-init/issues/6480>).
const AUTO_ATTACH: &str = r#"subscription-manager --help | grep '^ *attach ' >/dev/null || exit 3
exec subscription-manager attach --auto "$@"
"#;

/// Attaches those of the pools that are available and not attached yet, and names the others. Where nothing is
/// attached any more, that is so as well.
const ATTACH: &str = r#"subscription-manager --help | grep '^ *attach ' >/dev/null || exit 3
available=$(subscription-manager list --available --pool-only) || exit
consumed=$(subscription-manager list --consumed --pool-only) || exit
missing=
for pool; do
    shift
    if printf '%s\n' "$consumed" | grep -qxF -- "$pool"; then
        continue
    elif printf '%s\n' "$available" | grep -qxF -- "$pool"; then
        set -- "$@" "--pool=$pool"
    else
        missing="$missing $pool"
    fi
done
[ $# = 0 ] || subscription-manager attach "$@" || exit
[ -z "$missing" ] || { echo "not available:$missing"; exit 1; }
"#;

const TEXTS: Shape = Shape::List(&Shape::Scalar);

const SUBSCRIPTION: &[Key] = &[
    Key::new("username", Shape::Scalar, "who registers the machine"),
    Key::new("password", Shape::Scalar, "the user's password").secret(),
    Key::new(
        "activation-key",
        Shape::Scalar,
        "the key to register with, in place of a user",
    )
    .secret(),
    Key::new(
        "org",
        Shape::Scalar,
        "the organization that the key belongs to",
    ),
    Key::new(
        "auto-attach",
        Shape::Switch,
        "whether fitting subscriptions are attached",
    )
    .or("false"),
    Key::new(
        "service-level",
        Shape::Scalar,
        "the service level of the subscriptions that `auto-attach` attaches",
    ),
    Key::new("add-pool", TEXTS, "the pools that are attached"),
    Key::new("enable-repo", TEXTS, "the repositories that are enabled"),
    Key::new("disable-repo", TEXTS, "the repositories that are disabled"),
    Key::new(
        "release_version",
        Shape::Scalar,
        "the minor release that is kept to",
    ),
    Key::new(
        "rhsm-baseurl",
        Shape::Scalar,
        "where the packages come from",
    ),
    Key::new(
        "server-hostname",
        Shape::Scalar,
        "the server of the subscriptions",
    ),
];

/// Registers the machine.
pub(crate) struct RhSubscription;

/// `rh_subscription:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    rh_subscription: Option<Value>,
}

impl Module for RhSubscription {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "register the machine with Red Hat",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            NAME,
            Shape::Map(SUBSCRIPTION),
            "the subscription that the machine is registered with",
        )],
    };
    const NOTES: &'static str = include_str!("notes/rh_subscription.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(section) = want.rh_subscription else {
            return Plan::nothing();
        };
        let mut plan = Plan::nothing();
        let Some(fields) = Fields::of(NAME, &section, &mut plan.problems) else {
            return plan;
        };
        // Whoever is registered already is left alone, as with cloud-init.
        if files::exists(ctx.probe, IDENTITY) {
            return plan;
        }
        if !distribution::has_program(ctx.probe, TOOL) {
            let problem = Problem::error(
                None,
                "rh_subscription: the image has no subscription-manager",
            );
            return Plan::problem(problem.hint("install the package of that name in the image"));
        }
        if let Some(tool) = register(&section, &fields, &mut plan.problems) {
            let tools = std::iter::once(tool).chain(follow(&fields, &mut plan.problems));
            let effects: Vec<Effect> = tools.map(Effect::tool).collect();
            plan.push(Step::new("register", effects));
        }
        plan
    }
}

/// `None` is told of: a bad value is not as good as none, or the password would go to another server
/// than the one that was named.
fn register(section: &Value, fields: &Fields<'_>, told: &mut Vec<Problem>) -> Option<ToolSpec> {
    let mut line = |name: &str| fields.line(name, told).filter(|text| !text.is_empty());
    let (key, org) = (line("activation-key"), line("org"));
    let (user, password) = (line("username"), line("password"));
    let (url, server) = (line("rhsm-baseurl"), line("server-hostname"));
    if !told.is_empty() {
        return None;
    }
    let mut options = match (key, org, user, password) {
        (Some(key), Some(org), ..) => {
            vec![format!("--activationkey={key}"), format!("--org={org}")]
        }
        (_, _, Some(user), Some(password)) => {
            vec![
                format!("--username={user}"),
                format!("--password={password}"),
            ]
        }
        _ => {
            let message = "rh_subscription: there is not enough to register with";
            let problem = Problem::error(Some(section.place.clone()), message);
            let hint = "give `activation-key` and `org`, or `username` and `password`";
            told.push(problem.hint(hint));
            return None;
        }
    };
    options.extend(url.map(|url| format!("--baseurl={url}")));
    options.extend(server.map(|server| format!("--serverurl={server}")));
    let options = options.into_iter().map(Secret::new).collect();
    let what = "the machine is registered with Red Hat";
    let tool = hidden::tool(what, &[TOOL, "register"], options);
    Some(limited(tool.creates(IDENTITY)))
}

/// What is done when the machine is registered: if one of these fails, those after it are not done.
fn follow(fields: &Fields<'_>, told: &mut Vec<Problem>) -> Vec<ToolSpec> {
    let mut tools = Vec::new();
    if let Some(release) = fields.line("release_version", told) {
        let argv = [TOOL, "release", &format!("--set={release}")];
        tools.push(limited(ToolSpec::new(format!("release {release}"), argv)));
    }
    let level = fields.line("service-level", told);
    if fields.switch("auto-attach", false, told) {
        let level = level.map(|level| format!("--servicelevel={level}"));
        tools.push(attaches("subscriptions are attached", AUTO_ATTACH, level));
    } else if level.is_some() {
        let place = fields.get("service-level").map(|level| level.place.clone());
        let message = "rh_subscription.service-level: it has no effect without `auto-attach: true`";
        told.push(Problem::error(place, message));
    }
    let pools = words(fields, "add-pool", told);
    if !pools.is_empty() {
        tools.push(attaches("pools are attached", ATTACH, pools));
    }
    let option = |option: &str, repos: Vec<String>| -> Vec<String> {
        repos
            .iter()
            .map(|repo| format!("--{option}={repo}"))
            .collect()
    };
    let disabled = option("disable", words(fields, "disable-repo", told));
    let enabled = option("enable", words(fields, "enable-repo", told));
    if !(disabled.is_empty() && enabled.is_empty()) {
        let start = [TOOL.to_owned(), "repos".to_owned()];
        let argv = start.into_iter().chain(disabled).chain(enabled);
        tools.push(limited(ToolSpec::new(
            "repositories of the subscription",
            argv,
        )));
    }
    tools
}

/// A script that ends with 3 where there is nothing to attach.
fn attaches(what: &str, script: &str, words: impl IntoIterator<Item = String>) -> ToolSpec {
    let start = ["sh", "-c", script, "attach"].map(ToOwned::to_owned);
    let mut tool = limited(ToolSpec::new(what, start.into_iter().chain(words)));
    tool.unchanged = &[3];
    tool
}

fn limited(mut tool: ToolSpec) -> ToolSpec {
    tool.timeout = LIMIT;
    tool.live_only()
}

/// The ids of a list.
fn words(fields: &Fields<'_>, name: &str, told: &mut Vec<Problem>) -> Vec<String> {
    let is_word = |word: &str| !word.is_empty() && !word.contains(char::is_whitespace);
    fields.words(name, is_word, "expected one word for each", told)
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    const SCRIPT: &str = "#!/usr/libexec/platform-python -s\n";

    fn plan(files: &[(&str, &str)], config: &str) -> Plan {
        let tool = [("/usr/sbin/subscription-manager", SCRIPT)];
        Setting {
            machine: FakeMachine::with(&[&tool, files].concat()),
            ..Setting::default()
        }
        .plan::<RhSubscription>(config)
    }

    /// The calls, without the code that runs the first one.
    fn calls(plan: &Plan) -> Vec<String> {
        let tool = |effect: &Effect| match effect {
            Effect::Tool(tool) => {
                let hides = tool.argv[1] == "-c";
                let words = if hides { &tool.argv[4..] } else { &tool.argv };
                let stdin = String::from_utf8_lossy(tool.stdin.expose()).replace('\0', " ");
                format!("{} {stdin}", words.join(" ")).trim_end().to_owned()
            }
            other => other.to_string(),
        };
        plan.effects().map(tool).collect()
    }

    #[test]
    fn a_machine_is_registered_then_attached_then_its_repositories_are_chosen() {
        const FULL: &str = "
rh_subscription:
  activation-key: hunter2
  org: 12345
  auto-attach: true
  service-level: self-support
  add-pool: [1a1a, 2b2b]
  enable-repo: [rhel-9-a, rhel-9-b]
  disable-repo: [rhel-9-c]
  rhsm-baseurl: https://cdn.example.com
  server-hostname: rhsm.example.com
  release_version: 9.4
";
        #[rustfmt::skip]
        let table: [(&str, &[&str]); 3] = [
            ("rh_subscription: {username: joe@example.com, password: '1234hunter2'}",
             &["subscription-manager register --username=joe@example.com --password=1234hunter2"]),
            ("rh_subscription: {username: joe, password: hunter2, activation-key: hunter2, auto-attach: false, enable-repo: a}",
             &["subscription-manager register --username=joe --password=hunter2", "subscription-manager repos --enable=a"]),
            (FULL,
             &["subscription-manager register --activationkey=hunter2 --org=12345 --baseurl=https://cdn.example.com --serverurl=rhsm.example.com",
               "subscription-manager release --set=9.4",
               "--servicelevel=self-support",
               "1a1a 2b2b",
               "subscription-manager repos --disable=rhel-9-c --enable=rhel-9-a --enable=rhel-9-b"]),
        ];
        for (config, wanted) in table {
            let plan = plan(&[], config);
            assert_eq!(plan.problems, [], "{config}");
            assert_eq!(calls(&plan), wanted, "{config}");
            assert!(
                !format!("{plan:?} {:?}", plan.lines()).contains("hunter2"),
                "{config}"
            );
        }
        assert_eq!(plan(&[(IDENTITY, "")], FULL), Plan::nothing());
    }

    #[test]
    fn an_image_without_the_tool_is_told_what_it_lacks() {
        let config = "rh_subscription: {username: joe, password: a}";
        let plan = Setting::default().plan::<RhSubscription>(config);
        assert_eq!(plan.steps, []);
        assert_eq!(
            plan.problems[0].to_string(),
            "rh_subscription: the image has no subscription-manager (install the package of that name in the image)"
        );
    }

    #[test]
    fn what_is_wrong_costs_as_little_as_it_can() {
        const USER: &str = "username: joe, password: a";
        #[rustfmt::skip]
        let table: [(&str, usize, &str); 11] = [
            // configuration                                                 calls  says
            ("[a]",                                                          0,     "test:1:18: rh_subscription: expected a mapping, found a list"),
            ("{}",                                                           0,     "test:1:18: rh_subscription: there is not enough to register with (give `activation-key` and `org`, or `username` and `password`)"),
            ("{activation-key: a}",                                          0,     "test:1:18: rh_subscription: there is not enough to register with (give `activation-key` and `org`, or `username` and `password`)"),
            ("{username: joe, password: [a]}",                               0,     "test:1:44: rh_subscription.password: expected a string, found a list"),
            ("{USER, server-hostname: {host: a}, auto-attach: true}",        0,     "test:1:64: rh_subscription.server-hostname: expected a string, found a mapping"),
            ("{USER, rhsm-baseurl: [a]}",                                    0,     "test:1:61: rh_subscription.rhsm-baseurl: expected a string, found a list"),
            ("{USER, activation-key: a, org: [b]}",                          0,     "test:1:71: rh_subscription.org: expected a string, found a list"),
            ("{USER, service-level: x}",                                     1,     "test:1:62: rh_subscription.service-level: it has no effect without `auto-attach: true`"),
            ("{USER, auto-attach: maybe}",                                   1,     "test:1:60: rh_subscription.auto-attach: expected true or false; it is taken as false"),
            ("{USER, add-pool: [a, 'b c']}",                                 2,     "test:1:57: rh_subscription.add-pool: expected one word for each"),
            ("{USER, enable-repo: [a, [b]]}",                                2,     "test:1:64: rh_subscription.enable-repo[1]: expected a string, found a list"),
        ];
        for (config, count, says) in table {
            let config = config.replace("USER", USER);
            let plan = plan(&[], &format!("rh_subscription: {config}"));
            assert_eq!(plan.problems[0].to_string(), says, "{config}");
            assert_eq!(plan.effects().count(), count, "{config}");
        }
    }
}
