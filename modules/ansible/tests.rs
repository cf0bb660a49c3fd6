use contract::effect::{CommandSpec, Program};
use contract::testing::{FakeMachine, Setting as World};

use super::*;

const DEBIAN: (&str, &str) = ("/etc/os-release", "ID=debian\n");
const ANSIBLE: (&str, &str) = ("/usr/bin/ansible", "");
const PIP: (&str, &str) = ("/usr/bin/pip3", "");
const USERS: (&str, &str) = ("/etc/passwd", "ada:x:1000:1000::/home/ada:/bin/bash\n");

/// Paths with what is in them.
type Files<'a> = &'a [(&'a str, &'a str)];

fn plan(files: Files<'_>, config: &str) -> Plan {
    let mut all = vec![DEBIAN, USERS];
    all.extend(files);
    World {
        machine: FakeMachine::with(&all),
        ..World::default()
    }
    .plan::<Ansible>(config)
}

/// What is run, with the environment that is its own.
fn commands(plan: &Plan) -> Vec<String> {
    let all = plan.effects().filter_map(|effect| match effect {
        Effect::Run(CommandSpec {
            program: Program::Argv(argv),
            env,
            ..
        }) => {
            let env = env.iter().map(|(name, value)| format!("{name}={value}"));
            let words: Vec<String> = env.chain(argv.iter().cloned()).collect();
            Some(words.join(" "))
        }
        _ => None,
    });
    all.collect()
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.name.as_str()).collect()
}

const PULL: &str = "
ansible:
  install_method: distro
  package_name: ansible-core
  ansible_config: /etc/my.cfg
  galaxy:
    actions:
      - [ansible-galaxy, collection, install, community.grafana]
  pull:
    url: https://github.com/holmanb/vmboot.git
    playbook_name: ubuntu.yml
    accept_host_key: true
    full: false
    timeout: 60
    tags: web,db
";

#[test]
fn ansible_is_installed_and_pulls_a_playbook() {
    let plan = plan(&[], PULL);
    assert_eq!(
        plan.lines(),
        [
            "package ansible-core (apt)",
            "run ansible-galaxy",
            "run ansible-pull",
        ]
    );
    assert_eq!(
        commands(&plan),
        [
            "HOME=/root ANSIBLE_CONFIG=/etc/my.cfg ansible-galaxy collection install community.grafana",
            "HOME=/root ANSIBLE_CONFIG=/etc/my.cfg ansible-pull --accept-host-key --tags=web,db --timeout=60 --url=https://github.com/holmanb/vmboot.git ubuntu.yml",
        ]
    );
    assert_eq!(names(&plan), ["install", "galaxy-1", "pull-1"]);
    assert!(plan.steps.iter().all(|step| step.needs_previous));
    assert_eq!(plan.problems, []);
}

#[test]
fn a_user_runs_it_in_a_login_and_every_word_stays_a_word() {
    let config = format!("{PULL}    inventory: \"a b'c\"\n  run_user: ada\n");
    assert_eq!(
        commands(&plan(&[], &config)),
        [
            r#"su - ada -c env PATH="$PATH" ANSIBLE_CONFIG=/etc/my.cfg ansible-galaxy collection install community.grafana"#,
            r#"su - ada -c env PATH="$PATH" ANSIBLE_CONFIG=/etc/my.cfg ansible-pull --accept-host-key '--inventory=a b'\''c' --tags=web,db --timeout=60 --url=https://github.com/holmanb/vmboot.git ubuntu.yml"#,
        ]
    );
}

