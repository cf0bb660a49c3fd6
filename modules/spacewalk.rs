//! Registration with a Spacewalk server.
//!
//! Source: cloud-init, `cloudinit/config/cc_spacewalk.py`; rhnreg_ks(8).

use contract::effect::Effect;
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

const NAME: &str = "spacewalk";

/// What a registered machine is known by.
const SYSTEM_ID: &str = "/etc/sysconfig/rhn/systemid";
const CERTIFICATE: &str = "/usr/share/rhn/RHN-ORG-TRUSTED-SSL-CERT";

const SPACEWALK: &[Key] = &[
    Key::new("server", Shape::Text, "the server's name"),
    Key::new("proxy", Shape::Text, "a proxy on the way to it"),
    Key::new("activation_key", Shape::Text, "the key to register with").secret(),
];

/// Registers the machine.
pub(crate) struct Spacewalk;

/// `spacewalk:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    spacewalk: Option<Value>,
}

impl Module for Spacewalk {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "register the machine with a Spacewalk server",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            NAME,
            Shape::Map(SPACEWALK),
            "the Spacewalk server that the machine is registered with",
        )],
    };
    const NOTES: &'static str = include_str!("notes/spacewalk.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let step = |fields: &Fields<'_>, told: &mut _| step(fields, ctx, told);
        Fields::plan(NAME, want.spacewalk.as_ref(), step)
    }
}

fn step(fields: &Fields<'_>, ctx: &Context<'_>, told: &mut Vec<Problem>) -> Option<Step> {
    let server = fields.line("server", told);
    let proxy = fields.line("proxy", told).filter(|proxy| !proxy.is_empty());
    let key = fields.line("activation_key", told);
    let key = key.filter(|key| !key.is_empty());
    let server = server.filter(|server| !server.is_empty())?;
    if files::exists(ctx.probe, SYSTEM_ID) {
        return None;
    }
    // Without it the machine would be registered without its channels.
    if !told.is_empty() {
        return None;
    }
    let url = format!("https://{server}/XMLRPC");
    let name = match &ctx.instance.local_hostname {
        Some(name) => name.to_string(),
        None => ctx.instance.instance_id.to_string(),
    };
    let argv = [
        "rhnreg_ks",
        "--serverUrl",
        &url,
        "--profilename",
        &name,
        "--sslCACert",
        CERTIFICATE,
    ];
    let mut argv = argv.to_vec();
    let mut secret = Vec::new();
    match &proxy {
        Some(proxy) if has_password(proxy) => secret.extend(["--proxy", proxy]),
        Some(proxy) => argv.extend(["--proxy", proxy]),
        None => {}
    }
    if let Some(key) = &key {
        secret.extend(["--activationkey", key]);
    }
    let secret = secret.into_iter().map(|word| Secret::new(word.to_owned()));
    let what = format!("the machine is registered with {server}");
    let register = hidden::tool(what, &argv, secret.collect());
    let register = register.creates(SYSTEM_ID).live_only();
    let package = packages::needed(&["rhn-setup"], ctx);
    let effects = package.into_iter().chain([Effect::tool(register)]);
    Some(Step::new("register", effects))
}

#[cfg(test)]
mod tests {
    use contract::effect::ToolSpec;
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    fn plan(files: &[(&str, &str)], config: &str) -> Plan {
        let fedora = [("/etc/os-release", "ID=fedora\n")];
        let mut setting = Setting {
            machine: FakeMachine::with(&[&fedora, files].concat()),
            ..Setting::default()
        };
        setting.instance.local_hostname = "web-1.example.com".parse().ok();
        setting.plan::<Spacewalk>(config)
    }

    fn tool(plan: &Plan) -> &ToolSpec {
        let tool = plan.effects().find_map(|effect| match effect {
            Effect::Tool(tool) => Some(tool.as_ref()),
            _ => None,
        });
        tool.unwrap()
    }

    #[test]
    fn a_machine_is_registered_and_its_key_is_nowhere_to_be_seen() {
        const CONFIG: &str = "spacewalk: {server: sw.example.com, activation_key: hunter2, proxy: proxy.example.com}";
        let first = plan(&[], CONFIG);
        assert_eq!(first.problems, []);
        assert_eq!(
            first.lines(),
            [
                "package rhn-setup (dnf)",
                "the machine is registered with sw.example.com"
            ]
        );
        assert_eq!(
            tool(&first).argv[4..],
            [
                "rhnreg_ks",
                "--serverUrl",
                "https://sw.example.com/XMLRPC",
                "--profilename",
                "web-1.example.com",
                "--sslCACert",
                CERTIFICATE,
                "--proxy",
                "proxy.example.com"
            ]
        );
        assert_eq!(tool(&first).stdin.expose(), b"--activationkey\0hunter2");
        assert!(!format!("{first:?} {:?}", first.lines()).contains("hunter2"));
        assert_eq!(plan(&[(SYSTEM_ID, "")], CONFIG), Plan::nothing());
        let open = plan(&[], "spacewalk: {server: sw.example.com}");
        assert_eq!(tool(&open).argv[0], "rhnreg_ks");
        let proxy =
            "spacewalk: {server: sw.example.com, proxy: 'http://me:hunter2@proxy.example.com'}";
        let with_proxy = plan(&[], proxy);
        assert!(!tool(&with_proxy).argv.concat().contains("hunter2"));
    }

    #[test]
    fn without_a_server_nothing_is_done_and_what_is_wrong_is_told() {
        for nothing in [
            "spacewalk:",
            "spacewalk: {}",
            "spacewalk: {activation_key: a}",
        ] {
            assert_eq!(plan(&[], nothing), Plan::nothing(), "{nothing}");
        }
        #[rustfmt::skip]
        let table = [
            ("spacewalk: [a]",                                        "test:1:12: spacewalk: expected a mapping, found a list"),
            ("spacewalk: {server: a, activation_key: [b]}",           "test:1:40: spacewalk.activation_key: expected a string, found a list"),
        ];
        for (config, says) in table {
            let plan = plan(&[], config);
            assert_eq!(plan.steps, [], "{config}");
            assert_eq!(plan.problems[0].to_string(), says);
        }
    }
}
