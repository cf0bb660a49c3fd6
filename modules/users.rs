//! Groups and users, made by the system's own tools where they are not there.
//!
//! Source: cloud-init, `cloudinit/config/cc_users_groups.py`.

use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem};
use contract::yaml::Value;
use serde::Deserialize;

use crate::accounts::{Wishes, keys};

mod account;
mod fields;
mod groups;
mod rules;
#[cfg(test)]
mod tests;

/// Makes groups and users.
pub(crate) struct UsersGroups;

/// The keys about them.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    users: Option<Value>,
    user: Option<Value>,
    groups: Option<Value>,
    system_info: Option<Value>,
}

impl Module for UsersGroups {
    const FACTS: Facts = Facts {
        name: "users_groups",
        summary: "make groups and users, the image's own user among them",
        stage: Stage::Identity,
        frequency: Frequency::Instance,
        wake: Wake::Always,
        keys: &[keys::USERS, keys::OLD_USER, keys::GROUPS, keys::SYSTEM_INFO],
    };
    const NOTES: &'static str = include_str!("notes/users.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let wishes = Wishes {
            users: want.users.as_ref(),
            user: want.user.as_ref(),
            system_info: want.system_info.as_ref(),
        };
        let accounts = wishes.accounts(ctx.probe);
        let mut plan = match &want.groups {
            Some(groups) => groups::plan(groups, &accounts, ctx.probe),
            None => Plan::nothing(),
        };
        plan.problems.extend(accounts.problems);
        for account in &accounts.list {
            let (step, problems) = account::plan(account, accounts.default.as_ref(), ctx);
            plan.problems.extend(problems);
            plan.steps.extend(step);
        }
        if accounts.default.is_none() && !ctx.instance.public_keys.is_empty() {
            let place = want.users.map(|users| users.place);
            let message = "users: `default` is not in the list, so nobody gets the launch key";
            let problem = Problem::warning(place, message);
            plan.problems
                .push(problem.hint("add `- default` as the first entry"));
        }
        plan
    }
}
