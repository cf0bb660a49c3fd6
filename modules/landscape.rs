//! Registration with Landscape, by its own client.
//!
//! Source: cloud-init, `cloudinit/config/cc_landscape.py`; landscape-config(1).

use std::collections::BTreeMap;
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
use crate::hidden::{self, has_password};
use crate::packages;

const NAME: &str = "landscape";
const FILE: &str = "/etc/landscape/client.conf";

/// The client asks its server, which may be far away.
const LIMIT: Duration = Duration::from_secs(600);

/// What holds unless the configuration or the client's own file says otherwise.
const DEFAULTS: &[(&str, &str)] = &[
    ("log_level", "info"),
    ("url", "https://landscape.canonical.com/message-system"),
    ("ping_url", "http://landscape.canonical.com/ping"),
    ("data_path", "/var/lib/landscape/client"),
];

/// Runs what it is given, unless the machine is registered: then it ends with 3.
const UNLESS_REGISTERED: &str = r#"landscape-config --silent --is-registered </dev/null
case $? in
0) exit 3 ;;
5) exec "$@" ;;
*) exit 1 ;;
esac
"#;

const CLIENT: &[Key] = &[
    Key::new("account_name", Shape::Scalar, "the account in Landscape").required(),
    Key::new(
        "computer_title",
        Shape::Scalar,
        "what the machine is called there",
    )
    .required(),
    Key::new("registration_key", Shape::Scalar, "the account's key").secret(),
    Key::new("url", Shape::Text, "where messages go")
        .or("https://landscape.canonical.com/message-system"),
    Key::new(
        "ping_url",
        Shape::Text,
        "what is asked whether there is news",
    )
    .or("http://landscape.canonical.com/ping"),
    Key::new("data_path", Shape::Text, "where the client keeps its data")
        .or("/var/lib/landscape/client"),
    Key::new(
        "log_level",
        Shape::Word(&["debug", "info", "warning", "error", "critical"]),
        "how much it logs",
    )
    .or("info"),
    Key::new(
        "tags",
        Shape::Text,
        "tags of the machine, separated by commas",
    ),
    Key::new("http_proxy", Shape::Text, "a proxy for http"),
    Key::new("https_proxy", Shape::Text, "a proxy for https"),
];

/// Registers the machine.
pub(crate) struct Landscape;

/// `landscape:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    landscape: Option<Value>,
}

impl Module for Landscape {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "install Landscape's client and register the machine",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            NAME,
            Shape::Map(&[Key::new(
                "client",
                Shape::Open(CLIENT),
                "options of landscape-config, with `_` for `-`",
            )
            .required()]),
            "registration with Landscape",
        )],
    };
    const NOTES: &'static str = include_str!("notes/landscape.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let step = |fields: &Fields<'_>, told: &mut _| step(fields, ctx, told);
        Fields::plan(NAME, want.landscape.as_ref(), step)
    }
}

fn step(fields: &Fields<'_>, ctx: &Context<'_>, told: &mut Vec<Problem>) -> Option<Step> {
    let client = fields.below("client", told)?;
    let options = options(&client, ctx, told);
    // Half of it would register the machine as another one.
    if !told.is_empty() {
        return None;
    }
    let mut open = Vec::new();
    let mut secret = Vec::new();
    for (name, value) in options {
        let is_secret = name == "registration_key" || has_password(&value);
        let words = [format!("--{}", name.replace('_', "-")), value];
        match is_secret {
            true => secret.extend(words.map(Secret::new)),
            false => open.extend(words),
        }
    }
    let argv = ["landscape-config", "--silent"].into_iter();
    let argv: Vec<&str> = argv.chain(open.iter().map(String::as_str)).collect();
    let what = "the machine is registered with Landscape";
    let mut tool = hidden::tool(what, &argv, secret);
    let start = ["sh", "-c", UNLESS_REGISTERED, "landscape"].map(ToOwned::to_owned);
    tool.argv.splice(0..0, start);
    tool.unchanged = &[3];
    tool.timeout = LIMIT;
    let package = packages::needed(&["landscape-client"], ctx);
    let register = Effect::tool(ToolSpec::live_only(tool));
    Some(Step::new("register", package.into_iter().chain([register])))
}

