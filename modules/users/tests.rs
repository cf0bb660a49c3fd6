//! Plans for documents as people write them.

use contract::effect::{BlockSpec, Effect, Password, Text};
use contract::plan::Plan;
use contract::testing::{FakeMachine, Setting};

use super::UsersGroups;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGvG me";
const PASSWD: &str = "root:x:0:0::/root:/bin/sh\neve:x:1000:1000::/home/eve:/bin/sh\n";
const SHADOW: &str = "root:*:1::::::\neve:!:1::::::\n";

/// A Debian whose sudo reads its directory, with the user eve.
fn setting() -> Setting {
    let machine = FakeMachine::with(&[
        ("/etc/os-release", "ID=debian\n"),
        ("/etc/passwd", PASSWD),
        ("/etc/shadow", SHADOW),
        ("/etc/sudoers", "@includedir /etc/sudoers.d\n"),
    ]);
    Setting {
        machine,
        ..Setting::default()
    }
}

fn plan(config: &str) -> Plan {
    setting().plan::<UsersGroups>(config)
}

fn said(plan: &Plan) -> Vec<String> {
    plan.problems.iter().map(ToString::to_string).collect()
}

/// What is added to a file, and how the file begins if it is made.
fn added(block: &BlockSpec) -> (&str, &str) {
    match &block.text {
        Text::Added { text, head } => (text, head),
        Text::All(_) | Text::Settings { .. } => panic!("all of {}", block.at.display()),
    }
}

/// The names of the users' steps, in order.
fn names(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.name.as_str()).collect()
}

#[test]
fn every_form_of_users_says_who_is_made_and_in_which_order() {
    #[rustfmt::skip]
    let table: &[(&str, &[&str])] = &[
        ("{}",                                                    &["debian"]),
        ("users: [default]",                                      &["debian"]),
        ("users: default",                                        &["debian"]),
        ("users: [default, web]",                                 &["web", "debian"]),
        ("users: 'web,default, app'",                             &["app", "web", "debian"]),
        ("users: [[b, default], a, 'd,c']",                       &["b", "a", "d", "c", "debian"]),
        ("users: {web: true, default: yes, app: false}",          &["web", "debian"]),
        ("users: {web: {gecos: W}, app: {}}",                     &["web", "app"]),
        ("users: []",                                             &[]),
        ("users: [{name: web}, {gecos: no name}]",                &["web", "debian"]),
        ("user: ada",                                             &["ada"]),
        ("{user: {name: ada}, users: [web]}",                     &["web", "ada"]),
        ("{user: {name: ada}, users: {web: true}}",               &["web", "ada"]),
        ("{user: '', users: [web]}",                              &["web"]),
        ("{users: [default, debian, web]}",                       &["web", "debian"]),
        ("system_info: {default_user: {name: admin}}",            &["admin"]),
        ("{groups: [crew], users: [web]}",                        &["group crew", "web"]),
    ];
    for (config, wanted) in table {
        assert_eq!(names(&plan(config)), *wanted, "{config}");
    }
}

#[test]
fn the_default_user_is_the_images_or_the_distributions() {
    #[rustfmt::skip]
    let table = [
        ("ID=debian\n",      "debian"),
        ("ID=\"amzn\"\n",    "ec2-user"),
        ("ID=ubuntu\n",      "ubuntu"),
        ("ID=alpine\n",      "alpine"),
        ("",                 "cloud-user"),
    ];
    for (release, name) in table {
        let machine = FakeMachine::with(&[("/etc/os-release", release)]);
        let setting = Setting {
            machine,
            ..Setting::default()
        };
        assert_eq!(names(&setting.plan::<UsersGroups>("{}")), [name]);
    }
}

