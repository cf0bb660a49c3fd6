//! Accounts: the default user, made by the system's own tools if the image has it not.

use std::path::{Path, PathBuf};

use contract::effect::{Content, Effect, FileSpec, GroupSpec, Mode, Owner, UserSpec};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::name::UserName;
use contract::plan::{Plan, Problem, Step};
use contract::yaml::{Kind, Value};
use serde::Deserialize;

use crate::default_user::{self, DefaultUser, SystemInfo};

/// Where sudo rules go. Source: cloud-init, `cloudinit/distros/__init__.py` (`ci_sudoers_fn`).
const SUDOERS: &str = "/etc/sudoers.d/90-cloud-init-users";

/// Makes the default user.
pub(crate) struct UsersGroups;

/// `users` and `system_info`.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    users: Option<Value>,
    system_info: Option<SystemInfo>,
}

impl Module for UsersGroups {
    const FACTS: Facts = Facts {
        name: "users_groups",
        summary: "make the default user, if the image has it not",
        stage: Stage::Identity,
        frequency: Frequency::Instance,
        wake: Wake::Always,
        keys: &[default_user::USERS, default_user::SYSTEM_INFO],
    };
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let wants_default = default_is_wanted(want.users.as_ref(), &mut plan.problems);
        let Some(name) = default_user::name(want.system_info.as_ref(), ctx.probe) else {
            return plan;
        };
        if wants_default {
            let details = want
                .system_info
                .and_then(|info| info.default_user)
                .unwrap_or_default();
            plan.push(step(&name, &details, ctx));
        }
        plan
    }
}

/// Whether the default user is wanted: it is, unless `users` is given and leaves it out.
fn default_is_wanted(users: Option<&Value>, problems: &mut Vec<Problem>) -> bool {
    let Some(users) = users else { return true };
    let one = std::slice::from_ref(users);
    let mut found = false;
    for entry in users.as_list().unwrap_or(one) {
        if matches!(&entry.kind, Kind::String(word) if word == "default") {
            found = true;
        } else {
            let message =
                "users: this version makes the default user only, and leaves this one out";
            problems.push(Problem::error(Some(entry.place.clone()), message));
        }
    }
    if !found {
        let message = "users: `default` is not in the list, so nobody gets the launch key";
        let problem = Problem::warning(Some(users.place.clone()), message);
        problems.push(problem.hint("add `- default` as the first entry"));
    }
    found
}

fn step(name: &UserName, details: &DefaultUser, ctx: &Context<'_>) -> Step {
    let groups: Vec<UserName> = details
        .groups
        .as_ref()
        .map(default_user::words)
        .unwrap_or_default()
        .iter()
        .filter_map(|group| group.parse().ok())
        .collect();
    let mut effects: Vec<Effect> = groups
        .iter()
        .map(|group| {
            Effect::Group(GroupSpec {
                name: group.clone(),
                system: false,
            })
        })
        .collect();
    let mut user = UserSpec::new(name.clone());
    user.gecos.clone_from(&details.gecos);
    user.groups = groups;
    user.shell = details.shell.as_ref().map(PathBuf::from);
    user.lock_passwd = details.lock_passwd.unwrap_or(true);
    effects.push(Effect::User(user));
    if let Some(rules) = details.sudo.as_ref() {
        effects.extend(sudoers(name, rules, ctx));
    }
    Step::new(name.as_str(), effects)
}

fn sudoers(name: &UserName, rules: &Value, ctx: &Context<'_>) -> Option<Effect> {
    let rules = match (rules.as_str(), rules.as_list()) {
        (Some(rule), _) => vec![rule.to_owned()],
        (None, Some(list)) => list
            .iter()
            .filter_map(|rule| rule.as_str().map(str::to_owned))
            .collect(),
        (None, None) => return None,
    };
    let old = ctx
        .probe
        .read(Path::new(SUDOERS))
        .ok()
        .flatten()
        .unwrap_or_default();
    let mut text = String::from_utf8_lossy(&old).into_owned();
    let known: Vec<String> = text.lines().map(str::to_owned).collect();
    for rule in rules {
        let line = format!("{name} {rule}");
        if !known.contains(&line) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    Some(Effect::File(FileSpec {
        at: SUDOERS.into(),
        content: Content::Plain(text.into_bytes()),
        mode: Mode::new(0o440),
        owner: Owner::Root,
    }))
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    #[test]
    fn the_default_user_is_the_images_or_the_distributions() {
        #[rustfmt::skip]
        let table = [
            // configuration                                    os-release          user
            ("system_info: {default_user: {name: web}}",        "ID=debian\n",      "user web"),
            ("{}",                                              "ID=\"amzn\"\n",    "user ec2-user"),
            ("users: [default]",                                "ID=ubuntu\n",      "user ubuntu"),
        ];
        for (config, release, line) in table {
            let machine = FakeMachine::with(&[("/etc/os-release", release)]);
            let plan = Setting {
                machine,
                ..Setting::default()
            }
            .plan::<UsersGroups>(config);
            assert_eq!(plan.lines(), [line], "{config}");
        }
    }

    #[test]
    fn a_list_without_default_makes_nobody_and_says_so() {
        let plan = Setting::default().plan::<UsersGroups>("users:\n  - name: eve\n");
        assert!(plan.steps.is_empty());
        let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
        assert!(
            said[0].starts_with("test:2:5: users: this version"),
            "{said:?}"
        );
        assert!(said[1].contains("launch key"), "{said:?}");
    }

    #[test]
    fn a_sudo_rule_is_added_to_those_that_are_there() {
        let machine = FakeMachine::with(&[(SUDOERS, "eve ALL=(ALL) ALL\n")]);
        let config = "system_info: {default_user: {name: web, groups: [adm, sudo], sudo: 'ALL=(ALL) NOPASSWD:ALL'}}";
        let plan = Setting {
            machine,
            ..Setting::default()
        }
        .plan::<UsersGroups>(config);
        assert_eq!(
            plan.text_of(SUDOERS).unwrap(),
            "eve ALL=(ALL) ALL\nweb ALL=(ALL) NOPASSWD:ALL\n"
        );
        assert_eq!(plan.lines()[..3], ["group adm", "group sudo", "user web"]);
    }
}
