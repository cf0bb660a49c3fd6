//! The built binary on files that are not launched yet: what it finds wrong in them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "for tests only"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Answer, Case, Scratch, alone};

fn check(text: &str, args: &[&str]) -> Answer {
    let scratch = Scratch::new();
    let file = scratch.path().join("user-data");
    fs::write(&file, text).unwrap();
    let mut answer = alone(&[&["validate", file.to_str().unwrap()], args].concat());
    answer.stdout = answer.stdout.replace(file.to_str().unwrap(), "FILE");
    answer
}

#[test]
fn the_exit_code_tells_errors_from_warnings_and_both_from_notices() {
    #[rustfmt::skip]
    let table: [(&str, &[&str], i32, &str); 23] = [
        ("#cloud-config\nhostname: web\n",            &[],            0,  "FILE: fine"),
        ("#!/bin/sh\ntrue\n",                         &[],            0,  "FILE: fine"),
        ("bucket=acme-site\n",                        &[],            0,  "FILE: fine"),
        ("#cloud-config\npackage_updat: true\n",      &[],            2,  "did you mean `package_update`?"),
        ("#cloud-config\npackage_updat: true\n",      &["--strict"],  1,  "unknown key"),
        ("#cloud-config\nlandscape: {client: {account_name: a, computer_title: b, script_users: c}}\n", &["--strict"], 0, "FILE: fine"),
        ("#cloud-config\nansible: {setup_controller: {run_ansible: [{playbook_dir: a, playbook_name: b, become_user: c}]}}\n", &["--strict"], 0, "FILE: fine"),
        ("#cloud-config\nruncmd: ls\n",               &[],            1,  "FILE:2:9"),
        ("#cloud-config\nruncmd: [ls\n",              &[],            1,  "a bracket is not closed"),
        ("#cloud-config\nhostname: -web\n",           &[],            1,  "not a valid host name"),
        ("#cloud-config\nruncmd: [ls, false]\n",      &[],            1,  "nothing of runcmd is run"),
        ("#cloud-config\nwarnings: {a: off}\n",       &[],            2,  "`warnings` is cloud-init's"),
        ("hostname: web\n",                           &[],            1,  "begin it with `#cloud-config`"),
        ("hostname: web\n",                           &["--image"],   0,  "FILE: fine"),
        ("content: [{dest: /srv}]\n",                 &["--image"],   1,  "missing key `source`"),
        ("firstlight: {gate_bugdet: 5s}\n",           &["--image"],   2,  "did you mean `gate_budget`?"),
        ("system_info: {ntp_client: ntp, rsyslog_svcname: a, apt_get_command: [a], apt_get_wrapper: {enabled: auto}}\n", &["--image"], 0, "FILE: fine"),
        ("system_info: {apt_get_command: {a: b}}\n",  &["--image"],   1,  "expected a list of strings"),
        ("",                                          &[],            2,  "there is nothing in it"),
        ("#include\nhttps://example.com/a?key=x\n",   &["--strict"],  0,  "https://example.com/a is not fetched here"),
        ("#include\nfile:///srv/a\ns3://bucket/a\n",  &[],            0,  "s3://bucket/a is not fetched here"),
        ("#include\nftp://example.com/a\n",           &[],            1,  "expected an address"),
        ("#include\ns3://bucket\n",                   &[],            1,  "expected `s3://BUCKET/KEY`"),
    ];
    for (text, args, code, says) in table {
        let answer = check(text, args);
        assert_eq!(answer.code, code, "{text:?}: {answer:?}");
        assert!(answer.stdout.contains(says), "{text:?}: {answer:?}");
    }
    assert_eq!(alone(&["validate"]).code, 64);
    let missing = alone(&["validate", "/does/not/exist"]);
    assert_eq!(missing.code, 1);
    assert!(
        missing.stdout.contains("cannot read /does/not/exist"),
        "{missing:?}"
    );
}

