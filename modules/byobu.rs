//! byobu(1), a window manager for terminals, for all who log in or for the default user.
//!
//! Source: cloud-init, `cloudinit/config/cc_byobu.py`.

use std::path::Path;

use contract::effect::{Effect, ToolSpec};
use contract::machine::Probe;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::place::Place;
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::Value;
use serde::Deserialize;

use crate::accounts::Wishes;
use crate::debconf;
use crate::distribution;
use crate::files;
use crate::packages;

const NAME: &str = "byobu_by_default";

const WORDS: &[&str] = &[
    "enable-system",
    "enable-user",
    "disable-system",
    "disable-user",
    "enable",
    "disable",
    "user",
    "system",
];

const KEYS: &[Key] = &[Key::new(
    NAME,
    Shape::Word(WORDS),
    "whether byobu starts at login, for everybody or for the default user",
)];

/// Where byobu's own launcher writes its line, in a home.
const PROFILES: [&str; 5] = [
    ".profile",
    ".bash_profile",
    ".bash_login",
    ".zprofile",
    ".login",
];

/// Turns byobu on or off.
pub(crate) struct Byobu;

/// `byobu_by_default`.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    byobu_by_default: Option<Value>,
}

impl Module for Byobu {
    const FACTS: Facts = Facts {
        name: "byobu",
        summary: "start byobu at login, or do not",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/byobu.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(given) = want.byobu_by_default else {
            return Plan::nothing();
        };
        let word = given.to_text().unwrap_or_default();
        if word.is_empty() && given.as_str().is_some() {
            return Plan::nothing();
        }
        if !WORDS.contains(&word.as_str()) {
            let message = format!("{NAME}: expected one of {}", WORDS.join(", "));
            return Plan::problem(Problem::error(Some(given.place), message));
        }
        let is_on = !word.starts_with("disable");
        // What is turned on for the user is turned on for all, as with cloud-init.
        let is_for_user = word.ends_with("user") || word == "disable";
        let is_for_all = is_on || word != "disable-user";
        let mut plan = Plan::nothing();
        // One step, as there is nothing to turn on if it cannot be installed.
        let mut step = Step::new("byobu", []);
        if !distribution::has_program(ctx.probe, "byobu") {
            step.effects.extend(packages::needed(&["byobu"], ctx));
        }
        if is_for_user {
            match default_user(ctx) {
                Some(user) => step.effects.extend(launched(&user, is_on, ctx.probe)),
                None => plan.problems.push(nobody(given.place)),
            }
        }
        if is_for_all {
            step.effects.extend(for_all(is_on, ctx.probe));
        }
        plan.push(step);
        plan
    }
}

fn nobody(place: Place) -> Problem {
    let message = format!("{NAME}: there is no default user to do it for");
    Problem::warning(Some(place), message)
}

fn default_user(ctx: &Context<'_>) -> Option<String> {
    let wishes = Wishes {
        users: ctx.config.get("users"),
        user: ctx.config.get("user"),
        system_info: ctx.config.get("system_info"),
    };
    Some(wishes.accounts(ctx.probe).default?.to_string())
}

/// The launcher's line in the user's profile, or none; byobu's tool knows in which.
fn launched(user: &str, is_on: bool, probe: &dyn Probe) -> Option<Effect> {
    let home = probe.user(user).ok().flatten().map(|account| account.home);
    let has_line = |home: &String| {
        PROFILES.iter().any(|name| {
            let text = files::text(probe, Path::new(home).join(name));
            text.is_some_and(|text| text.contains("byobu-launch"))
        })
    };
    if home.as_ref().is_some_and(has_line) == is_on {
        return None;
    }
    let (tool, word) = match is_on {
        true => ("byobu-launcher-install", "on"),
        false => ("byobu-launcher-uninstall", "off"),
    };
    let what = format!("byobu {word} for {user}");
    Some(Effect::tool(ToolSpec::new(
        what,
        ["sudo", "-Hu", user, tool],
    )))
}

