use contract::testing::{FakeMachine, Setting};

use super::*;

const DEBIAN: (&str, &str) = ("/etc/os-release", "ID=debian\n");

fn plan(files: &[(&str, &str)], config: &str) -> Plan {
    let mut all = vec![DEBIAN];
    all.extend(files);
    Setting {
        machine: FakeMachine::with(&all),
        ..Setting::default()
    }
    .plan::<SaltMinion>(config)
}

#[test]
fn a_minion_is_installed_configured_and_started() {
    let config = "
salt_minion:
  conf:
    master: salt.example.com
    log_level: info
  grains:
    role: [web, cache]
  public_key: |
    -----BEGIN PUBLIC KEY-----
    MIIB
    -----END PUBLIC KEY-----
  private_key: |
    -----BEGIN RSA PRIVATE KEY-----
    hunter2
    -----END RSA PRIVATE KEY-----
";
    let plan = plan(&[], config);
    assert_eq!(
        plan.lines(),
        [
            "package salt-minion (apt)",
            "directory /etc/salt (0755)",
            "file /etc/salt/minion (0644)",
            "file /etc/salt/grains (0644)",
            "directory /etc/salt/pki/minion (0700)",
            "file /etc/salt/pki/minion/minion.pub (0644)",
            "file /etc/salt/pki/minion/minion.pem (0600)",
            "service salt-minion enabled",
            "restart salt-minion.service",
        ]
    );
    let minion = plan.text_of("/etc/salt/minion").unwrap();
    assert_eq!(minion, "master: salt.example.com\nlog_level: info\n");
    let grains = plan.text_of("/etc/salt/grains").unwrap();
    assert_eq!(grains, "role:\n  - web\n  - cache\n");
    assert_eq!(plan.problems, []);
    assert!(!format!("{plan:?}").contains("hunter2"));
}

#[test]
fn names_and_places_are_those_that_are_given() {
    let config = "
salt_minion:
  pkg_name: py-salt
  service_name: salt_minion
  config_dir: /usr/local/etc/salt
  conf: {master: salt}
  public_key: pub
  private_key: priv
  pki_dir: /srv/pki
";
    assert_eq!(
        plan(&[], config).lines(),
        [
            "package py-salt (apt)",
            "directory /usr/local/etc/salt (0755)",
            "file /usr/local/etc/salt/minion (0644)",
            "directory /srv/pki (0700)",
            "file /srv/pki/minion.pub (0644)",
            "file /srv/pki/minion.pem (0600)",
            "service salt_minion enabled",
            "restart salt_minion.service",
        ]
    );
}

#[test]
fn files_with_secrets_are_for_root_alone() {
    let config = "salt_minion: {conf: {mysql.pass: hunter2}, grains: {api: [{token: hunter2}]}}";
    let plan = plan(&[], config);
    assert_eq!(
        plan.lines()[2..4],
        [
            "file /etc/salt/minion (0600)",
            "file /etc/salt/grains (0600)"
        ]
    );
    for path in ["/etc/salt/minion", "/etc/salt/grains"] {
        assert_eq!(plan.text_of(path), None, "{path}");
    }
}

#[test]
fn keys_go_where_the_image_has_them() {
    let config = "salt_minion: {public_key: a, private_key: b}";
    #[rustfmt::skip]
    let table = [
        ("/etc/salt/pki/minion/minion.pub", "/etc/salt/pki/minion/minion.pem"),
        ("/etc/salt/pki/old",               "/etc/salt/pki/minion.pem"),
        ("/etc/salt/minion",                "/etc/salt/pki/minion/minion.pem"),
    ];
    for (there, pem) in table {
        let lines = plan(&[(there, "")], config).lines();
        let line = format!("file {pem} (0600)");
        assert!(lines.contains(&line), "{there}: {lines:?}");
    }
}

#[test]
fn a_minion_without_a_master_applies_its_states_once_and_is_no_daemon() {
    let plan = plan(&[], "salt_minion: {conf: {file_client: local}}");
    assert_eq!(
        plan.lines(),
        [
            "package salt-minion (apt)",
            "directory /etc/salt (0755)",
            "file /etc/salt/minion (0644)",
            "service salt-minion disabled",
            "stop salt-minion.service",
            "run salt-call --local state.apply",
        ]
    );
    assert!(plan.steps[1].needs_previous);
}

#[test]
fn a_minion_with_a_bad_value_is_not_started_and_it_is_told_with_its_place() {
    const RUNS: &[&str] = &[
        "package salt-minion (apt)",
        "directory /etc/salt (0755)",
        "service salt-minion enabled",
        "restart salt-minion.service",
    ];
    // Without its configuration it would ask the host called `salt`.
    const IDLE: &[&str] = RUNS.split_at(2).0;
    #[rustfmt::skip]
    let table: [(&str, &[&str], &str); 9] = [
        ("[conf]",                   &[], "test:1:14: salt_minion: expected a mapping, found a list"),
        ("{conf: \"a: b\\n\"}",        IDLE, "test:1:21: salt_minion.conf: expected a mapping, found a string"),
        ("{conf: [master]}",         IDLE, "test:1:21: salt_minion.conf: expected a mapping, found a list"),
        ("{grains: web}",            IDLE, "test:1:23: salt_minion.grains: expected a mapping, found a string"),
        ("{config_dir: etc/salt}",   IDLE, "test:1:27: salt_minion.config_dir: expected an absolute path, found a string"),
        ("{pkg_name: --all}",        IDLE, "test:1:25: salt_minion.pkg_name: that is no name of a package"),
        ("{service_name: --now}",    IDLE, "test:1:29: salt_minion.service_name: expected the name of a service, found a string"),
        ("{private_key: hunter2}",   RUNS, "test:1:28: salt_minion: a key is of no use without the other one (give `public_key` and `private_key`, or neither)"),
        ("{public_key: a, private_key: {}}", IDLE, "test:1:43: salt_minion.private_key: expected a string, found a mapping"),
    ];
    for (config, lines, says) in table {
        let plan = plan(&[], &format!("salt_minion: {config}"));
        assert_eq!(plan.lines(), lines, "{config}");
        assert_eq!(plan.problems[0].to_string(), says, "{config}");
    }
    let nowhere = Setting::default().plan::<SaltMinion>("salt_minion: {}");
    let said = nowhere.problems[0].to_string();
    assert_eq!(
        said,
        "salt_minion: no package manager of this distribution is known"
    );
}
