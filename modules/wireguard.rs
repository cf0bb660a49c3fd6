//! Tunnels of WireGuard.
//!
//! Source: cloud-init, `cloudinit/config/cc_wireguard.py`; wg-quick(8).

use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::effect::{Effect, Mode, Program, ToolSpec};
use contract::machine::Probe;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::Value;
use serde::Deserialize;

use crate::fields::{Fields, wrong};
use crate::files;
use crate::{distribution, packages, script, services};

const NAME: &str = "wireguard";

/// The first kernel that has it in itself; older ones get it from a package.
const FIRST_KERNEL: (u32, u32) = (5, 6);
/// The longest name that an interface of the kernel may have (`IFNAMSIZ`).
const LONGEST: usize = 15;

/// The unit waits for network-online.target, and that for two minutes where the network is not complete
/// (systemd-networkd-wait-online.service(8)). cloud-init begins when that is over; here the boot has just begun.
const LIMIT: Duration = Duration::from_secs(600);

const KEYS: &[Key] = &[Key::new(
    NAME,
    Shape::Map(&[
        Key::new(
            "interfaces",
            Shape::List(&Shape::Map(&[
                Key::new("name", Shape::Text, "such as wg0").required(),
                Key::new(
                    "config_path",
                    Shape::Text,
                    "such as /etc/wireguard/wg0.conf",
                )
                .required(),
                Key::new("content", Shape::Text, "what is in that file")
                    .required()
                    .secret(),
            ])),
            "tunnels",
        )
        .required(),
        Key::new(
            "readinessprobe",
            Shape::List(&Shape::Text),
            "commands that succeed when the tunnels work",
        ),
    ]),
    "tunnels of WireGuard",
)];

/// Sets up tunnels.
pub(crate) struct Wireguard;

/// `wireguard:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    wireguard: Option<Value>,
}

impl Module for Wireguard {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "set up tunnels of WireGuard",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/wireguard.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let told = &mut plan.problems;
        let Some(section) = want.wireguard else {
            return plan;
        };
        let Some(fields) = Fields::of(NAME, &section, told) else {
            return plan;
        };
        let Some(entries) = fields.get("interfaces").and_then(Value::as_list) else {
            let place = fields.get("interfaces").unwrap_or(&section);
            let message = "wireguard.interfaces: expected a list of tunnels";
            told.push(Problem::error(Some(place.place.clone()), message));
            return plan;
        };
        let mut tunnels = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let name = format!("wireguard.interfaces[{index}]");
            tunnels.extend(
                Fields::of(&name, entry, told).and_then(|entry| tunnel(&entry, ctx.probe, told)),
            );
        }
        let probes = fields.texts("readinessprobe", told).unwrap_or_default();
        plan.push(Step::new("tools", tools(ctx)));
        tunnels.into_iter().for_each(|step| plan.push(step));
        for (number, probe) in (1..).zip(probes) {
            let name = format!("readinessprobe {number}");
            let label = format!("wireguard.{name}");
            let run = script::command(&label, Program::Shell(probe.value));
            plan.push(Step::new(name, [Effect::Run(run)]));
        }
        plan
    }
}

/// The tools that tunnels need.
fn tools(ctx: &Context<'_>) -> Vec<Effect> {
    let mut effects = Vec::new();
    if !distribution::has_program(ctx.probe, "wg") {
        let names: &[&str] = match has_it(ctx.probe) {
            true => &["wireguard-tools"],
            false => &["wireguard-tools", "wireguard"],
        };
        effects.extend(packages::needed(names, ctx));
    }
    effects
}

/// That the kernel's module is loaded, unless it is.
fn module(probe: &dyn Probe) -> Option<Effect> {
    let loaded = probe.kind(Path::new("/sys/module/wireguard"));
    if loaded.is_ok_and(|kind| kind.is_some()) {
        return None;
    }
    let tool = ToolSpec::new("wireguard in the kernel", ["modprobe", "wireguard"]);
    Some(Effect::tool(tool.live_only()))
}

/// Whether the kernel brings it; one that does not say which it is does.
fn has_it(probe: &dyn Probe) -> bool {
    let release = files::text(probe, "/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release
        .split(['.', '-'])
        .map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= FIRST_KERNEL,
        _ => true,
    }
}

/// The file, and that the tunnel is up now and at each boot.
fn tunnel(fields: &Fields<'_>, probe: &dyn Probe, told: &mut Vec<Problem>) -> Option<Step> {
    let mut text = |key: &str, wanted: &str, is_good: fn(&str) -> bool| {
        let Some(value) = fields.get(key) else {
            told.push(Problem::error(
                fields.place(),
                format!("{}: it is missing", fields.name(key)),
            ));
            return None;
        };
        let good = value.as_str().filter(|text| is_good(text));
        if good.is_none() {
            told.push(match value.as_str() {
                Some(_) => {
                    let message = format!("{}: expected {wanted}", fields.name(key));
                    Problem::error(Some(value.place.clone()), message)
                }
                None => wrong(&fields.name(key), value, wanted),
            });
        }
        good.map(ToOwned::to_owned)
    };
    let name = text("name", "the name of an interface", is_interface);
    let path = text("config_path", "an absolute path", |path| {
        path.starts_with('/') && !path.contains('\0')
    });
    let content = text("content", "a string", |_| true);
    let (name, path, content) = (name?, path?, content?);
    let unit = format!("wg-quick@{name}.service");
    let file = Effect::secret_file(
        PathBuf::from(path),
        Secret::new(content.into_bytes()),
        Mode::PRIVATE,
    );
    let mut step = Step::new(name, [file]);
    step.effects.extend(services::enabled(&unit, probe));
    step.on_change.extend(module(probe));
    // It is waited for: probes ask whether the tunnel works.
    let mut up = ToolSpec::new(
        format!("{unit} restarted"),
        ["systemctl", "restart", "--", &unit],
    );
    up.timeout = LIMIT;
    step.on_change.push(Effect::tool(up.live_only()));
    Some(step)
}

