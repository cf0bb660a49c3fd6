//! ssh: the keys of this machine, and who may log in with the launch keys and those of the user data.
//!
//! Source: cloud-init, `cloudinit/config/cc_ssh.py` and `cloudinit/ssh_util.py`.

use contract::effect::{AuthorizedKeysSpec, Effect};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::name::{AuthorizedKey, BadName, UserName};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::Value;
use serde::Deserialize;

use crate::accounts::{Wishes, keys};
use crate::host_keys::NOBODY;
use crate::switch::is_on;
use crate::{given_keys, host_keys};

const KEYS: &[Key] = &[
    Key::new(
        "ssh_authorized_keys",
        Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]),
        "public keys that may log in as the default user",
    ),
    Key::new(
        "disable_root",
        Shape::Switch,
        "let root's keys do nothing but name the user to log in as",
    )
    .or("true"),
    Key::new(
        "disable_root_opts",
        Shape::Scalar,
        "the options of root's keys then; `$USER` is the user to log in as",
    ),
    Key::new(
        "allow_public_ssh_keys",
        Shape::Switch,
        "whether the launch's keys may log in",
    )
    .or("true"),
    keys::USERS,
    keys::OLD_USER,
    host_keys::DELETE,
    host_keys::GENKEYTYPES,
    given_keys::GIVEN,
    host_keys::QUIET,
    host_keys::PUBLISH,
];

/// Makes the host keys and authorizes those of users.
pub(crate) struct Ssh;

/// The keys about ssh.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    ssh_authorized_keys: Option<Value>,
    disable_root: Option<Value>,
    disable_root_opts: Option<Value>,
    allow_public_ssh_keys: Option<Value>,
    users: Option<Value>,
    user: Option<Value>,
    ssh_deletekeys: Option<Value>,
    ssh_genkeytypes: Option<Value>,
    ssh_keys: Option<Value>,
    ssh_quiet_keygen: Option<Value>,
    ssh_publish_hostkeys: Option<Value>,
}

/// `system_info`; what is wrong with it is told by users_groups.
#[derive(Debug, Default, Deserialize)]
struct Image {
    system_info: Option<Value>,
}

impl Module for Ssh {
    const FACTS: Facts = Facts {
        name: "ssh",
        summary: "give the machine host keys of its own, and authorize the keys of its users",
        stage: Stage::Identity,
        frequency: Frequency::Instance,
        wake: Wake::Always,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/ssh.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let host = host_keys::Wanted {
            types: want.ssh_genkeytypes,
            given: want.ssh_keys,
            quiet: want.ssh_quiet_keygen,
            delete: want.ssh_deletekeys,
            publish: want.ssh_publish_hostkeys,
        };
        let mut plan = host_keys::plan(&host, ctx);
        let problems = &mut plan.problems;
        let allowed = want.allow_public_ssh_keys.as_ref();
        let launch = if is_on("allow_public_ssh_keys", allowed, problems) {
            ctx.instance.public_keys.as_slice()
        } else {
            &[]
        };
        let given = authorized_keys(want.ssh_authorized_keys.as_ref(), problems);
        let mut keys: Vec<AuthorizedKey> = Vec::new();
        for key in launch.iter().chain(&given) {
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        let disable_root = is_on("disable_root", want.disable_root.as_ref(), problems);
        if keys.is_empty() && ctx.instance.platform == NOBODY {
            return plan;
        }
        let image: Image = ctx.config.section(&["system_info"]).unwrap_or_default();
        let wishes = Wishes {
            users: want.users.as_ref(),
            user: want.user.as_ref(),
            system_info: image.system_info.as_ref(),
        };
        let user = wishes.accounts(ctx.probe).default;
        if let Some(user) = &user {
            plan.push(authorize(user, &keys, None));
        }
        let Ok(root) = "root".parse() else {
            return plan;
        };
        let name = user.as_ref().map_or("NONE", UserName::as_str);
        let options = disable_root.then(|| {
            let options = root_options(want.disable_root_opts.as_ref(), &mut plan.problems);
            told(&options, name, "root")
        });
        plan.push(authorize(&root, &keys, options));
        plan
    }
}

/// The good keys of `ssh_authorized_keys`, a list or one line.
fn authorized_keys(given: Option<&Value>, told: &mut Vec<Problem>) -> Vec<AuthorizedKey> {
    let Some(given) = given else {
        return Vec::new();
    };
    let one = std::slice::from_ref(given);
    let mut keys = Vec::new();
    for entry in given.as_list().unwrap_or(one) {
        // As in the file itself.
        let is_note = |text: &str| text.trim().is_empty() || text.trim_start().starts_with('#');
        if entry.as_str().is_some_and(is_note) {
            continue;
        }
        let key = match entry.as_str().map(str::parse) {
            Some(Ok(key)) => Ok(key),
            Some(Err(BadName { kind, rule })) => Err(format!("not a valid {kind}: {rule}")),
            None => Err(format!("expected a key, found {}", entry.kind.name())),
        };
        match key {
            Ok(key) => keys.push(key),
            Err(what) => {
                let message = format!("ssh_authorized_keys: {what}");
                told.push(Problem::error(Some(entry.place.clone()), message));
            }
        }
    }
    keys
}

/// What stands before root's keys, which without it would let root in.
fn root_options(given: Option<&Value>, problems: &mut Vec<Problem>) -> String {
    let Some(given) = given.filter(|given| !given.is_null()) else {
        return default_options();
    };
    match given.to_text() {
        Some(text) if !text.contains(char::is_control) => text,
        _ => {
            let message = "disable_root_opts: expected options of one line (sshd(8), AUTHORIZED_KEYS FILE FORMAT)";
            let problem = Problem::error(Some(given.place.clone()), message);
            problems.push(problem.hint("the default is taken"));
            default_options()
        }
    }
}

fn authorize(user: &UserName, keys: &[AuthorizedKey], options: Option<String>) -> Step {
    let spec = AuthorizedKeysSpec {
        user: user.clone(),
        keys: keys.to_vec(),
        options,
    };
    Step::new(user.as_str(), [Effect::AuthorizedKeys(spec)])
}

/// The options of a key with which a login as `user` is only told to log in as `default`.
pub(crate) fn redirect(default: &str, user: &str) -> String {
    told(&default_options(), default, user)
}

fn told(options: &str, default: &str, user: &str) -> String {
    options
        .replace("$USER", default)
        .replace("$DISABLE_USER", user)
}

/// Such a login is told whom to log in as, and ended.
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
    fn a_login_as_root_is_told_whom_to_log_in_as_in_cloud_inits_words() {
        let forced = |whom: &str| {
            format!(
                r#"no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command="echo 'Please login as the user \"{whom}\" rather than the user \"root\".';echo;sleep 10;exit 142""#
            )
        };
        #[rustfmt::skip]
        let table = [
            // configuration                                          root's options
            ("system_info: {default_user: {name: web}}",              Some(forced("web"))),
            ("users: []",                                             Some(forced("NONE"))),
            ("disable_root: false",                                   None),
            ("{disable_root_opts: 'no-pty,command=\"$USER $DISABLE_USER\"', users: []}",
                                                                      Some("no-pty,command=\"NONE root\"".to_owned())),
        ];
        for (config, options) in table {
            let plan = Setting::default().plan::<Ssh>(config);
            assert_eq!(keys_of(&plan, "root").unwrap().options, options, "{config}");
        }
    }

