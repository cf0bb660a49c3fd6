//! Plans of host keys.

use contract::testing::{FakeMachine, Setting, assert_described};

use super::*;
use crate::ssh_keys::Ssh;

const PRIVATE: &str =
    "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n";
const KEYGEN: (&str, &str) = ("/usr/bin/ssh-keygen", "");

/// Paths and what is in them.
type Files<'a> = &'a [(&'a str, &'a str)];

/// A Debian with openssh-server, and more files.
fn debian(files: &[(&str, &str)]) -> Setting {
    let mut all = vec![
        KEYGEN,
        ("/usr/sbin/sshd", ""),
        ("/usr/lib/systemd/system/ssh.service", ""),
        ("/etc/os-release", "ID=debian\n"),
    ];
    all.extend(files);
    Setting {
        machine: FakeMachine::with(&all),
        ..Setting::default()
    }
}

/// The plan without what is about authorized keys.
fn lines(plan: &Plan) -> Vec<String> {
    let mut lines = plan.lines();
    lines.retain(|line| !line.contains("authorized"));
    lines
}

fn told(plan: &Plan) -> Vec<String> {
    plan.problems.iter().map(ToString::to_string).collect()
}

/// What is run, in order.
fn argv(plan: &Plan) -> Vec<String> {
    let argv = plan.effects().filter_map(|effect| match effect {
        Effect::Tool(tool) => Some(tool.argv.join(" ")),
        _ => None,
    });
    argv.collect()
}

#[test]
fn the_schema_has_the_fields_that_are_read() {
    assert_described::<Section>(SshRsa::FACTS.keys);
}

#[test]
fn the_images_keys_go_and_only_what_is_cheap_is_made_before_logins() {
    let setting = debian(&[
        ("/etc/ssh/ssh_host_dsa_key", PRIVATE),
        ("/etc/ssh/ssh_host_rsa_key", PRIVATE),
        ("/etc/ssh/ssh_host_rsa_key-cert.pub", "x"),
        ("/etc/ssh/ssh_host_rsa_key.pub", "x"),
        ("/etc/ssh/sshd_config", "x"),
    ]);
    let before = setting.plan::<Ssh>("{}");
    assert_eq!(
        lines(&before),
        [
            "no file /etc/ssh/ssh_host_dsa_key",
            "no file /etc/ssh/ssh_host_rsa_key",
            "no file /etc/ssh/ssh_host_rsa_key-cert.pub",
            "no file /etc/ssh/ssh_host_rsa_key.pub",
            "file /run/firstlight/host-keys/deleted (0644)",
            "host key ecdsa",
            "host key ed25519",
            "file /run/firstlight/host-keys/rsa (0644)",
        ]
    );
    assert_eq!(
        argv(&before),
        [
            "ssh-keygen -t ecdsa -N  -f /etc/ssh/ssh_host_ecdsa_key",
            "ssh-keygen -t ed25519 -N  -f /etc/ssh/ssh_host_ed25519_key",
        ]
    );
    // By then the image's keys are gone.
    let setting = debian(&[(DELETED, "yes\n")]);
    let after = setting.plan::<SshRsa>("ssh_quiet_keygen: on");
    assert_eq!(
        after.lines(),
        [
            "file /var/lib/firstlight/instances/i-1/host-keys-removed (0644)",
            "host key rsa",
            "no file /run/firstlight/host-keys/rsa",
            "try-reload-or-restart ssh.service",
        ]
    );
    assert_eq!(
        argv(&after),
        ["ssh-keygen -t rsa -N  -f /etc/ssh/ssh_host_rsa_key -q"]
    );
}