/// The options by their names: what the client's own file says is left to it.
fn options(
    client: &Fields<'_>,
    ctx: &Context<'_>,
    told: &mut Vec<Problem>,
) -> BTreeMap<String, String> {
    let file = files::text(ctx.probe, FILE).unwrap_or_default();
    let names = file.lines().filter_map(|line| line.split_once('='));
    let said: Vec<&str> = names.map(|(name, _)| name.trim()).collect();
    let defaults = DEFAULTS.iter().filter(|(name, _)| !said.contains(name));
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut options: BTreeMap<String, String> = defaults.map(own).collect();
    for (key, _) in client.map.iter() {
        let name = key.to_text().unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || !name.chars().all(is_plain) {
            let message = format!("{}: that is no name of an option", client.path);
            told.push(Problem::error(Some(key.place.clone()), message));
        } else if let Some(value) = client.line(&name, told) {
            // An option has one name, however it is spelled.
            options.insert(name.replace('-', "_"), value);
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    fn plan(files: &[(&str, &str)], config: &str) -> Plan {
        let ubuntu = [("/etc/os-release", "ID=ubuntu\n")];
        Setting {
            machine: FakeMachine::with(&[&ubuntu, files].concat()),
            ..Setting::default()
        }
        .plan::<Landscape>(config)
    }

    fn tool(plan: &Plan) -> &ToolSpec {
        let tool = plan.effects().find_map(|effect| match effect {
            Effect::Tool(tool) => Some(tool.as_ref()),
            _ => None,
        });
        tool.unwrap()
    }

    #[test]
    fn the_client_is_installed_and_told_what_the_configuration_and_the_defaults_say() {
        let open = plan(
            &[],
            "landscape: {client: {account_name: acme, computer_title: web 1, log_level: debug}}",
        );
        assert_eq!(open.problems, []);
        assert_eq!(
            open.lines(),
            [
                "package landscape-client (apt)",
                "the machine is registered with Landscape"
            ]
        );
        assert_eq!(
            tool(&open).argv[4..],
            [
                "landscape-config",
                "--silent",
                "--account-name",
                "acme",
                "--computer-title",
                "web 1",
                "--data-path",
                "/var/lib/landscape/client",
                "--log-level",
                "debug",
                "--ping-url",
                "http://landscape.canonical.com/ping",
                "--url",
                "https://landscape.canonical.com/message-system",
            ]
        );
    }

    #[test]
    fn its_own_file_counts_and_keys_are_nowhere_to_be_seen() {
        let file = (
            FILE,
            "[client]\nurl = https://own.example/\nping_url=http://own.example/\ndata_path = /srv\n",
        );
        const CONFIG: &str = "
landscape:
  client:
    account_name: acme
    computer_title: web
    registration_key: hunter2
    https_proxy: http://me:hunter2@proxy.example:3128
";
        let plan = plan(&[file], CONFIG);
        assert_eq!(plan.problems, []);
        let tool = tool(&plan);
        assert_eq!(
            tool.argv[8..],
            [
                "landscape-config",
                "--silent",
                "--account-name",
                "acme",
                "--computer-title",
                "web",
                "--log-level",
                "info"
            ]
        );
        let stdin = String::from_utf8_lossy(tool.stdin.expose()).replace('\0', " ");
        assert_eq!(
            stdin,
            "--https-proxy http://me:hunter2@proxy.example:3128 --registration-key hunter2"
        );
        assert!(!format!("{plan:?} {:?}", plan.lines()).contains("hunter2"));
    }

    #[test]
    fn an_option_is_the_same_with_either_mark_between_its_words() {
        let spelled = |mark: &str| {
            let client = "account_name: a, registration_key: hunter2, log_level: debug";
            plan(
                &[],
                &format!("landscape: {{client: {{{}}}}}", client.replace('_', mark)),
            )
        };
        assert_eq!(tool(&spelled("-")).argv, tool(&spelled("_")).argv);
        assert_eq!(tool(&spelled("-")).stdin, tool(&spelled("_")).stdin);
        assert!(!tool(&spelled("-")).argv.join(" ").contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_told_and_nothing_is_registered() {
        #[rustfmt::skip]
        let table = [
            ("landscape: [a]",                               "test:1:12: landscape: expected a mapping, found a list"),
            ("landscape: {client: a}",                       "test:1:21: landscape.client: expected a mapping, found a string"),
            ("landscape: {client: {account_name: [a]}}",     "test:1:36: landscape.client.account_name: expected a string, found a list"),
            ("landscape: {client: {'a b': c}}",              "test:1:22: landscape.client: that is no name of an option"),
        ];
        for (config, says) in table {
            let plan = plan(&[], config);
            assert_eq!(plan.steps, [], "{config}");
            assert_eq!(plan.problems[0].to_string(), says);
        }
        for nothing in ["landscape:", "landscape: {}"] {
            assert_eq!(plan(&[], nothing), Plan::nothing(), "{nothing}");
        }
    }
}
