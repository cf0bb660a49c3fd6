//! Plans for documents as people write them.

use contract::testing::{FakeMachine, Setting};

use super::*;

const HASH: &str = "$6$salt$hash";

fn setting() -> Setting {
    let machine = FakeMachine::with(&[
        ("/etc/os-release", "ID=debian\n"),
        (
            "/etc/ssh/sshd_config",
            "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n",
        ),
    ]);
    Setting {
        machine,
        ..Setting::default()
    }
}

/// Whose password becomes what.
fn states(plan: &Plan) -> Vec<String> {
    let states = plan.effects().filter_map(|effect| match effect {
        Effect::Password(spec) => Some(match &spec.state {
            Password::Hash(hash) => format!("{} hash {}", spec.user, hash.expose()),
            Password::Plain(text) => format!("{} text {}", spec.user, text.expose()),
            other => format!("{} {}", spec.user, other.name()),
        }),
        _ => None,
    });
    states.collect()
}

fn said(plan: &Plan) -> Vec<String> {
    let text = |problem: &Problem| format!("{}: {problem}", problem.severity);
    plan.problems.iter().map(text).collect()
}

#[test]
fn passwords_are_read_in_every_form() {
    #[rustfmt::skip]
    let table: &[(String, &[&str])] = &[
        ("password: abc".into(),                             &["debian text abc", "debian expired password"]),
        (format!("password: {HASH}"),                        &["debian hash $6$salt$hash", "debian expired password"]),
        ("{password: R, chpasswd: {expire: false}}".into(),  &["debian random password"]),
        ("{password: 1234, chpasswd: {expire: 'no'}}".into(), &["debian text 1234"]),
        ("{password: x, users: [], chpasswd: {expire: false}}".into(), &[]),
        ("{password: x, user: {name: ada}, chpasswd: {expire: false}}".into(), &["ada text x"]),
        ("{password: x, chpasswd: {expire: false, users: [{name: a, type: RANDOM}]}}".into(), &["a random password"]),
        (format!("chpasswd: {{expire: false, users: [{{name: a, password: {HASH}}}, {{name: b, password: c, type: text}}]}}"),
                                                             &["a hash $6$salt$hash", "b text c"]),
        (format!("chpasswd: {{expire: false, list: ['a:b:c', 'b:RANDOM', 'c:{HASH}', 'd:R']}}"),
                                                             &["a text b:c", "b random password", "c hash $6$salt$hash", "d random password"]),
        ("chpasswd:\n  expire: false\n  list: |\n    a:b\n\n    c:$6$x$y:z\n".into(), &["a text b", "c text $6$x$y:z"]),
        ("chpasswd:\n  list: |\n    a:b\n    a:c\n".into(),  &["a text c", "a expired password"]),
        ("chpasswd: {expire: false, users: [{name: a, password: h}], list: ['a:t']}".into(), &["a hash h"]),
    ];
    for (config, wanted) in table {
        assert_eq!(
            states(&setting().plan::<SetPasswords>(config)),
            *wanted,
            "{config}"
        );
    }
}

#[test]
fn a_hash_shows_itself_as_it_does_to_cloud_init() {
    #[rustfmt::skip]
    let table = [
        ("$6$salt$hash",      true),
        ("$1$a$b",            true),
        ("$2y$10$abc",        true),
        ("$5$rounds=9$s$h",   true),
        ("$y$j9T$salt$hash",  false),
        ("$6$salt",           false),
        ("$6$salt$",          false),
        ("$6$$",              false),
        ("x$6$salt$hash",     false),
        ("$6$salt$ha:sh",     false),
    ];
    for (text, wanted) in table {
        assert_eq!(is_hash(text), wanted, "{text}");
    }
}