#[test]
fn each_type_that_is_asked_for_is_made_once_and_sshd_never_waits_for_another_than_its_only_key() {
    #[rustfmt::skip]
    let table: [(&str, &[&str], &[&str], usize); 8] = [
        // configuration                          before logins           after       problems
        ("{}",                                    &["ecdsa", "ed25519"],  &["rsa"],   0),
        ("ssh_genkeytypes: [ed25519]",            &["ed25519"],           &[],        0),
        ("ssh_genkeytypes: [rsa]",                &["rsa"],               &[],        0),
        ("ssh_genkeytypes: [rsa, rsa, ecdsa]",    &["ecdsa"],             &["rsa"],   0),
        ("ssh_genkeytypes: ecdsa",                &["ecdsa"],             &[],        0),
        ("ssh_genkeytypes: [dsa, 7, ed25519]",    &["ed25519"],           &[],        2),
        ("ssh_genkeytypes: []",                   &[],                    &[],        0),
        ("ssh_genkeytypes: null",                 &["ecdsa", "ed25519"],  &["rsa"],   0),
    ];
    for (config, before, after, problems) in table {
        let made = |plan: &Plan| -> Vec<String> {
            let mut lines = lines(plan);
            lines.retain(|line| line.starts_with("host key "));
            lines
        };
        let named = |kinds: &[&str]| -> Vec<String> {
            kinds
                .iter()
                .map(|kind| format!("host key {kind}"))
                .collect()
        };
        let plan = debian(&[]).plan::<Ssh>(config);
        assert_eq!(made(&plan), named(before), "{config}");
        assert_eq!(plan.problems.len(), problems, "{config}: {plan:?}");
        let plan = debian(&[]).plan::<SshRsa>(config);
        assert_eq!(made(&plan), named(after), "{config}");
        assert!(plan.problems.is_empty(), "told twice: {config}: {plan:?}");
    }
}