/// Source: wg-quick(8).
fn is_interface(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"_=+.-".contains(&b);
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(good) && !matches!(name, "." | "..")
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    /// Paths with what is in them.
    type Files<'a> = &'a [(&'a str, &'a str)];

    const CONFIG: &str = "
wireguard:
  interfaces:
    - name: wg0
      config_path: /etc/wireguard/wg0.conf
      content: |
        [Interface]
        PrivateKey = hunter2
    - name: wg1
      config_path: /etc/wireguard/wg1.conf
      content: ''
  readinessprobe:
    - systemctl is-active wg-quick@wg0
    - ping -c 1 10.0.0.1
";

    fn on(kernel: &str, files: Files<'_>) -> Setting {
        let mut all = vec![
            ("/etc/os-release", "ID=ubuntu\n"),
            ("/proc/sys/kernel/osrelease", kernel),
        ];
        all.extend(files);
        Setting {
            machine: FakeMachine::with(&all),
            ..Setting::default()
        }
    }

    #[test]
    fn tools_come_first_then_tunnels_then_those_who_ask_whether_they_work() {
        let plan = on("6.8.0-1015-aws\n", &[]).plan::<Wireguard>(CONFIG);
        assert_eq!(
            plan.lines(),
            [
                "package wireguard-tools (apt)",
                "file /etc/wireguard/wg0.conf (0600)",
                "service wg-quick@wg0.service enabled",
                "wireguard in the kernel",
                "wg-quick@wg0.service restarted",
                "file /etc/wireguard/wg1.conf (0600)",
                "service wg-quick@wg1.service enabled",
                "wireguard in the kernel",
                "wg-quick@wg1.service restarted",
                "run wireguard.readinessprobe 1",
                "run wireguard.readinessprobe 2",
            ]
        );
        assert_eq!(plan.problems, []);
        assert!(!format!("{plan:?}").contains("hunter2"));
        let Effect::Tool(up) = &plan.steps[1].on_change[1] else {
            panic!("{plan:?}")
        };
        // Its unit waits for the network, which may take as long as any tool has unless it says so.
        assert!(up.timeout > ToolSpec::TIMEOUT * 2, "{up:?}");
    }

    #[test]
    fn what_is_there_is_not_brought_again() {
        let all = ["package wireguard-tools (apt)", "wireguard in the kernel"];
        #[rustfmt::skip]
        let table: [(&str, Files<'_>, &[&str]); 4] = [
            ("6.8.0",           &[],                                                            &all),
            ("5.4.0-1103-aws",  &[],                                                            &["packages wireguard-tools, wireguard (apt)", "wireguard in the kernel"]),
            ("6.8.0",           &[("/usr/bin/wg", "")],                                         &all[1..]),
            ("6.8.0",           &[("/usr/bin/wg", ""), ("/sys/module/wireguard/version", "1")], &[]),
        ];
        let config = "wireguard: {interfaces: [{name: wg0, config_path: /a, content: b}]}";
        for (kernel, files, brought) in table {
            let mut lines = on(kernel, files).plan::<Wireguard>(config).lines();
            lines.retain(|line| line.starts_with("package") || line.ends_with("kernel"));
            assert_eq!(lines, brought, "{kernel} {files:?}");
        }
    }

    #[test]
    fn a_bad_tunnel_costs_itself_alone() {
        let good = "{name: wg1, config_path: /a, content: b}";
        #[rustfmt::skip]
        let table = [
            // a tunnel                                              says
            ("{name: wg0, config_path: /a}",                         "test:1:26: wireguard.interfaces[0].content: it is missing"),
            ("{name: wg0, config_path: /a, content: [b]}",           "test:1:64: wireguard.interfaces[0].content: expected a string, found a list"),
            ("{name: wg0, config_path: a, content: b}",              "test:1:51: wireguard.interfaces[0].config_path: expected an absolute path"),
            ("{name: '--now', config_path: /a, content: b}",         ""),
            ("{name: 'a/b', config_path: /a, content: b}",           "test:1:33: wireguard.interfaces[0].name: expected the name of an interface"),
            ("{name: a-name-too-long-for-it, config_path: /a, content: b}", "test:1:33: wireguard.interfaces[0].name: expected the name of an interface"),
            ("wg0",                                                  "test:1:26: wireguard.interfaces[0]: expected a mapping, found a string"),
        ];
        for (tunnel, says) in table {
            let config = format!("wireguard: {{interfaces: [{tunnel}, {good}]}}");
            let plan = on("6.8.0", &[]).plan::<Wireguard>(&config);
            let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
            let wanted: Vec<&str> = Some(says)
                .filter(|says| !says.is_empty())
                .into_iter()
                .collect();
            assert_eq!(said, wanted, "{tunnel}");
            assert!(plan.steps.iter().any(|step| step.name == "wg1"), "{tunnel}");
        }
        let plan = on("6.8.0", &[]).plan::<Wireguard>("wireguard: {interfaces: wg0}");
        let said = plan.problems[0].to_string();
        assert_eq!(
            said,
            "test:1:25: wireguard.interfaces: expected a list of tunnels"
        );
    }
}
