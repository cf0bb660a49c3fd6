//! The host keys on the console, where whoever logs in first can compare them.
//!
//! Source of the text, which tools look for in the output of get-console-output: cloud-init,
//! `cloudinit/config/cc_keys_to_console.py` and `tools/write-ssh-key-fingerprints`.

use contract::effect::Effect;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Step};
use contract::schema::{Key, Shape};
use contract::yaml::Value;
use serde::Deserialize;

use crate::files;
use crate::host_files;
use crate::switch::is_on;
use contract::public_key;

const KEYS: &[Key] = &[
    Key::new(
        "ssh",
        Shape::Map(&[Key::new(
            "emit_keys_to_console",
            Shape::Switch,
            "whether the host keys are shown on the console",
        )
        .or("true")]),
        "what is shown of ssh's keys",
    ),
    Key::new(
        "ssh_fp_console_blacklist",
        TYPES,
        "types of host keys, such as `ssh-rsa`, whose fingerprints are not shown",
    ),
    Key::new(
        "ssh_key_console_blacklist",
        TYPES,
        "types of host keys, such as `ssh-rsa`, that are not shown",
    ),
];
const TYPES: Shape = Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]);

const RULE: &str = "#############################################################\n";

/// Shows the host keys.
pub(crate) struct KeysToConsole;

/// What is not shown.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    ssh: Option<Value>,
    ssh_fp_console_blacklist: Option<Value>,
    ssh_key_console_blacklist: Option<Value>,
}

impl Module for KeysToConsole {
    const FACTS: Facts = Facts {
        name: "keys_to_console",
        summary: "show the host keys and their fingerprints on the console",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::Always,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/keys_to_console.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let emits = want
            .ssh
            .as_ref()
            .and_then(|ssh| ssh.get("emit_keys_to_console"));
        if !is_on("ssh.emit_keys_to_console", emits, &mut plan.problems) {
            return plan;
        }
        let mut paths = host_files::all(ctx.probe);
        paths.retain(|path| path.to_string_lossy().ends_with("key.pub"));
        let texts = paths.iter().filter_map(|path| files::text(ctx.probe, path));
        let keys: Vec<String> = texts.collect();
        let but = |left_out: Option<&Value>| {
            let left_out = left_out.map(names).unwrap_or_default();
            let shown = keys.iter().filter(move |key| {
                let kind = key.split_ascii_whitespace().next();
                kind.is_some_and(|kind| !left_out.contains(&kind))
            });
            shown.collect::<Vec<_>>()
        };
        let mut effects = Vec::new();
        let fingerprints: String = but(want.ssh_fp_console_blacklist.as_ref())
            .into_iter()
            .filter_map(|key| public_key::listed(key))
            .map(|line| line + "\n")
            .collect();
        if !fingerprints.is_empty() {
            let text = format!(
                "{RULE}-----BEGIN SSH HOST KEY FINGERPRINTS-----\n{fingerprints}-----END SSH HOST KEY FINGERPRINTS-----\n{RULE}"
            );
            effects.push(Effect::Syslog { text });
        }
        let shown = but(want.ssh_key_console_blacklist.as_ref());
        if !shown.is_empty() {
            let keys: String = shown
                .into_iter()
                .map(|key| key.trim().to_owned() + "\n")
                .collect();
            let text = format!(
                "-----BEGIN SSH HOST KEY KEYS-----\n{keys}-----END SSH HOST KEY KEYS-----\n"
            );
            effects.push(Effect::Console { text });
        }
        plan.push(Step::new("host keys", effects));
        plan
    }
}

/// The words of a list, or of one.
fn names(given: &Value) -> Vec<&str> {
    let one = std::slice::from_ref(given);
    let entries = given.as_list().unwrap_or(one);
    entries.iter().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGvGQ1bnAdKyJfzbb0xMv7kUJ5cDpBF3f8Wvpvh6XbJ8 root@one\n";
    const ECDSA: &str =
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY= root@one\n";

    fn plan(config: &str) -> Plan {
        let setting = Setting {
            machine: FakeMachine::with(&[
                ("/etc/ssh/ssh_host_ecdsa_key.pub", ECDSA),
                ("/etc/ssh/ssh_host_ed25519_key", "secret"),
                (
                    "/etc/ssh/ssh_host_ed25519_key-cert.pub",
                    "ssh-ed25519-cert-v01@openssh.com A",
                ),
                ("/etc/ssh/ssh_host_ed25519_key.pub", ED25519),
            ]),
            ..Setting::default()
        };
        setting.plan::<KeysToConsole>(config)
    }

    /// What is shown of each kind.
    fn shown(plan: &Plan) -> (Vec<String>, Vec<String>) {
        let lines = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
        let (mut syslog, mut console) = (Vec::new(), Vec::new());
        for effect in plan.effects() {
            match effect {
                Effect::Syslog { text } => syslog.extend(lines(text)),
                Effect::Console { text } => console.extend(lines(text)),
                other => panic!("{other}"),
            }
        }
        (syslog, console)
    }

    #[test]
    fn the_blocks_are_those_that_tools_look_for() {
        let (fingerprints, keys) = shown(&plan("{}"));
        assert_eq!(fingerprints.len(), 6);
        assert_eq!(fingerprints[0].len(), 61);
        assert_eq!(fingerprints[0], fingerprints[5]);
        assert_eq!(fingerprints[1], "-----BEGIN SSH HOST KEY FINGERPRINTS-----");
        assert!(
            fingerprints[2].starts_with("256 SHA256:")
                && fingerprints[2].ends_with(" root@one (ECDSA)")
        );
        assert!(fingerprints[3].ends_with(" root@one (ED25519)"));
        assert_eq!(fingerprints[4], "-----END SSH HOST KEY FINGERPRINTS-----");
        assert_eq!(
            keys,
            [
                "-----BEGIN SSH HOST KEY KEYS-----",
                ECDSA.trim(),
                ED25519.trim(),
                "-----END SSH HOST KEY KEYS-----"
            ]
        );
    }

    #[test]
    fn what_is_not_to_be_shown_is_not() {
        #[rustfmt::skip]
        let table = [
            // configuration                                                 fingerprints, keys: lines
            ("ssh: {emit_keys_to_console: false}",                           0, 0),
            ("ssh: {emit_keys_to_console: 'no'}",                            0, 0),
            ("ssh: {}",                                                      6, 4),
            ("ssh_fp_console_blacklist: [ssh-ed25519]",                      5, 4),
            ("ssh_key_console_blacklist: [ssh-ed25519, ecdsa-sha2-nistp256]", 6, 0),
            ("ssh_key_console_blacklist: ssh-ed25519",                       6, 3),
        ];
        for (config, fingerprints, keys) in table {
            let (syslog, console) = shown(&plan(config));
            assert_eq!(
                (syslog.len(), console.len()),
                (fingerprints, keys),
                "{config}"
            );
        }
        let said: Vec<String> = plan("ssh: {emit_keys_to_console: perhaps}")
            .problems
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            said,
            ["test:1:29: ssh.emit_keys_to_console: expected true or false; it is taken as true"]
        );
    }
}