    #[test]
    fn a_key_that_is_given_twice_is_there_once() {
        let mut setting = Setting::default();
        setting.instance.public_keys = vec![KEY.parse().unwrap()];
        let plan = setting.plan::<Ssh>(&format!(
            "ssh_authorized_keys: ['{KEY}', '  {KEY} ', '{KEY} two']"
        ));
        let keys = keys_of(&plan, "cloud-user").unwrap().keys;
        let lines: Vec<String> = keys.into_iter().map(String::from).collect();
        assert_eq!(lines, [KEY.to_owned(), format!("{KEY} two")]);
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

    #[test]
    fn no_slip_in_the_configuration_costs_the_launch_key() {
        let mut setting = Setting::default();
        setting.instance.public_keys = vec![KEY.parse().unwrap()];
        #[rustfmt::skip]
        let table = [
            // configuration                                problem
            ("ssh_authorized_keys: {a: b}",                 Some("ssh_authorized_keys: expected a key")),
            ("disable_root: [1]",                           Some("disable_root: expected true or false")),
            ("allow_public_ssh_keys: perhaps",              Some("allow_public_ssh_keys: expected true")),
            ("system_info: 7",                              None), // told by users_groups
            ("disable_root: 'false'",                       None),
            ("disable_root_opts: [no-pty]",                 Some("disable_root_opts: expected options of one line")),
            ("disable_root_opts: \"no-pty\\nssh-rsa\"",       Some("disable_root_opts: expected options of one line")),
            ("disable_root_opts: null",                     None),
            ("users: null",                                 None),
        ];
        for (config, says) in table {
            let plan = setting.plan::<Ssh>(config);
            assert!(keys_of(&plan, "cloud-user").is_some(), "{config}");
            let said = plan.problems.first().map(ToString::to_string);
            match (says, said) {
                (None, None) => {}
                (Some(says), Some(said)) => {
                    assert!(said.starts_with("test:1:") && said.contains(says), "{said}");
                }
                (_, said) => panic!("{config}: {said:?}"),
            }
        }
        let plan = setting.plan::<Ssh>("disable_root: 'false'");
        assert_eq!(keys_of(&plan, "root").unwrap().options, None);
        let plan = setting.plan::<Ssh>("allow_public_ssh_keys: 'no'");
        // As with cloud-init, who has no keys has an empty file.
        assert_eq!(keys_of(&plan, "cloud-user").unwrap().keys, []);
        assert_eq!(keys_of(&plan, "root").unwrap().keys, []);
    }
}