#[test]
fn what_another_machine_may_have_is_no_mistake_of_a_document() {
    let text = "#cloud-config
disk_setup: {/dev/nosuch: {layout: true}}
fs_setup: [{device: /dev/sdf, filesystem: zfs}]
mounts: [[/dev/sdf, /data]]
swap: {size: auto}
random_seed: {command: [pollinate], command_required: true}
timezone: Europe/Paris
keyboard: {layout: de}
ca_certs: {remove_defaults: true}
groups: [{crew: [root, games]}]
users: [default, {name: jump, ssh_redirect_user: true}]
manage_etc_hosts: localhost
chef: {server_url: 'https://chef.example.com', validation_name: crew, validation_cert: system}
";
    let answer = check(text, &["--strict"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.stdout.contains("FILE: fine"), "{answer:?}");
}

#[test]
fn what_is_wrong_is_shown_in_its_line() {
    let answer = check("#cloud-config\nfqdn: a.b\ndisable_root:   [1]\n", &[]);
    let text = "error: disable_root: expected true or false; it is taken as true\n \
        --> FILE:3:17\n  |\n3 | disable_root:   [1]\n  |                 ^\n\nFILE: 1 error\n";
    assert_eq!(answer.stdout, text);
}

#[test]
fn each_part_is_checked_whosever_it_is_and_json_names_it() {
    let text = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n\
        --B\nContent-Type: text/cloud-config\nLaunch-Index: 0\n\n#cloud-config\ncolour: red\n\
        --B\nContent-Type: text/cloud-config\nLaunch-Index: 1\n\n#cloud-config\nhostname: [a]\n\
        --B--\n";
    let answer = check(text, &["--format", "json"]);
    let json: Value = serde_json::from_str(&answer.stdout).unwrap();
    let row = |part: &str, line, column, severity: &str, message: &str| {
        serde_json::json!({
            "file": "FILE", "part": part, "line": line, "column": column,
            "severity": severity, "message": message, "hint": null,
        })
    };
    let want = [
        row("part-001", 9, 1, "warning", "unknown key `colour`"),
        row(
            "part-002",
            15,
            11,
            "error",
            "hostname: expected a string, found a list",
        ),
    ];
    assert_eq!(json, Value::from(want.to_vec()), "{answer:?}");
}

#[test]
fn a_secret_is_warned_of_and_never_shown() {
    let text = "#cloud-config\nusers: {passwd: correct-horse}\nruncmd:\n  - export TOKEN=battery-staple\n  \
        - true\npassword: [battery-staple]\nkey: |\n  -----BEGIN PRIVATE KEY-----\n  MIIEstaple\n  \
        -----END PRIVATE KEY-----\n";
    for format in ["text", "json"] {
        let answer = check(text, &["--format", format]);
        assert_eq!(answer.code, 1, "{answer:?}");
        let said = answer.stdout;
        assert!(
            !said.contains("horse") && !said.contains("staple"),
            "{said}"
        );
        for what in ["a password or token", "a private key"] {
            assert!(said.contains(what), "{said}");
        }
    }
}

#[test]
fn a_template_of_an_image_is_looked_at_and_not_rendered() {
    #[rustfmt::skip]
    let table = [
        ("{% if v1.region %}\nhostname: {{ v1.nope }}\n{% endif %}\n", 0, "what it renders to depends on the instance"),
        ("hostname: a\n{% if %}\n",                                   1, "the template cannot be rendered"),
    ];
    for (text, code, says) in table {
        let scratch = Scratch::new();
        let file = scratch.path().join("50-web.cfg");
        fs::write(&file, format!("## template: jinja\n{text}")).unwrap();
        let answer = alone(&["validate", "--image", file.to_str().unwrap()]);
        assert_eq!(answer.code, code, "{answer:?}");
        assert!(answer.stdout.contains(says), "{answer:?}");
    }
}

#[test]
fn whoever_can_read_a_secret_is_named() {
    let secret = "password: correct-horse\n";
    let user_data = check(&format!("#cloud-config\n{secret}"), &[]);
    assert!(
        user_data.stdout.contains("every process on the instance"),
        "{user_data:?}"
    );
    let image = check(secret, &["--image"]);
    assert!(
        image.stdout.contains("whoever launches the image"),
        "{image:?}"
    );
}

#[test]
fn a_boot_tells_of_slips_as_warnings_and_of_secrets_as_notices() {
    #[rustfmt::skip]
    let table = [
        // user data                                       health      said
        ("#cloud-config\nhostname: web\n",                 "done",     ""),
        ("#cloud-config\nhostnam: web\n",                  "degraded", "part-001:2:1: unknown key `hostnam` (did you mean `hostname`?)"),
        ("#!/bin/sh\nTOKEN=correct-horse true\n",          "done",     "notice: part-001:2:7: what looks like a password or token"),
        ("#cloud-config\nmanage_etc_hosts: 7\n",           "error",    "manage_etc_hosts: expected true, false or localhost"),
    ];
    for (user_data, health, says) in table {
        let case = Case::made(user_data, "instance-id: i-one\n");
        let apply = case.run(&["apply"]);
        let status = case.run(&["status"]);
        let said = format!("{}{}", status.stdout, status.stderr);
        assert!(
            said.contains(&format!("status: {health}")),
            "{user_data}: {apply:?} {said}"
        );
        assert!(said.contains(says), "{user_data}: {said}");
        assert!(!said.contains("horse"), "{said}");
        let lines = said.lines().filter(|line| line.contains("part-001:2:"));
        assert!(lines.count() <= 1, "told once: {said}");
    }
}

#[test]
fn every_example_is_fine() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let (mut user_data, mut image) = (Vec::new(), Vec::new());
    collect(&examples, &mut user_data, &mut image);
    assert!(!user_data.is_empty() && !image.is_empty());
    for (files, args) in [
        (user_data, &["--strict"][..]),
        (image, &["--strict", "--image"]),
    ] {
        for file in files {
            let file = file.to_str().unwrap();
            let answer = alone(&[&["validate", file], args].concat());
            assert_eq!(answer.code, 0, "{answer:?}");
        }
    }
}

