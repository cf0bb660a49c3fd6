//! NVIDIA's drivers, as ubuntu-drivers(1) installs them.
//!
//! Source: cloud-init, `cloudinit/config/cc_ubuntu_drivers.py`; debconf-communicate(1),
//! debconf-devel(7).

use std::time::Duration;

use contract::effect::{Effect, ToolSpec};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::Value;
use serde::Deserialize;

use crate::fields::Fields;
use crate::{distribution, packages};

const NAME: &str = "drivers";

/// Where debconf reads the question from.
const TEMPLATE: &str = "/run/firstlight/nvidia.template";

/// The question whose default is that modules of the kernel are linked with NVIDIA's: the owner of
/// the machine has said yes.
const QUESTION: &str = "Template: linux/nvidia/latelink
Type: boolean
Default: true
Description: Link NVIDIA's kernel modules?
 They are linked on this machine, and can be used then.
";

/// Drivers are hundreds of megabytes, and modules are built.
const LIMIT: Duration = Duration::from_secs(3600);

const NVIDIA: &[Key] = &[
    Key::new(
        "license-accepted",
        Shape::Switch,
        "whether NVIDIA's licence is accepted; nothing is installed without",
    )
    .required(),
    Key::new(
        "version",
        Shape::Scalar,
        "the version of the drivers; the newest unless told",
    ),
];

/// Installs drivers.
pub(crate) struct UbuntuDrivers;

/// `drivers:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    drivers: Option<Value>,
}

impl Module for UbuntuDrivers {
    const FACTS: Facts = Facts {
        name: "ubuntu_drivers",
        summary: "install NVIDIA's drivers",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            NAME,
            Shape::Map(&[Key::new("nvidia", Shape::Map(NVIDIA), "those of NVIDIA")]),
            "drivers that are not part of the kernel",
        )],
    };
    const NOTES: &'static str = include_str!("notes/ubuntu_drivers.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(drivers) = want.drivers else {
            return Plan::nothing();
        };
        let mut plan = Plan::nothing();
        let told = &mut plan.problems;
        if let Some(fields) = Fields::of(NAME, &drivers, told) {
            let effects = effects(&fields, ctx, told);
            plan.push(Step::new("nvidia", effects));
        }
        plan
    }
}

fn effects(fields: &Fields<'_>, ctx: &Context<'_>, told: &mut Vec<Problem>) -> Vec<Effect> {
    let Some(nvidia) = fields.below("nvidia", told) else {
        return Vec::new();
    };
    if !nvidia.switch("license-accepted", false, told) {
        return Vec::new();
    }
    let before = told.len();
    let version = nvidia.line("version", told);
    if told.len() > before {
        return Vec::new();
    }
    let mut effects = Vec::new();
    if !distribution::has_program(ctx.probe, "ubuntu-drivers") {
        effects.extend(packages::needed(&["ubuntu-drivers-common"], ctx));
    }
    effects.push(Effect::file(TEMPLATE, QUESTION));
    let question = Secret::new(format!("X_LOADTEMPLATEFILE {TEMPLATE}\n").into_bytes());
    let argv = ["debconf-communicate", "-fnoninteractive", "firstlight"];
    let tell = ToolSpec::new("NVIDIA's modules may be linked", argv);
    effects.push(Effect::tool(tell.stdin(question)));
    let driver = match &version {
        Some(version) => format!("nvidia:{version}"),
        None => "nvidia".to_owned(),
    };
    let argv = ["ubuntu-drivers", "install", "--gpgpu", &driver];
    let mut install = ToolSpec::new(format!("driver {driver}"), argv).live_only();
    install.timeout = LIMIT;
    effects.push(Effect::tool(install));
    effects
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    type Files<'a> = &'a [(&'a str, &'a str)];

    fn plan(files: Files<'_>, config: &str) -> Plan {
        let ubuntu = [("/etc/os-release", "ID=ubuntu\n")];
        Setting {
            machine: FakeMachine::with(&[&ubuntu, files].concat()),
            ..Setting::default()
        }
        .plan::<UbuntuDrivers>(config)
    }

    #[test]
    fn drivers_are_installed_once_the_licence_is_accepted() {
        const THERE: Files<'_> = &[("/usr/bin/ubuntu-drivers", "")];
        const QUESTION: [&str; 2] = [
            "file /run/firstlight/nvidia.template (0644)",
            "NVIDIA's modules may be linked",
        ];
        let [file, link] = QUESTION;
        let package = "package ubuntu-drivers-common (apt)";
        #[rustfmt::skip]
        let table: [(Files<'_>, &str, &[&str]); 7] = [
            (THERE, "drivers: {nvidia: {license-accepted: true}}",                   &[file, link, "driver nvidia"]),
            (THERE, "drivers: {nvidia: {license-accepted: 'yes', version: '550'}}",  &[file, link, "driver nvidia:550"]),
            (&[],   "drivers: {nvidia: {license-accepted: true, version: 390}}",     &[package, file, link, "driver nvidia:390"]),
            (THERE, "drivers: {nvidia: {license-accepted: false}}",                  &[]),
            (THERE, "drivers: {nvidia: {version: 390}}",                             &[]),
            (THERE, "drivers: {}",                                                   &[]),
            (THERE, "drivers:",                                                      &[]),
        ];
        for (files, config, lines) in table {
            let plan = plan(files, config);
            assert_eq!(plan.lines(), lines, "{config}");
            assert_eq!(plan.problems, [], "{config}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_and_no_other_driver_is_installed() {
        #[rustfmt::skip]
        let table = [
            ("drivers: [nvidia]",                                       "test:1:10: drivers: expected a mapping, found a list"),
            ("drivers: {nvidia: true}",                                 "test:1:19: drivers.nvidia: expected a mapping, found a boolean"),
            ("drivers: {nvidia: {license-accepted: nah}}",              "test:1:38: drivers.nvidia.license-accepted: expected true or false; it is taken as false"),
            ("drivers: {nvidia: {license-accepted: true, version: [1]}}", "test:1:53: drivers.nvidia.version: expected a string, found a list"),
        ];
        for (config, says) in table {
            let plan = plan(&[], config);
            assert_eq!(plan.steps, [], "{config}");
            assert_eq!(plan.problems[0].to_string(), says);
        }
    }
}