#[test]
fn what_is_wrong_costs_itself_alone_and_shows_no_password() {
    #[rustfmt::skip]
    let table = [
        ("chpasswd: hunter2",                              "error: test:1:11: chpasswd: expected a mapping, found a string"),
        ("chpasswd: {users: {a: hunter2}}",                "error: test:1:19: chpasswd.users: expected a list, found a mapping"),
        ("chpasswd: {users: [hunter2]}",                   "error: test:1:20: chpasswd.users: expected a mapping, found a string"),
        ("chpasswd: {users: [{password: hunter2}]}",       "error: test:1:20: chpasswd.users: `name` is missing"),
        ("chpasswd: {users: [{name: a}]}",                 "error: test:1:20: chpasswd.users: expected `password`, a string, or `type: RANDOM`"),
        ("chpasswd: {users: [{name: a, password: hunter2, type: plain}]}", "error: test:1:55: chpasswd.users: type: expected `hash`"),
        ("chpasswd: {users: [{name: a b, password: hunter2}]}", "error: test:1:27: chpasswd.users: not a valid user name"),
        ("chpasswd: {users: [{name: a, password: 'hunter2:x'}]}", "error: test:1:27: chpasswd.users: this password has a line end"),
        ("chpasswd: {users: [{name: a, type: text, password: \"hunter2\\nroot:x\"}]}", "error: test:1:27: chpasswd.users: this password has a line end"),
        ("chpasswd: {list: [hunter2]}",                    "error: test:1:19: chpasswd.list: expected `NAME:PASSWORD`"),
        ("chpasswd: {list: [{a: hunter2}]}",               "error: test:1:19: chpasswd.list: expected `NAME:PASSWORD`"),
        ("chpasswd: {expire: perhaps}",                    "error: test:1:20: chpasswd.expire: expected true or false"),
        ("password: [hunter2]",                            "error: test:1:11: password: expected a string, found a list"),
        ("{users: [], password: hunter2}",                 "warning: test:1:23: password: there is no default user"),
        ("ssh_pwauth: perhaps",                            "warning: test:1:13: ssh_pwauth: expected true, false or `unchanged`"),
        ("ssh_pwauth: unchanged",                          "notice: test:1:13: ssh_pwauth: a text is an old spelling"),
    ];
    for (config, says) in table {
        let plan = setting().plan::<SetPasswords>(config);
        let said = said(&plan);
        assert!(
            said.iter().any(|said| said.starts_with(says)),
            "{config}: {said:?}"
        );
        assert!(!format!("{said:?}{plan:?}").contains("hunter2"), "{config}");
        assert!(plan.steps.is_empty(), "{config}");
    }
    let bad = "chpasswd: {expire: false, users: [7, {name: a, type: RANDOM}]}";
    assert_eq!(
        states(&setting().plan::<SetPasswords>(bad)),
        ["a random password"]
    );
}

#[test]
fn sshd_takes_passwords_from_a_file_of_its_own_and_is_told_if_it_runs() {
    let plan = setting().plan::<SetPasswords>("ssh_pwauth: true");
    assert_eq!(
        plan.lines(),
        [
            "PasswordAuthentication yes in /etc/ssh/sshd_config.d/50-cloud-init.conf",
            "try-restart ssh.service",
        ]
    );
    #[rustfmt::skip]
    let table = [
        // os-release        configuration                                          told
        ("ID=debian\n",      "{ssh_pwauth: no}",                                    "try-restart ssh.service"),
        ("ID=\"amzn\"\n",    "{ssh_pwauth: no}",                                    "try-restart sshd.service"),
        ("ID=debian\n",      "{ssh_pwauth: no, system_info: {ssh_svcname: dropbear}}", "try-restart dropbear.service"),
        ("ID=opensuse\n",    "{ssh_pwauth: no, system_info: {ssh_svcname: ssh}}",  "try-restart sshd.service"),
        ("ID=sle-micro\n",   "{ssh_pwauth: no}",                                    "try-restart sshd.service"),
        ("ID=alpine\n",      "{ssh_pwauth: no}",                                    "try-restart sshd"),
    ];
    for (release, config, told) in table {
        let machine = FakeMachine::with(&[
            ("/etc/os-release", release),
            ("/etc/ssh/sshd_config", "UsePAM yes\n"),
        ]);
        let setting = Setting {
            machine,
            ..Setting::default()
        };
        let lines = setting.plan::<SetPasswords>(config).lines();
        assert_eq!(
            lines,
            ["PasswordAuthentication no in /etc/ssh/sshd_config", told]
        );
    }
}