/// The files of user data and of images' configuration below a directory.
fn collect(dir: &Path, user_data: &mut Vec<PathBuf>, image: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let text = path.to_str().unwrap();
        if path.is_dir() {
            collect(&path, user_data, image);
        } else if text.ends_with("/user-data") {
            user_data.push(path);
        } else if text.contains("/etc/firstlight/") || text.contains("/etc/cloud/") {
            image.push(path);
        }
    }
}

#[test]
fn the_schema_and_a_modules_keys_are_there_to_read() {
    let schema: Value = serde_json::from_str(&alone(&["schema"]).stdout).unwrap();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    for key in [
        "hostname",
        "content",
        "firstlight",
        "datasource",
        "merge_how",
        "zypper",
    ] {
        assert!(
            schema["properties"][key]["description"].is_string(),
            "{key}"
        );
    }
    let answer = alone(&["modules", "content"]).stdout;
    for line in [
        "content: fetch content from a bucket or a directory",
        "stage config, once for an instance, if one of its keys is given",
    ] {
        assert!(answer.contains(line), "{answer}");
    }
    let keep = answer
        .lines()
        .find(|line| line.starts_with("content[].keep"))
        .unwrap();
    assert!(
        keep.contains("an integer") && keep.contains(" 3 "),
        "{keep}"
    );
    let pro = alone(&["modules", "ubuntu_pro"]).stdout;
    for told in [
        "an Ubuntu Pro instance needs none; secret",
        "its services; once called `ubuntu_advantage`, `ubuntu-advantage`",
    ] {
        assert!(pro.contains(told), "{pro}");
    }
    let json: Value =
        serde_json::from_str(&alone(&["modules", "content", "--format", "json"]).stdout).unwrap();
    assert_eq!(
        json["keys"]["content"]["type"],
        serde_json::json!(["array", "null"]),
        "null is as if the key were not there"
    );
}

#[test]
fn a_secret_of_a_wrong_shape_is_not_shown() {
    #[rustfmt::skip]
    let table = [
        "password:\n- hunter2\n",
        "password:\n  text: hunter2\n",
        "chpasswd:\n  users:\n  - root:hunter2\n",
        "chpasswd:\n  list:\n    root: hunter2\n",
        "chpasswd:\n- root:hunter2\n",
        "rh_subscription: hunter2\n",
        "rh_subscription:\n  pasword: hunter2\n  org: [a]\n",
        "pasword: hunter2\nhostname: -a\n",
        "ubuntu_pro:\n  token:\n    - hunter2\n",
        "wireguard:\n  interfaces:\n  - content:\n      PrivateKey: hunter2\n",
        "landscape:\n  client:\n    registration_key: |\n      a\n      hunter2\n",
        "users:\n- name: web\n  hashed_passwd:\n  - [hunter2]\n",
        "write_files:\n- path: /a\n  source:\n    uri: b\n    headers:\n    - hunter2\n",
    ];
    for text in table {
        for (head, args) in [("#cloud-config\n", &[][..]), ("", &["--image"])] {
            let answer = check(&format!("{head}{text}"), args);
            assert_eq!(answer.code, 1, "{text}: {answer:?}");
            assert!(!answer.stdout.contains("hunter2"), "{text}: {answer:?}");
        }
    }
}