#[test]
fn the_image_wins_over_what_the_list_says_of_its_default_user_and_their_groups_are_joined() {
    let image = "system_info: {default_user: {name: web, gecos: Web, groups: [sudo, adm], shell: /bin/bash}}";
    #[rustfmt::skip]
    let table = [
        // users                                                     gecos           groups           shell
        ("users: [default]",                                         Some("Web"),    "adm sudo",      "/bin/bash"),
        ("users: [default, {name: web, gecos: X, groups: [www]}]",   Some("Web"),    "adm sudo www",  "/bin/bash"),
        ("users: [{name: default, groups: [www], shell: /bin/sh}]",  Some("Web"),    "www",           "/bin/bash"),
        ("user: {gecos: Mine, groups: 'a, b', shell: /bin/zsh}",     Some("Mine"),   "a b",           "/bin/zsh"),
        ("user: {name: ada}",                                        Some("Web"),    "adm sudo",      "/bin/bash"),
    ];
    for (users, gecos, groups, shell) in table {
        let plan = plan(&format!("{image}\n{users}\n"));
        let found = plan.effects().find_map(|effect| match effect {
            Effect::User(user) => Some(user.clone()),
            _ => None,
        });
        let user = found.unwrap();
        let own: Vec<&str> = user
            .groups
            .iter()
            .map(contract::name::UserName::as_str)
            .collect();
        assert_eq!(user.gecos.as_deref(), gecos, "{users}");
        assert_eq!(own.join(" "), groups, "{users}");
        assert_eq!(user.shell.unwrap().to_str(), Some(shell), "{users}");
    }
}

#[test]
fn a_user_of_the_documentation_gets_what_it_says() {
    let config = format!(
        "users:\n  - name: foobar\n    gecos: Foo B. Bar\n    primary-group: foobar\n    \
         groups: users, wheel\n    selinux_user: staff_u\n    expiredate: 2032-09-01\n    \
         inactive: 5\n    uid: '1500'\n    ssh-authorized-keys:\n      - {KEY}\n    \
         lock-passwd: false\n    passwd: $6$salt$hash\n    sudo: ['ALL=(ALL) NOPASSWD:ALL', null]\n    \
         doas: [permit nopass foobar]\n"
    );
    let plan = plan(&config);
    assert_eq!(said(&plan), Vec::<String>::new());
    assert_eq!(
        plan.lines(),
        [
            "group users",
            "group wheel",
            "group foobar",
            "user foobar",
            "1 authorized key of foobar",
            "password of foobar",
            "doas rules of foobar in /etc/doas.conf",
            "directory /etc/sudoers.d (0750)",
            "sudo rules of foobar in /etc/sudoers.d/90-cloud-init-users",
        ]
    );
    let user = plan.effects().find_map(|effect| match effect {
        Effect::User(user) => Some(user.clone()),
        _ => None,
    });
    let user = user.unwrap();
    assert_eq!(user.uid, Some(1500));
    assert_eq!(user.expiredate.as_deref(), Some("2032-09-01"));
    assert_eq!(user.inactive.as_deref(), Some("5"));
    let texts: Vec<&str> = plan
        .effects()
        .filter_map(|effect| match effect {
            Effect::Block(block) => Some(added(block).0),
            _ => None,
        })
        .collect();
    assert_eq!(
        texts,
        [
            "\n# User rules for foobar\npermit nopass foobar\n",
            "\n# User rules for foobar\nfoobar ALL=(ALL) NOPASSWD:ALL\n",
        ]
    );
}

#[test]
fn a_password_is_set_locked_and_unlocked_as_with_cloud_init() {
    // eve is there already, without a password.
    #[rustfmt::skip]
    let table: &[(&str, &[&str])] = &[
        ("{name: web}",                                              &["locked"]),
        ("{name: web, lock_passwd: false}",                          &[]),
        ("{name: web, passwd: $6$a$b}",                              &["!$6$a$b"]),
        ("{name: web, passwd: $6$a$b, lock_passwd: false}",          &["$6$a$b"]),
        ("{name: web, hashed_passwd: '!x', lock_passwd: false}",     &["x"]),
        ("{name: web, passwd: a, hashed_passwd: b}",                 &["!b"]),
        ("{name: web, plain_text_passwd: hunter2}",                  &["plain hunter2", "locked"]),
        ("{name: web, plain_text_passwd: x, lock_passwd: false}",    &["plain x"]),
        ("{name: web, plain_text_passwd: x, hashed_passwd: y, lock_passwd: false}", &["y"]),
        ("{name: web, passwd: '', lock_passwd: false}",              &["unlocked"]),
        ("{name: web, hashed_passwd: null, lock_passwd: false}",     &["unlocked"]),
        ("{name: web, plain_text_passwd: 1234, lock_passwd: false}", &["plain 1234"]),
        ("{name: eve}",                                              &["locked"]),
        ("{name: eve, passwd: $6$a$b}",                              &["locked"]),
        ("{name: eve, lock_passwd: false}",                          &[]),
        ("{name: eve, hashed_passwd: z, lock_passwd: false}",        &["z"]),
        ("{name: root, lock_passwd: false}",                         &["unlocked"]),
    ];
    for (user, wanted) in table {
        let plan = plan(&format!("users: [{user}]"));
        let found: Vec<String> = plan
            .effects()
            .filter_map(|effect| match effect {
                Effect::Password(spec) => Some(match &spec.state {
                    Password::Hash(hash) => hash.expose().clone(),
                    Password::Plain(text) => format!("plain {}", text.expose()),
                    Password::Locked => "locked".to_owned(),
                    Password::Unlocked => "unlocked".to_owned(),
                    other => panic!("{}", other.name()),
                }),
                _ => None,
            })
            .collect();
        assert_eq!(found, *wanted, "{user}");
    }
}