#[test]
fn pip_installs_for_the_system_or_for_one_user() {
    let program = ("/usr/local/bin/ansible-pull", "");
    let own = ("/home/ada/.local/bin/ansible-pull", "");
    let env = "HOME=/root PIP_BREAK_SYSTEM_PACKAGES=1 ";
    let login = r#"su - ada -c env PATH="$HOME/.local/bin:$PATH" PIP_BREAK_SYSTEM_PACKAGES=1 "#;
    let root = [
        format!("{env}python3 -m pip install --upgrade pip"),
        format!("{env}python3 -m pip install ansible"),
    ];
    let pinned = [
        root[0].clone(),
        format!("{env}python3 -m pip install ansible-core==2.17"),
    ];
    let ada = [
        format!("{login}python3 -m pip install --user --upgrade pip"),
        format!("{login}python3 -m pip install --user ansible"),
    ];
    #[rustfmt::skip]
    let table: [(Files<'_>, &str, &[&str], &[String]); 7] = [
        (&[],             "",                                  &["pip", "install"], &root),
        (&[PIP],          "",                                  &["install"],        &root),
        (&[PIP],          ", package_name: ansible-core=2.17", &["install"],        &pinned),
        (&[PIP, program], "",                                  &[],                 &[]),
        (&[PIP, program], ", run_user: ada",                   &["install"],        &ada),
        (&[PIP, own],     ", run_user: ada",                   &[],                 &[]),
        (&[PIP, own],     "",                                  &["install"],        &root),
    ];
    for (files, more, steps, wanted) in table {
        let plan = plan(files, &format!("ansible: {{install_method: pip{more}}}"));
        assert_eq!(names(&plan), steps, "{files:?} {more}");
        assert_eq!(commands(&plan), wanted, "{files:?} {more}");
        assert_eq!(plan.problems, [], "{files:?} {more}");
    }
}

#[test]
fn several_pulls_and_several_playbooks_follow_each_other() {
    let config = "
ansible:
  pull:
    - {url: a, playbook_name: one.yml}
    - {url: b, playbook_names: [two.yml, three.yml], clean: true}
";
    let plan = plan(&[ANSIBLE], config);
    assert_eq!(
        commands(&plan),
        [
            "HOME=/root ansible-pull --url=a one.yml",
            "HOME=/root ansible-pull --clean --url=b two.yml three.yml",
        ]
    );
    assert_eq!(names(&plan), ["pull-1", "pull-2"]);
}

const CONTROLLER: &str = "
ansible:
  setup_controller:
    repositories:
      - {path: /srv/playbooks, source: git@github.com:holmanb/playbooks.git}
    run_ansible:
      - playbook_dir: /srv/play books
        playbook_name: start.yml
        check: true
        diff: false
        extra_vars: 'a=1 b=2'
";

#[test]
fn a_controller_clones_its_repositories_and_applies_playbooks() {
    let there = ("/srv/playbooks/.git/HEAD", "");
    let clone = "HOME=/root git clone git@github.com:holmanb/playbooks.git /srv/playbooks";
    let play = r#"HOME=/root sh -c cd "$1" && shift && exec "$@" sh /srv/play books ansible-playbook start.yml --check --extra-vars=a=1 b=2"#;
    assert_eq!(commands(&plan(&[ANSIBLE], CONTROLLER)), [clone, play]);
    assert_eq!(commands(&plan(&[ANSIBLE, there], CONTROLLER)), [play]);
    let config =
        format!("{CONTROLLER}  run_user: ada\n").replace("/srv/play books", "~/play books");
    assert_eq!(
        commands(&plan(&[ANSIBLE], &config)),
        [
            r#"su - ada -c env PATH="$PATH" git clone git@github.com:holmanb/playbooks.git /srv/playbooks"#,
            r#"su - ada -c cd ~/'play books' && env PATH="$PATH" ansible-playbook start.yml --check '--extra-vars=a=1 b=2'"#,
        ]
    );
}

#[test]
fn what_is_there_already_is_left_alone() {
    for config in [
        "ansible: {}",
        "ansible: {install_method: distro, package_name: ansible}",
    ] {
        let plan = plan(&[ANSIBLE], config);
        assert_eq!(plan, Plan::nothing(), "{config}");
    }
}

#[test]
fn a_package_of_pip_may_be_an_address_without_a_password() {
    for (address, is_good) in [
        ("git+https://example.com/x.git@v1", true),
        ("git+https://u:hunter2@example.com/x.git", false),
    ] {
        let config = format!("ansible: {{install_method: pip, package_name: '{address}'}}");
        let plan = plan(&[], &config);
        let is_asked = commands(&plan).iter().any(|line| line.contains(address));
        assert_eq!(is_asked, is_good, "{address}: {:?}", plan.problems);
        assert!(!format!("{plan:?}").contains("hunter2"), "{plan:?}");
        let place = "test:1:46: ansible.package_name: everybody would see the password";
        let said: String = plan.problems.iter().map(ToString::to_string).collect();
        assert_eq!(said.starts_with(place), !is_good, "{said}");
    }
}

#[test]
fn a_password_in_the_address_of_a_repository_is_refused() {
    #[rustfmt::skip]
    let table = [
        ("https://github.com/a/b.git",         true),
        ("git@github.com:a/b.git",             true),
        ("ssh://git@github.com/a/b.git",       true),
        ("git+ssh://git@github.com/a/b.git",   true),
        ("ssh://git:hunter2@github.com/a.git", false),
        ("https://org@dev.azure.com/org/a",    true),
        ("https://contoso-engineering-europe@dev.azure.com/c/r", true),
        ("https://some.body%40example.com@bitbucket.org/w/r", true),
        ("codecommit::us-east-1://my-deployment-profile@R", true),
        ("https://git.example.com:8443/~joe@x/r.git", true),
        ("file:///srv/r@v1",                   true),
        ("https://h/r.git#key=x",              true),
        ("https://ghp_0123456789abcdefghij@github.com/a/b.git", false),
        ("https://u:p/w@example.com/a/b",      false),
        ("https://u:hunter2@example.com/a/b",  false),
        ("https://h/a.git?private_token=x",    false),
    ];
    for (address, is_good) in table {
        #[rustfmt::skip]
        let configs = [
            (format!("{{pull: {{playbook_name: a, url: '{address}'}}}}"),
             "test:1:41: ansible.pull.url"),
            (format!("{{setup_controller: {{repositories: [{{path: a, source: '{address}'}}]}}}}"),
             "test:1:63: ansible.setup_controller.repositories[0].source"),
        ];
        for (config, place) in configs {
            let plan = plan(&[ANSIBLE], &format!("ansible: {config}"));
            assert_eq!(commands(&plan).len(), usize::from(is_good), "{config}");
            let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
            let wanted = format!(
                "{place}: everybody would see the password or token in it (leave it out, and give git a \
                 deploy key, or the password in a file that `credential.helper` of its configuration names)"
            );
            let wanted: &[String] = if is_good { &[] } else { &[wanted] };
            assert_eq!(said, wanted, "{config}");
        }
    }
}

#[test]
fn after_a_bad_value_nothing_is_run_and_it_is_told_with_its_place() {
    #[rustfmt::skip]
    let table = [
        ("[pull]",                                 "test:1:10: ansible: expected a mapping, found a list"),
        ("{install_method: snap, P}",              "test:1:27: ansible.install_method: expected `distro` or `pip`"),
        ("{package_name: --all}",                  "test:1:25: ansible.package_name: that is no name of a package"),
        ("{run_user: -c, P}",                      "test:1:21: ansible.run_user: expected the name of a user, found a string"),
        ("{ansible_config: [a], P}",               "test:1:27: ansible.ansible_config: expected a string, found a list"),
        ("{galaxy: {}, P}",                        "test:1:19: ansible.galaxy.actions: it has to be given"),
        ("{galaxy: {actions: go}, P}",             "test:1:29: ansible.galaxy.actions: expected a list, found a string"),
        ("{galaxy: {actions: [go, [a]]}}",         "test:1:30: ansible.galaxy.actions[0]: expected a list of words, found a string"),
        ("{galaxy: {actions: [[role, setup, --token, x]]}, P}", "test:1:30: ansible.galaxy.actions[0]: everybody would see the password or token in it (leave it out: tokens may be in the file that GALAXY_TOKEN_PATH of Ansible's configuration names, and git takes a deploy key or a `credential.helper`)"),
        ("{pull: {url: a, playbook_name: b, extra_vars: 'db_password=x'}}", "test:1:56: ansible.pull.extra_vars: everybody would see the password or token in it (leave it out, and name a file of mode 0600, such as with `extra_vars: '@/root/vars.yml'`)"),
        ("{pull: {url: a}}",                       "test:1:17: ansible.pull.playbook_name: it has to be given"),
        ("{pull: {playbook_name: a}}",             "test:1:17: ansible.pull.url: it has to be given"),
        ("{pull: {url: a, playbook_name: -i}}",    "test:1:41: ansible.pull.playbook_name: expected what begins with no `-`, found a string"),
        ("{pull: {url: a, playbook_name: b, tags: [c]}}", "test:1:50: ansible.pull.tags: expected a string, found a list"),
        ("{pull: {url: a, playbook_name: b, 'x y': c}}",  "test:1:51: ansible.pull.x y: that cannot be an option of Ansible"),
        ("{pull: [a, {url: a, playbook_name: b}]}", "test:1:18: ansible.pull[0]: expected a mapping, found a string"),
        ("{setup_controller: {}}",                 "test:1:29: ansible.setup_controller.run_ansible: it has to be given"),
        ("{setup_controller: {repositories: [{path: a}, {path: b, source: c}]}}", "test:1:45: ansible.setup_controller.repositories[0].source: it has to be given"),
        ("{setup_controller: {run_ansible: [{playbook_dir: a, playbook_name: b}, {playbook_name: c}]}}", "test:1:81: ansible.setup_controller.run_ansible[1].playbook_dir: it has to be given"),
    ];
    for (config, says) in table {
        let config = config.replace(", P}", ", pull: {url: a, playbook_name: b}}");
        let plan = plan(&[ANSIBLE], &format!("ansible: {config}"));
        assert_eq!(names(&plan), [""; 0], "{config}");
        let said = plan.problems.first().map(ToString::to_string);
        assert_eq!(said.as_deref(), Some(says), "{config}");
    }
    let plan = plan(&[], "ansible: {pull: {url: a}}");
    assert_eq!(plan.lines(), ["package ansible (apt)"]);
}