/// The package does it itself when it is configured.
fn for_all(is_on: bool, probe: &dyn Probe) -> Vec<Effect> {
    let text = format!("byobu byobu/launch-by-default boolean {is_on}\n");
    let told = debconf::answers("byobu's default for debconf", &text, probe);
    let word = if is_on { "on" } else { "off" };
    let argv = ["dpkg-reconfigure", "byobu", "--frontend=noninteractive"];
    let configured = || Effect::tool(ToolSpec::new(format!("byobu {word} for all"), argv));
    told.map(|told| vec![told, configured()])
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    const DEBIAN: (&str, &str) = ("/etc/os-release", "ID=debian\n");
    const TOOL: (&str, &str) = ("/usr/bin/byobu", "");
    const PASSWD: (&str, &str) = ("/etc/passwd", "ada:x:1000:1000::/home/ada:/bin/bash\n");
    const PROFILE: (&str, &str) = (
        "/home/ada/.profile",
        "_byobu_sourced=1 . /usr/bin/byobu-launch\n",
    );
    const BOOK: (&str, &str) = (
        "/var/cache/debconf/config.dat",
        "Name: byobu/launch-by-default\nValue: true\nOwners: byobu\nFlags: seen\n",
    );

    fn plan(files: &[(&str, &str)], config: &str) -> Plan {
        Setting {
            machine: FakeMachine::with(files),
            ..Setting::default()
        }
        .plan::<Byobu>(&format!(
            "system_info: {{default_user: {{name: ada}}}}\n{config}"
        ))
    }

    #[test]
    fn each_word_says_for_whom_it_is_turned_on_or_off() {
        let all = ["byobu's default for debconf", "byobu on for all"];
        let none = ["byobu's default for debconf", "byobu off for all"];
        #[rustfmt::skip]
        let table = [
            ("enable-system",  vec![all[0], all[1]]),
            ("system",         vec![all[0], all[1]]),
            ("enable",         vec![all[0], all[1]]),
            ("enable-user",    vec!["byobu on for ada", all[0], all[1]]),
            ("user",           vec!["byobu on for ada", all[0], all[1]]),
            ("disable-user",   vec![]),
            ("disable-system", vec![none[0], none[1]]),
            ("disable",        vec![none[0], none[1]]),
        ];
        for (word, lines) in table {
            let plan = plan(
                &[DEBIAN, TOOL, PASSWD],
                &format!("byobu_by_default: {word}"),
            );
            assert_eq!(plan.lines(), lines, "{word}");
            assert_eq!(plan.problems, [], "{word}");
        }
        let off = plan(
            &[DEBIAN, TOOL, PASSWD, PROFILE],
            "byobu_by_default: disable",
        );
        assert_eq!(off.lines(), ["byobu off for ada", none[0], none[1]]);
    }

    #[test]
    fn what_is_so_already_is_left_alone_and_what_is_missing_is_installed() {
        let files = [DEBIAN, TOOL, PASSWD, PROFILE, BOOK];
        assert_eq!(plan(&files, "byobu_by_default: user"), Plan::nothing());
        let missing = plan(&[DEBIAN, PROFILE, PASSWD, BOOK], "byobu_by_default: user");
        assert_eq!(missing.lines(), ["package byobu (apt)"]);
    }

    #[test]
    fn what_cannot_be_done_is_told_with_its_place() {
        let tools = [DEBIAN, TOOL];
        #[rustfmt::skip]
        let table = [
            ("byobu_by_default: sometimes",             "test:2:19: byobu_by_default: expected one of enable-system, enable-user, disable-system, disable-user, enable, disable, user, system"),
            ("byobu_by_default: [enable]",              "test:2:19: byobu_by_default: expected one of enable-system, enable-user, disable-system, disable-user, enable, disable, user, system"),
            ("byobu_by_default: disable-user\nusers: []", "test:2:19: byobu_by_default: there is no default user to do it for"),
        ];
        for (config, said) in table {
            let plan = plan(&tools, config);
            assert_eq!(plan.steps, [], "{config}");
            assert_eq!(plan.problems[0].to_string(), said);
        }
        assert_eq!(plan(&tools, "byobu_by_default: ''"), Plan::nothing());
    }
}
