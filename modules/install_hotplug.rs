//! What happens when network cards are plugged in later: nothing here, and whoever asks is told.
//!
//! Source: cloud-init, `cloudinit/config/cc_install_hotplug.py` and `cloudinit/stages.py`
//! (`update_event_enabled`).

use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem};
use contract::schema::{Key, Shape};
use contract::yaml::Value;
use serde::Deserialize;

use crate::fields::Fields;

const KEY: &str = "updates";

/// Source: cloud-init, `cloudinit/event.py` (`EventType`).
const EVENTS: [&str; 4] = ["boot-new-instance", "boot", "boot-legacy", "hotplug"];

const KEYS: &[Key] = &[Key::new(
    KEY,
    Shape::Map(&[Key::new(
        "network",
        Shape::Map(&[Key::new(
            "when",
            Shape::List(&Shape::Word(&EVENTS)),
            "when cloud-init sets up the network; firstlight never does",
        )]),
        "about the network",
    )]),
    "when what the cloud says is looked at again",
)];

/// Tells what is not done.
pub(crate) struct InstallHotplug;

/// `updates:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    updates: Option<Value>,
}

impl Module for InstallHotplug {
    const FACTS: Facts = Facts {
        name: "install_hotplug",
        summary: "tell that network cards which come later are not set up",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/install_hotplug.md");
    type Section = Section;

    fn plan(want: Section, _: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let told = &mut plan.problems;
        let updates = want.updates.as_ref();
        let updates = updates.and_then(|updates| Fields::of(KEY, updates, told));
        let network = updates.as_ref().and_then(|updates| updates.get("network"));
        let network = network.and_then(|network| Fields::of("updates.network", network, told));
        let events = network.and_then(|network| network.texts("when", told));
        for event in events.unwrap_or_default() {
            let place = Some(event.place);
            match event.value.as_str() {
                "hotplug" => {
                    let message = "updates.network.when: hotplug: a network card that comes later is not set up by firstlight";
                    let hint = "the image's own network service does it: systemd-networkd, NetworkManager or amazon-ec2-net-utils";
                    told.push(Problem::warning(place, message).hint(hint));
                }
                known if EVENTS.contains(&known) => {}
                _ => {
                    let message = format!("updates.network.when: expected {}", EVENTS.join(", "));
                    told.push(Problem::error(place, message));
                }
            }
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::Setting;

    use super::*;

    #[test]
    fn whoever_asks_for_hotplug_is_told_that_it_is_not_done() {
        #[rustfmt::skip]
        let table: [(&str, &[&str]); 6] = [
            ("{network: {when: [boot, hotplug]}}",  &["test:1:34: updates.network.when: hotplug: a network card that comes later is not set up by firstlight"]),
            ("{network: {when: [boot]}}",           &[]),
            ("{network: {}}",                       &[]),
            ("{network: {when: [sometimes]}}",      &["test:1:28: updates.network.when: expected boot-new-instance, boot, boot-legacy, hotplug"]),
            ("{network: [hotplug]}",                &["test:1:20: updates.network: expected a mapping, found a list"]),
            ("hotplug",                             &["test:1:10: updates: expected a mapping, found a string"]),
        ];
        for (updates, says) in table {
            let plan = Setting::default().plan::<InstallHotplug>(&format!("updates: {updates}"));
            let told = plan.problems.iter().map(|problem| Problem {
                hint: None,
                ..problem.clone()
            });
            let told: Vec<String> = told.map(|problem| problem.to_string()).collect();
            assert_eq!(told, says, "{updates}");
            assert!(plan.steps.is_empty());
        }
    }
}