#[test]
fn openrc_starts_sshd_with_all_keys_so_that_all_are_made_before() {
    let setting = debian(&[("/etc/os-release", "ID=alpine\n")]);
    let made = |plan: &Plan| {
        let lines = lines(plan);
        let keys = lines
            .into_iter()
            .filter(|line| line.starts_with("host key "));
        keys.collect::<Vec<_>>()
    };
    let keys = ["host key rsa", "host key ecdsa", "host key ed25519"];
    assert_eq!(made(&setting.plan::<Ssh>("{}")), keys);
    assert!(made(&setting.plan::<SshRsa>("{}")).is_empty());
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_becomes_of_it() {
    #[rustfmt::skip]
    let table = [
        ("ssh_genkeytypes: [ed25519, dsa]",
         "test:1:28: ssh_genkeytypes: expected one of `rsa`, `ecdsa`, `ed25519` (no key of this type is made)"),
        ("ssh_deletekeys: perhaps",
         "test:1:17: ssh_deletekeys: expected true or false; it is taken as true"),
        ("ssh_quiet_keygen: perhaps",
         "test:1:19: ssh_quiet_keygen: expected true or false; it is taken as false"),
        ("ssh_publish_hostkeys: yes",
         "test:1:23: ssh_publish_hostkeys: expected a mapping, found a boolean"),
        ("ssh_keys: [hunter2]",
         "test:1:11: ssh_keys: expected a mapping, found a list (keys are made instead)"),
        ("ssh_keys: {rsa_public: ssh-rsa AAAA}",
         "test:1:11: ssh_keys: it gives no private key (keys are made, or nobody could log in)"),
        ("ssh_keys: {rsa_private: hunter2}",
         "test:1:25: ssh_keys: rsa_private: expected a private key, from `-----BEGIN` to `-----END ...-----`"),
        ("ssh_keys: {dsa_private: hunter2}",
         "test:1:12: ssh_keys: expected names such as `rsa_private`, `ecdsa_public` or `ed25519_certificate` (of types there are rsa, ecdsa and ed25519; it is skipped)"),
        ("ssh_keys: {rsa_certificate: [hunter2]}",
         "test:1:29: ssh_keys: rsa_certificate: expected a string, found a list"),
    ];
    for (config, message) in table {
        let plan = debian(&[]).plan::<Ssh>(config);
        assert_eq!(
            told(&plan).first().map(String::as_str),
            Some(message),
            "{config}"
        );
        assert!(
            lines(&plan).contains(&"host key ed25519".to_owned()),
            "{config}: {plan:?}"
        );
    }
}

#[test]
fn the_images_keys_stay_where_it_says_so_and_the_risk_is_told() {
    let image = [
        ("/etc/ssh/ssh_host_ed25519_key", PRIVATE),
        ("/etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAA"),
    ];
    let plan = debian(&image).plan::<Ssh>("ssh_deletekeys: false");
    assert_eq!(
        lines(&plan),
        [
            "host key ecdsa",
            "file /run/firstlight/host-keys/rsa (0644)"
        ]
    );
    assert_eq!(
        told(&plan),
        [
            "test:1:17: ssh_deletekeys: the image's host keys stay: every instance of it has the same, and can pass for any other (leave the key out, and each has its own)"
        ]
    );
    let plan = debian(&[]).plan::<Ssh>("ssh_deletekeys: false");
    assert!(
        plan.problems.is_empty(),
        "there is nothing to share: {plan:?}"
    );
}

#[test]
fn an_instance_that_has_its_own_keys_keeps_them_when_it_is_done_again() {
    let own = [
        ("/etc/ssh/ssh_host_ed25519_key", PRIVATE),
        ("/etc/ssh/ssh_host_ed25519_key.pub", "x"),
        ("/etc/ssh/ssh_host_ecdsa_key", PRIVATE),
        ("/etc/ssh/ssh_host_ecdsa_key.pub", "x"),
        ("/etc/ssh/ssh_host_rsa_key", PRIVATE),
        ("/etc/ssh/ssh_host_rsa_key.pub", "x"),
        ("/var/lib/firstlight/instances/i-1/host-keys-removed", "x"),
    ];
    let setting = debian(&own);
    let plan = setting.plan::<Ssh>("{}");
    assert_eq!(lines(&plan), [""; 0]);
    assert!(plan.problems.is_empty(), "{plan:?}");
    assert!(
        !setting
            .plan::<SshRsa>("{}")
            .lines()
            .iter()
            .any(|line| line.starts_with("host key"))
    );
}

#[test]
fn a_machine_that_nobody_knows_keeps_the_keys_of_the_instance_that_it_was() {
    let key = ("/etc/ssh/ssh_host_ed25519_key", PRIVATE);
    let mark = ("/var/lib/firstlight/instances/i-0/host-keys-removed", "x");
    #[rustfmt::skip]
    let table: [(&str, Files<'_>, bool); 3] = [
        // platform  files          whether keys are removed
        ("none",     &[key, mark],  false),
        ("none",     &[key],        true), // the image's
        ("ec2",      &[key, mark],  true), // another instance
    ];
    for (platform, files, removed) in table {
        let mut setting = debian(files);
        setting.instance.platform = platform.into();
        let lines = lines(&setting.plan::<Ssh>("{}"));
        let line = "no file /etc/ssh/ssh_host_ed25519_key".to_owned();
        assert_eq!(
            lines.contains(&line),
            removed,
            "{platform} {files:?}: {lines:?}"
        );
    }
}

#[test]
fn what_a_power_cut_left_half_made_is_made_anew() {
    let mark = ("/var/lib/firstlight/instances/i-1/host-keys-removed", "x");
    let cut = ("/etc/ssh/ssh_host_ed25519_key", "-----BEGIN OPENSSH PRIV");
    let empty = ("/etc/ssh/ssh_host_rsa_key", "");
    let whole = ("/etc/ssh/ssh_host_ecdsa_key", PRIVATE);
    let setting = debian(&[mark, cut, empty, whole]);
    assert_eq!(
        lines(&setting.plan::<Ssh>("{}")),
        [
            "public host key ecdsa",
            "no file /etc/ssh/ssh_host_ed25519_key",
            "no file /etc/ssh/ssh_host_ed25519_key.pub",
            "host key ed25519",
            "file /run/firstlight/host-keys/rsa (0644)",
        ]
    );
    assert_eq!(
        lines(&setting.plan::<SshRsa>("{}"))[..3],
        [
            "no file /etc/ssh/ssh_host_rsa_key",
            "no file /etc/ssh/ssh_host_rsa_key.pub",
            "host key rsa",
        ]
    );
}

#[test]
fn what_an_image_has_decides_what_is_made() {
    let fips = ("/proc/sys/crypto/fips_enabled", "1\n");
    let plan = debian(&[fips]).plan::<Ssh>("{}");
    assert!(
        !lines(&plan).contains(&"host key ed25519".to_owned()),
        "{plan:?}"
    );

    let bare = Setting::default().plan::<Ssh>("{}");
    assert_eq!(lines(&bare), [""; 0]);
    assert!(
        bare.problems.is_empty(),
        "an image without sshd needs no keys"
    );

    let headless = Setting {
        machine: FakeMachine::with(&[("/usr/sbin/sshd", "")]),
        ..Setting::default()
    };
    assert_eq!(
        told(&headless.plan::<Ssh>("{}")),
        ["there is an sshd and no ssh-keygen: no host keys are made"]
    );
}

#[test]
fn where_a_group_reads_the_private_keys_it_reads_ours() {
    let script = "/usr/libexec/openssh/sshd-keygen";
    let group = ("/etc/group", "root:x:0:\nssh_keys:x:101:\n");
    let amazon = ("/etc/os-release", "ID=\"amzn\"\n");
    #[rustfmt::skip]
    let table: [(Files<'_>, &[&str]); 4] = [
        (&[amazon, group, (script, "chgrp ssh_keys $KEY\nchmod 640 $KEY\n")],
         &["chgrp ssh_keys /etc/ssh/ssh_host_ed25519_key", "chmod 0640 /etc/ssh/ssh_host_ed25519_key"]),
        (&[amazon, group, (script, "chmod 600 $KEY\n")],
         &["chgrp ssh_keys /etc/ssh/ssh_host_ed25519_key", "chmod 0600 /etc/ssh/ssh_host_ed25519_key"]),
        (&[amazon], &[]),
        (&[group],  &[]), // a Debian
    ];
    for (files, expected) in table {
        let plan = debian(files).plan::<Ssh>("ssh_genkeytypes: [ed25519]");
        assert_eq!(argv(&plan)[1..], *expected, "{files:?}");
    }
}

#[test]
fn given_keys_take_the_place_of_made_ones_and_stay_secret() {
    let indented = PRIVATE.trim_end().replace('\n', "\n    ");
    let config = format!(
        "ssh_keys:\n  rsa_private: |-\n    {indented}\n  ed25519_private: |\n    {indented}\n  ed25519_public: ssh-ed25519 AAAA me\n  ed25519_certificate: ssh-ed25519-cert-v01@openssh.com AAAA\n"
    );
    let include = "Include /etc/ssh/sshd_config.d/*.conf\n";
    let setting = debian(&[
        ("/etc/ssh/sshd_config", include),
        ("/etc/ssh/ssh_host_ecdsa_key", PRIVATE),
    ]);
    let plan = setting.plan::<Ssh>(&config);
    assert_eq!(
        lines(&plan),
        [
            "no file /etc/ssh/ssh_host_ecdsa_key",
            "file /run/firstlight/host-keys/deleted (0644)",
            "no file /etc/ssh/ssh_host_rsa_key.pub",
            "file /etc/ssh/ssh_host_rsa_key (0600)",
            "public host key rsa",
            "file /etc/ssh/ssh_host_ed25519_key (0600)",
            "file /etc/ssh/ssh_host_ed25519_key.pub (0644)",
            "file /etc/ssh/ssh_host_ed25519_key-cert.pub (0644)",
            "lines in /etc/ssh/sshd_config.d/50-cloud-init.conf",
        ]
    );
    assert!(!format!("{plan:?}").contains("hunter2"), "{plan:?}");
    let keys: Vec<&[u8]> = plan
        .effects()
        .filter_map(|effect| match effect {
            Effect::File(file) if file.mode.is_private() => Some(file.content.bytes()),
            _ => None,
        })
        .collect();
    assert_eq!(
        keys[0],
        PRIVATE.as_bytes(),
        "sshd needs the last line's end"
    );
    assert_eq!(
        plan.text_of("/etc/ssh/sshd_config.d/50-cloud-init.conf")
            .unwrap(),
        "HostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub\n"
    );
    assert_eq!(setting.plan::<SshRsa>(&config).lines(), [""; 0]);
}
