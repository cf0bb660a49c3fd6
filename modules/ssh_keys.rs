//! Who may log in: the launch keys and the keys of the user data.
//!
//! Source: cloud-init, `cloudinit/config/cc_ssh.py` and `cloudinit/ssh_util.py`.

use contract::effect::{AuthorizedKeysSpec, Effect};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::name::{AuthorizedKey, UserName};
use contract::plan::{Plan, Problem, Step};
use contract::yaml::{Each, Value};
use serde::Deserialize;

use crate::default_user::{self, SystemInfo};

/// Authorizes the keys.
pub(crate) struct Ssh;

/// The keys about logging in.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    ssh_authorized_keys: Option<Each<String>>,
    disable_root: Option<bool>,
    disable_root_opts: Option<String>,
    allow_public_ssh_keys: Option<bool>,
    system_info: Option<SystemInfo>,
    users: Option<Value>,
}

impl Module for Ssh {
    const FACTS: Facts = Facts {
        name: "ssh",
        summary: "authorize the launch keys and those of the user data",
        stage: Stage::Identity,
        frequency: Frequency::Instance,
        wake: Wake::Always,
        keys: &[
            "ssh_authorized_keys",
            "disable_root",
            "disable_root_opts",
            "allow_public_ssh_keys",
            "system_info",
            "users",
        ],
    };
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let mut keys = Vec::new();
        if want.allow_public_ssh_keys.unwrap_or(true) {
            keys.extend(ctx.instance.public_keys.iter().cloned());
        }
        for (place, entry) in want
            .ssh_authorized_keys
            .iter()
            .flat_map(Each::iter_with_places)
        {
            let key = entry.map_err(Problem::from).and_then(|line| {
                line.parse::<AuthorizedKey>().map_err(|error| {
                    Problem::error(Some(place.clone()), format!("ssh_authorized_keys: {error}"))
                })
            });
            match key {
                Ok(key) => keys.push(key),
                Err(problem) => plan.problems.push(problem),
            }
        }
        if keys.is_empty() {
            return plan;
        }
        let user = default_user::name(want.system_info.as_ref(), ctx.probe);
        let user = user.filter(|_| has_default(want.users.as_ref()));
        if let Some(user) = &user {
            plan.push(authorize(user, &keys, None));
        }
        let Ok(root) = "root".parse() else {
            return plan;
        };
        let name = user.as_ref().map_or("NONE", UserName::as_str);
        let options = want.disable_root.unwrap_or(true).then(|| {
            let options = want.disable_root_opts.unwrap_or_else(default_options);
            options
                .replace("$USER", name)
                .replace("$DISABLE_USER", "root")
        });
        plan.push(authorize(&root, &keys, options));
        plan
    }
}

fn has_default(users: Option<&Value>) -> bool {
    let Some(users) = users else { return true };
    let is_default = |entry: &Value| entry.as_str() == Some("default");
    is_default(users)
        || users
            .as_list()
            .is_some_and(|list| list.iter().any(is_default))
}

fn authorize(user: &UserName, keys: &[AuthorizedKey], options: Option<String>) -> Step {
    let spec = AuthorizedKeysSpec {
        user: user.clone(),
        keys: keys.to_vec(),
        options,
    };
    Step::new(user.as_str(), [Effect::AuthorizedKeys(spec)])
}

/// A login as root is told whom to log in as, and ended.
fn default_options() -> String {
    let told =
        "echo 'Please login as the user \\\"$USER\\\" rather than the user \\\"$DISABLE_USER\\\".'";
    format!(
        "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command=\"{told};echo;sleep 10;exit 142\""
    )
}

#[cfg(test)]
mod tests {
    use contract::testing::Setting;

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGvG me";

    fn keys_of(plan: &Plan, who: &str) -> Option<AuthorizedKeysSpec> {
        plan.effects().find_map(|effect| match effect {
            Effect::AuthorizedKeys(spec) if spec.user.as_str() == who => Some(spec.clone()),
            _ => None,
        })
    }

    #[test]
    fn the_launch_key_opens_the_default_user_and_tells_root_so() {
        let mut setting = Setting::default();
        setting.instance.public_keys = vec![KEY.parse().unwrap()];
        let plan = setting.plan::<Ssh>("system_info: {default_user: {name: web}}");
        assert_eq!(keys_of(&plan, "web").unwrap().options, None);
        let options = keys_of(&plan, "root").unwrap().options.unwrap();
        assert!(
            options.contains("login as the user \\\"web\\\" rather than the user \\\"root\\\""),
            "{options}"
        );
        let plan = setting.plan::<Ssh>("disable_root: false");
        assert_eq!(keys_of(&plan, "root").unwrap().options, None);
    }

    #[test]
    fn a_bad_key_is_told_with_its_place_and_the_others_go_on() {
        let config = format!("ssh_authorized_keys:\n  - nonsense\n  - {KEY}\n  - [1]\n");
        let plan = Setting::default().plan::<Ssh>(&config);
        assert_eq!(keys_of(&plan, "cloud-user").unwrap().keys.len(), 1);
        let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
        assert!(
            said[0].starts_with("test:2:5: ssh_authorized_keys: not a valid SSH public key"),
            "{said:?}"
        );
        assert!(said[1].starts_with("test:4:5: "), "{said:?}");
    }
}
