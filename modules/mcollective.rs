//! Mcollective's server: its package, its configuration and certificates, and that it runs.
//!
//! Source: cloud-init, `cloudinit/config/cc_mcollective.py`; MCollective, "Server Configuration".

use std::path::PathBuf;

use contract::effect::{BlockSpec, Effect, Mode, Setting, Text, UnitVerb};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::Value;
use serde::Deserialize;

use crate::packages;
use crate::services;
use crate::told::Told;

const NAME: &str = "mcollective";
const SERVER_CFG: &str = "/etc/mcollective/server.cfg";
const PUBLIC_CERT: &str = "/etc/mcollective/ssl/server-public.pem";
const PRIVATE_CERT: &str = "/etc/mcollective/ssl/server-private.pem";

const WANTED: &[Key] = &[Key::new(
    "conf",
    Shape::Named(&Shape::OneOf(&[
        Shape::Scalar,
        Shape::Named(&Shape::Scalar),
    ])),
    "lines of server.cfg; `public-cert` and `private-cert` become files of their own",
)
.secret()];

/// Installs and configures the server.
pub(crate) struct Mcollective;

/// `mcollective:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    mcollective: Option<Value>,
}

impl Module for Mcollective {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "install, configure and start mcollective's server",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            NAME,
            Shape::Map(WANTED),
            "mcollective's server, once for an instance",
        )],
    };
    const NOTES: &'static str = include_str!("notes/mcollective.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        Told::plan(NAME, want.mcollective.as_ref(), |told| server(told, ctx))
    }
}

fn server(mut told: Told<'_>, ctx: &Context<'_>) -> Plan {
    let package = packages::named(NAME);
    let mut effects = Vec::new();
    let package = packages::wanted(NAME, vec![package], false, ctx, &mut told.problems);
    effects.extend(package);
    if let Some(mut conf) = told.below("conf") {
        effects.extend(configuration(&mut conf));
        told.problems.append(&mut conf.problems);
    }
    let mut server = Step::new("server", effects);
    if told.is_clear() {
        server.on_change = vec![services::job(UnitVerb::Restart, NAME, ctx.probe)];
    }
    let mut plan = Plan::from(server);
    plan.problems = told.problems;
    plan
}

/// The certificates, and the lines of server.cfg.
fn configuration(conf: &mut Told<'_>) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut settings = Vec::new();
    for (key, value) in conf.pairs() {
        match key {
            "public-cert" => {
                let Some(text) = conf.text(key) else { continue };
                effects.push(Effect::file(PUBLIC_CERT, text));
                settings.push(setting(
                    None,
                    "plugin.ssl_server_public",
                    PUBLIC_CERT.to_owned(),
                ));
                settings.push(setting(None, "securityprovider", "ssl".to_owned()));
            }
            "private-cert" => {
                let Some(text) = conf.text(key) else { continue };
                let bytes = Secret::new(text.into_bytes());
                effects.push(Effect::secret_file(PRIVATE_CERT, bytes, Mode::PRIVATE));
                settings.push(setting(
                    None,
                    "plugin.ssl_server_private",
                    PRIVATE_CERT.to_owned(),
                ));
                settings.push(setting(None, "securityprovider", "ssl".to_owned()));
            }
            _ if value.as_map().is_some() => {
                let Some(mut section) = conf.below(key) else {
                    continue;
                };
                for (name, _) in section.pairs() {
                    settings.extend(section.setting(Some(key), name));
                }
                conf.problems.append(&mut section.problems);
            }
            _ => settings.extend(conf.setting(None, key)),
        }
    }
    // Passwords and shared keys stand in it.
    let server = BlockSpec {
        what: "mcollective's configuration".to_owned(),
        at: PathBuf::from(SERVER_CFG),
        text: Text::Settings {
            settings,
            is_secret: true,
        },
        mode: Mode::PRIVATE,
        check: None,
    };
    effects.push(Effect::Block(Box::new(server)));
    effects
}

fn setting(section: Option<&str>, name: &str, value: String) -> Setting {
    Setting {
        section: section.map(ToOwned::to_owned),
        name: name.to_owned(),
        value: Secret::new(value),
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::Setting;

    use super::*;

    fn plan(config: &str) -> Plan {
        Setting::on("debian", &[]).plan::<Mcollective>(config)
    }

    #[test]
    fn a_server_has_its_certificates_and_its_lines() {
        let plan = plan(
            "
mcollective:
  conf:
    public-cert: |
      -----BEGIN CERTIFICATE-----
      MIIB
    private-cert: |
      -----BEGIN PRIVATE KEY-----
      hunter2
    plugin.stomp.host: dbhost
    plugin.psk: hunter2
    daemonize: 1
    direct_addressing: true
    agents: {package: apt}
",
        );
        assert_eq!(
            plan.lines(),
            [
                "package mcollective (apt)",
                "file /etc/mcollective/ssl/server-public.pem (0644)",
                "file /etc/mcollective/ssl/server-private.pem (0600)",
                "mcollective's configuration in /etc/mcollective/server.cfg",
                "restart mcollective.service",
            ]
        );
        assert_eq!(
            plan.settings(),
            [
                "/plugin.ssl_server_public = /etc/mcollective/ssl/server-public.pem",
                "/securityprovider = ssl",
                "/plugin.ssl_server_private = /etc/mcollective/ssl/server-private.pem",
                "/securityprovider = ssl",
                "/plugin.stomp.host = dbhost",
                "/plugin.psk = hunter2",
                "/daemonize = 1",
                "/direct_addressing = true",
                "agents/package = apt",
            ]
        );
        assert_eq!(plan.problems, []);
        assert!(!format!("{plan:?}").contains("hunter2"));
    }

    #[test]
    fn without_a_configuration_it_is_installed() {
        let plan = plan("mcollective: {}");
        assert_eq!(
            plan.lines(),
            ["package mcollective (apt)", "restart mcollective.service"]
        );
    }

    #[test]
    fn a_bad_value_costs_itself_alone_and_is_told_with_its_place() {
        #[rustfmt::skip]
        let table: [(&str, &[&str], &str); 7] = [
            ("[conf]",                           &[],         "test:1:14: mcollective: expected a mapping, found a list"),
            ("{conf: on}",                       &[],         "test:1:21: mcollective.conf: expected a mapping, found a boolean"),
            ("{conf: {a: [1], b: 2}}",           &["/b = 2"], "test:1:25: mcollective.conf.a: expected a string, found a list"),
            ("{conf: {a: \"x\\ny\", b: 2}}",     &["/b = 2"], "test:1:25: mcollective.conf.a: expected a string of one line, found a string"),
            ("{conf: {s: {a: [1], b: 2}}}",      &["s/b = 2"], "test:1:29: mcollective.conf.s.a: expected a string, found a list"),
            ("{conf: {private-cert: [], b: 2}}", &["/b = 2"], "test:1:36: mcollective.conf.private-cert: expected a string, found a list"),
            ("{conf: {'a=b': hunter2, b: 2}}",   &["/b = 2"], "test:1:29: mcollective.conf.a=b: that cannot be the name of a setting"),
        ];
        for (config, wanted, says) in table {
            let plan = plan(&format!("mcollective: {config}"));
            assert_eq!(plan.settings(), wanted, "{config}");
            assert_eq!(plan.problems[0].to_string(), says, "{config}");
            // Half configured it would listen to others.
            let lines = plan.lines();
            let is_restarted = lines.iter().any(|line| line.contains("restart"));
            assert!(!is_restarted, "{config}: {lines:?}");
        }
    }
}