#[test]
fn of_a_user_who_is_there_only_password_keys_and_rules_change() {
    let config = format!(
        "users: [{{name: eve, shell: /bin/zsh, groups: [sudo], uid: 7, ssh_authorized_keys: ['{KEY}'], sudo: ALL=(ALL) ALL}}]"
    );
    let plan = plan(&config);
    assert_eq!(
        plan.lines(),
        [
            "1 authorized key of eve",
            "locked password of eve",
            "directory /etc/sudoers.d (0750)",
            "sudo rules of eve in /etc/sudoers.d/90-cloud-init-users",
        ]
    );
}

#[test]
fn sudo_is_made_to_read_its_directory_where_it_does_not() {
    let machine = FakeMachine::with(&[("/usr/etc/sudoers", "root ALL=(ALL) ALL\n")]);
    let setting = Setting {
        machine,
        ..Setting::default()
    };
    let plan = setting.plan::<UsersGroups>("users: [{name: web, sudo: ALL=(ALL) ALL}]");
    let block = plan.effects().find_map(|effect| match effect {
        Effect::Block(block) if block.at.ends_with("sudoers") => Some(block.clone()),
        _ => None,
    });
    let block = block.unwrap();
    let (text, head) = added(&block);
    assert_eq!(head, "root ALL=(ALL) ALL\n");
    assert!(text.ends_with("\n#includedir /etc/sudoers.d\n"), "{text}");
}

#[test]
fn a_redirected_user_has_the_launchs_keys_and_is_told_the_default_users_name() {
    let mut setting = setting();
    setting.instance.public_keys = vec![KEY.parse().unwrap()];
    let config = "users: [default, {name: old, ssh_redirect_user: true}]";
    let plan = setting.plan::<UsersGroups>(config);
    let found = plan.effects().find_map(|effect| match effect {
        Effect::AuthorizedKeys(spec) => Some(spec.clone()),
        _ => None,
    });
    let spec = found.unwrap();
    assert_eq!((spec.user.as_str(), spec.keys.len()), ("old", 1));
    let options = spec.options.unwrap();
    let told = "login as the user \\\"debian\\\" rather than the user \\\"old\\\"";
    assert!(options.contains(told), "{options}");
}

