//! The table, byte by byte as cloud-init prints it.

use contract::testing::{FakeMachine, Setting};

use super::*;

const KEYS_OF_ADA: &str = r#"# mine
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGvGQ1bnAdKyJfzbb0xMv7kUJ5cDpBF3f8Wvpvh6XbJ8 ada@home and more
no-pty,command="echo \"hi there\"" ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7 

junk
"#;

fn plan(config: &str, files: &[(&str, &str)]) -> Plan {
    let passwd = "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n";
    let mut all = vec![("/etc/passwd", passwd)];
    all.extend(files);
    let setting = Setting {
        machine: FakeMachine::with(&all),
        ..Setting::default()
    };
    setting.plan::<AuthkeyFingerprints>(config)
}

fn shown(plan: &Plan) -> String {
    let text = plan.effects().map(|effect| match effect {
        Effect::Console { text } => text.as_str(),
        other => panic!("{other}"),
    });
    text.collect()
}

const ADA: &str = "users: [{name: ada}]\n";

#[test]
fn the_table_has_the_columns_that_tools_read() {
    let plan = plan(ADA, &[("/home/ada/.ssh/authorized_keys", KEYS_OF_ADA)]);
    #[rustfmt::skip]
    let expected = concat!(
        "ci-info: +++++++++++++++++++++++++++++++++++++++++++++++++++++Authorized keys from /home/ada/.ssh/authorized_keys for user ada+++++++++++++++++++++++++++++++++++++++++++++++++++++\n",
        "ci-info: +-------------+-------------------------------------------------------------------------------------------------+------------------------------------+-------------------+\n",
        "ci-info: |   Keytype   |                                       Fingerprint (sha256)                                      |              Options               |      Comment      |\n",
        "ci-info: +-------------+-------------------------------------------------------------------------------------------------+------------------------------------+-------------------+\n",
        "ci-info: | ssh-ed25519 | 9b:6c:08:c6:3f:72:61:56:d0:d7:6c:31:ca:02:2b:1d:ab:b6:3a:a3:7a:4e:b0:65:2b:00:8d:04:fd:ab:d2:40 |                 -                  | ada@home and more |\n",
        "ci-info: |   ssh-rsa   | 06:08:c7:1f:93:f3:96:cd:31:d1:c7:9e:c6:11:e5:d2:d1:66:e8:40:52:14:a5:ae:90:e7:33:ad:0a:dd:97:d6 | no-pty,command=\"echo \\\"hi there\\\"\" |         -         |\n",
        "ci-info: +-------------+-------------------------------------------------------------------------------------------------+------------------------------------+-------------------+\n",
    );
    assert_eq!(shown(&plan), expected);
}

#[test]
fn the_hash_and_the_file_are_those_that_are_asked_for() {
    let config = format!("{ADA}authkey_hash: sha512\n");
    let sshd = "AuthorizedKeysFile /etc/ssh/keys/%u\n";
    let files = [
        ("/etc/ssh/sshd_config", sshd),
        ("/etc/ssh/keys/ada", KEYS_OF_ADA),
        ("/home/ada/.ssh/authorized_keys", ""),
    ];
    let text = shown(&plan(&config, &files));
    assert!(
        text.contains("+Authorized keys from /etc/ssh/keys/ada for user ada+"),
        "{text}"
    );
    assert!(
        text.contains(" Fingerprint (sha512) ") && text.contains(" 63:cb:bd:1a:40:"),
        "{text}"
    );
}

#[test]
fn users_are_shown_once_if_they_have_a_home() {
    let nobody = |user: &str| {
        format!("ci-info: no authorized SSH keys fingerprints found for user {user}.\n")
    };
    #[rustfmt::skip]
    let table = [
        (ADA.to_owned(),                                             nobody("ada")),
        ("users: [ada, {name: root}]".into(),                        nobody("ada") + &nobody("root")),
        ("system_info: {default_user: {name: ada}}".into(),          nobody("ada")),
        ("users: [{name: ada, system: true}]".into(),                String::new()),
        ("users: [{name: ada, no_create_home: true}]".into(),        String::new()),
        ("users: [{name: eve}]".into(),                              String::new()),
        (format!("{ADA}no_ssh_fingerprints: true"),                  String::new()),
        (format!("{ADA}no_ssh_fingerprints: 'off'"),                 nobody("ada")),
    ];
    for (config, text) in table {
        assert_eq!(shown(&plan(&config, &[])), text, "{config}");
    }
}

#[test]
fn what_is_wrong_is_told_and_the_default_counts() {
    #[rustfmt::skip]
    let table = [
        ("authkey_hash: md5",
         "test:2:15: authkey_hash: expected one of `sha224`, `sha256`, `sha384`, `sha512` (keys are shown by their sha256)"),
        ("no_ssh_fingerprints: perhaps",
         "test:2:22: no_ssh_fingerprints: expected true or false; it is taken as false"),
    ];
    for (config, message) in table {
        let plan = plan(&format!("{ADA}{config}"), &[]);
        let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
        assert_eq!(said, [message]);
        assert_eq!(plan.steps.len(), 1, "{config}");
    }
}
