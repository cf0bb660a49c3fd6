//! Public keys that people show to the world, for the users who name them.
//!
//! Source: cloud-init, `cloudinit/config/cc_ssh_import_id.py`.

use contract::effect::{Effect, ImportKeysSpec};
use contract::keys::KeysId;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::name::UserName;
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::Value;
use serde::Deserialize;

use crate::accounts::{Wishes, keys};

const KEYS: &[Key] = &[
    Key::new(
        "ssh_import_id",
        Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]),
        "whose public keys may log in as the default user: `gh:NAME` of GitHub, `lp:NAME` of Launchpad",
    ),
    keys::USERS,
    keys::OLD_USER,
    keys::SYSTEM_INFO,
];

/// Fetches the keys.
pub(crate) struct SshImportId;

/// Whose keys, and for whom.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    ssh_import_id: Option<Value>,
    users: Option<Value>,
    user: Option<Value>,
    system_info: Option<Value>,
}

impl Module for SshImportId {
    const FACTS: Facts = Facts {
        name: "ssh_import_id",
        summary: "authorize the keys that people show on GitHub and Launchpad",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/ssh_import_id.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let wishes = Wishes {
            users: want.users.as_ref(),
            user: want.user.as_ref(),
            system_info: want.system_info.as_ref(),
        };
        // What is wrong with them is told by users_groups.
        let accounts = wishes.accounts(ctx.probe);
        let mut plan = Plan::nothing();
        for account in &accounts.list {
            // Whoever has no good name was not made.
            let Ok(user) = account.name.parse::<UserName>() else {
                continue;
            };
            let is_default = accounts.default.as_ref() == Some(&user);
            let ids = if is_default {
                want.ssh_import_id.as_ref()
            } else {
                account.keys.get("ssh_import_id")
            };
            if let Some(ids) = ids {
                import(&user, ids, &mut plan);
            }
        }
        plan
    }
}

/// One step for each id: what cannot be had costs itself alone.
fn import(user: &UserName, given: &Value, plan: &mut Plan) {
    let one = std::slice::from_ref(given);
    let mut seen: Vec<KeysId> = Vec::new();
    for entry in given.as_list().unwrap_or(one) {
        let Some(text) = entry.as_str() else {
            if !entry.is_null() {
                let found = entry.kind.name();
                let message = format!("ssh_import_id: expected a string, found {found}");
                let place = Some(entry.place.clone());
                plan.problems.push(Problem::error(place, message));
            }
            continue;
        };
        let words = text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty());
        for word in words {
            match word.parse::<KeysId>() {
                Ok(id) if seen.contains(&id) => {}
                Ok(id) => {
                    let user = user.clone();
                    let spec = ImportKeysSpec {
                        user,
                        id: id.clone(),
                    };
                    let name = format!("{id} for {}", spec.user);
                    plan.push(Step::new(name, [Effect::ImportKeys(spec)]));
                    seen.push(id);
                }
                Err(bad) => {
                    let message = format!("ssh_import_id: {bad}");
                    let place = Some(entry.place.clone());
                    plan.problems.push(Problem::error(place, message));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::Setting;

    use super::*;

    fn plan(config: &str) -> Plan {
        Setting::default().plan::<SshImportId>(config)
    }

    #[test]
    fn each_id_is_a_step_of_its_own() {
        #[rustfmt::skip]
        let table: [(&str, &[&str]); 7] = [
            ("ssh_import_id: [gh:ada, lp:ada, bob]",
             &["keys of gh:ada for cloud-user", "keys of lp:ada for cloud-user", "keys of lp:bob for cloud-user"]),
            ("ssh_import_id: gh:ada",          &["keys of gh:ada for cloud-user"]),
            ("ssh_import_id: 'gh:a, gh:b'",    &["keys of gh:a for cloud-user", "keys of gh:b for cloud-user"]),
            ("ssh_import_id: [bob, lp:bob]",   &["keys of lp:bob for cloud-user"]),
            ("{ssh_import_id: [gh:ada], users: [{name: web, ssh-import-id: [gh:eve]}, default]}",
             &["keys of gh:eve for web", "keys of gh:ada for cloud-user"]),
            ("{ssh_import_id: [gh:ada], users: [{name: web}]}", &[]),
            ("ssh_import_id: null",            &[]),
        ];
        for (config, lines) in table {
            let plan = plan(config);
            assert_eq!(plan.lines(), lines, "{config}");
            assert!(plan.problems.is_empty(), "{config}: {plan:?}");
        }
    }

    #[test]
    fn a_bad_id_costs_itself_alone_and_is_told_with_its_place() {
        let plan = plan("ssh_import_id:\n  - gl:ada\n  - [gh:ada]\n  - gh:ada\n");
        assert_eq!(plan.lines(), ["keys of gh:ada for cloud-user"]);
        let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "test:2:5: ssh_import_id: not a valid id of keys: `gh:NAME` for GitHub, `lp:NAME` or `NAME` for Launchpad",
                "test:3:5: ssh_import_id: expected a string, found a list",
            ]
        );
    }
}