#[test]
fn groups_are_made_in_every_form_and_members_who_are_there_are_added() {
    #[rustfmt::skip]
    let table: &[(&str, &[&str])] = &[
        ("groups: crew",                       &["group crew"]),
        ("groups: 'crew, www'",                &["group crew", "group www"]),
        ("groups: [crew, {www: [eve, root]}]", &["group crew", "group www", "user eve in group www", "user root in group www"]),
        ("groups: [{crew: eve}, {crew: root}]", &["group crew", "user eve in group crew", "user root in group crew"]),
        ("groups: {www: [], crew: 'eve,root'}", &["group crew", "user eve in group crew", "user root in group crew", "group www"]),
    ];
    for (groups, wanted) in table {
        let plan = plan(&format!("{groups}\nusers: []\n"));
        assert_eq!(plan.lines(), *wanted, "{groups}");
        assert_eq!(said(&plan), Vec::<String>::new(), "{groups}");
    }
    // Somebody who is made later is a mistake on any machine.
    for (users, is_of_machine) in [("nobody-yet", false), ("default", true)] {
        let plan = plan(&format!(
            "groups: {{crew: [nobody-yet]}}\nusers: [{users}]\n"
        ));
        let said = said(&plan);
        assert!(
            said[0].starts_with("test:1:17: groups: `crew`: this member is not there"),
            "{said:?}"
        );
        assert_eq!(plan.problems[0].is_of_machine, is_of_machine, "{users}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_costs_as_little_as_it_can() {
    #[rustfmt::skip]
    let table: &[(&str, &str, bool)] = &[
        // the user                                        says                                          made
        ("{name: 'a b'}",                                  "error: users: not a valid user name",        false),
        ("{name: [x]}",                                    "error: users: name: expected a string",      false),
        ("7",                                              "error: users: expected a name or a mapping", false),
        ("{name: web, uid: many}",                         "error: users: `web`: uid: expected an integer", false),
        ("{name: web, shell: [sh]}",                       "error: users: `web`: shell: expected a string, found a list", true),
        ("{name: web, shell: nologin}",                    "error: users: `web`: shell: expected an absolute path", false),
        ("{name: web, homedir: srv/web}",                  "error: users: `web`: homedir: expected an absolute path", false),
        ("{name: web, homedir: '/srv:web'}",               "error: users: `web`: homedir: expected an absolute path", false),
        ("{name: web, inactive: soon}",                    "error: users: `web`: inactive: expected a number of days", false),
        ("{name: web, gecos: 'Web: server'}",              "error: users: `web`: gecos: expected one line without a colon", true),
        ("{name: web, gecos: \"Web\\nserver\"}",           "error: users: `web`: gecos: expected one line without a colon", true),
        ("{name: web, groups: ['b c', adm]}",              "error: users: `web`: groups: a name in it",  true),
        ("{name: web, groups: {adm: null}}",               "notice: users: `web`: groups: a mapping is", true),
        ("{name: web, lock_passwd: 'no'}",                 "warning: users: `web`: lock_passwd: expected true or false, found a string, which counts as true", true),
        ("{name: web, hashed_passwd: [hunter2]}",          "error: users: `web`: hashed_passwd: expected a string, found a list", true),
        ("{name: web, plain_text_passwd: \"hunter2\\nx\"}", "error: users: `web`: plain_text_passwd: expected one line", true),
        ("{name: web, lock_passwd: false}",                "warning: users: `web`: lock_passwd: there is no password", true),
        ("{name: eve, passwd: hunter2}",                   "warning: users: `eve`: passwd: it is for users who are not there yet", true),
        ("{name: eve, lock_passwd: false}",                "warning: users: `eve`: lock_passwd: there is no password", true),
        ("{name: web, sudo: true}",                        "error: users: `web`: sudo: expected a rule", true),
        ("{name: web, sudo: false}",                       "notice: users: `web`: sudo: false is an old spelling", true),
        ("{name: web, doas: [permit eve]}",                "error: users: `web`: doas: expected rules",  true),
        ("{name: web, ssh_authorized_keys: [hunter2]}",    "error: users: `web`: ssh_authorized_keys: not a valid SSH public key", true),
        ("{name: web, ssh_authorized_keys: 7}",            "error: users: `web`: ssh_authorized_keys: expected a string, or a list", true),
        ("{name: web, system: true, ssh_import_id: [gh:x]}", "error: users: `web`: `ssh_import_id` needs a home directory, and `system` makes none", false),
        ("{name: web, ssh_redirect_user: true, ssh_authorized_keys: [x]}", "error: users: `web`: `ssh_redirect_user` cannot be together", false),
        ("{name: web, ssh_redirect_user: perhaps}",        "error: users: `web`: ssh_redirect_user: expected true", false),
        ("{name: web, ssh_redirect_user: true}",           "warning: users: `web`: ssh_redirect_user: the launch has no key", true),
        ("{name: web, snapuser: me@example.com}",          "warning: users: `web`: snapuser: snapd", true),
        ("{snapuser: me@example.com}",                     "warning: users: `debian`: snapuser: snapd", false),
    ];
    for (user, says, is_made) in table {
        let config = format!("users:\n  - {user}\n  - default\n");
        let plan = plan(&config);
        let problem = plan
            .problems
            .first()
            .unwrap_or_else(|| panic!("{user}: nothing is said"));
        let text = format!("{}: {}", problem.severity, problem.message);
        assert!(text.starts_with(says), "{user}: {text}");
        assert!(
            !format!("{:?}{plan:?}", said(&plan)).contains("hunter2"),
            "{user}"
        );
        let place = problem.place.as_ref().unwrap();
        assert_eq!(place.line, 2, "{user}");
        let names = names(&plan);
        assert_eq!(
            names.contains(&"web") || names.contains(&"eve"),
            *is_made,
            "{user}"
        );
        assert_eq!(names.last(), Some(&"debian"), "{user}: the others go on");
    }
}

#[test]
fn what_is_wrong_with_the_whole_does_not_cost_the_default_user() {
    #[rustfmt::skip]
    let table = [
        ("system_info: 7",                        "test:1:14: system_info: expected a mapping, found an integer"),
        ("system_info: {default_user: [web]}",    "test:1:29: system_info.default_user: expected a mapping, found a list"),
        ("system_info: {default_user: {name: -}}", "test:1:36: the default user's name: not a valid user name"),
        ("user: [ada]",                           "test:1:7: user: expected a string or a mapping, found a list"),
        ("groups: 7",                             "test:1:9: groups: expected a list of groups, found an integer"),
        ("groups: ['a b']",                       "test:1:10: groups: not a valid group name"),
        ("groups: [{crew: {a: b}}]",              "test:1:17: groups: expected a member, or a list of members, found a mapping"),
    ];
    for (config, says) in table {
        let plan = plan(config);
        let said = said(&plan);
        assert!(said[0].starts_with(says), "{config}: {said:?}");
        assert_eq!(names(&plan).last(), Some(&"debian"), "{config}");
    }
}

#[test]
fn a_list_without_default_drops_the_launch_key_and_says_so() {
    let mut setting = setting();
    let config = "users:\n  - name: web\n";
    assert!(setting.plan::<UsersGroups>(config).problems.is_empty());
    setting.instance.public_keys = vec![KEY.parse().unwrap()];
    let said = said(&setting.plan::<UsersGroups>(config));
    assert!(
        said[0].starts_with(
            "test:2:3: users: `default` is not in the list, so nobody gets the launch key"
        ),
        "{said:?}"
    );
}

#[test]
fn an_image_that_describes_no_default_user_has_its_distributions() {
    let rule = " ALL=(ALL) NOPASSWD:ALL\n";
    #[rustfmt::skip]
    let table = [
        // ID            configuration                                   user          one of the groups   sudo
        ("debian",       "{}",                                           "debian",     Some("plugdev"),    true),
        ("ubuntu",       "users: [default]",                             "ubuntu",     Some("lxd"),        true),
        ("amzn",         "{}",                                           "ec2-user",   Some("wheel"),      true),
        ("alpine",       "user: {name: ada}",                            "ada",        Some("wheel"),      true),
        ("debian",       "system_info: {default_user: {name: web}}",     "web",        None,               false),
        ("unheard-of",   "{}",                                           "cloud-user", None,               false),
    ];
    for (id, config, name, group, sudo) in table {
        let machine = FakeMachine::with(&[("/etc/os-release", format!("ID={id}\n").as_str())]);
        let setting = Setting {
            machine,
            ..Setting::default()
        };
        let plan = setting.plan::<UsersGroups>(config);
        let user = plan.effects().find_map(|effect| match effect {
            Effect::User(spec) => Some(spec),
            _ => None,
        });
        let user = user.unwrap();
        assert_eq!(user.name.as_str(), name, "{id}: {config}");
        let has = |group: &str| user.groups.iter().any(|own| own.as_str() == group);
        assert!(group.is_none_or(has), "{id}: {config}");
        assert_eq!(user.groups.is_empty(), group.is_none(), "{id}: {config}");
        let rules = plan.effects().any(|effect| match effect {
            Effect::Block(block) => added(block).0.contains(&format!("{name}{rule}")),
            _ => false,
        });
        assert_eq!(rules, sudo, "{id}: {config}");
    }
}
