//! The built binary on user data in a file: what it finds in it, and where that stands.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "for tests only"
)]

mod support;

use serde_json::Value;
use support::{Answer, Scratch, alone};

const MESSAGE: &str = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n\
    --B\nContent-Type: text/cloud-config\n\n#cloud-config\nfqdn: a.example.com\npackages: [one]\n\
    --B\nContent-Type: text/cloud-config\nLaunch-Index: 1\n\n#cloud-config\nhostname: second\n\
    --B\nContent-Type: text/cloud-config\n\n#cloud-config\nmerge_how: 'list(append)+dict(recurse_list)'\npackages: [two]\n\
    --B\nContent-Type: text/x-shellscript; charset=us-ascii\n\n#!/bin/sh\necho hello\n\
    --B\nContent-Type: text/plain\n\nbucket=acme-site\n\
    --B\nContent-Type: text/cloud-config\n\n#cloud-config\na: [\n\
    --B--\n";

fn on(args: &[&str], data: &str) -> Answer {
    let scratch = Scratch::new();
    let file = scratch.path().join("user-data");
    std::fs::write(&file, data).unwrap();
    let metadata = scratch.path().join("meta-data");
    std::fs::write(&metadata, "{\"ami-launch-index\": 1}").unwrap();
    let paths = [file.to_str().unwrap(), metadata.to_str().unwrap()];
    let args: Vec<&str> = args
        .iter()
        .map(|arg| match *arg {
            "FILE" => paths[0],
            "METADATA" => paths[1],
            other => other,
        })
        .collect();
    alone(&args)
}

#[test]
fn parts_are_listed_in_order_with_type_digest_and_decision() {
    let args = ["userdata", "parts", "--file", "FILE", "--format", "json"];
    let answer = on(&[&args[..], &["--launch-index", "0"]].concat(), MESSAGE);
    let parts: Value = serde_json::from_str(&answer.stdout).unwrap();
    #[rustfmt::skip]
    let table = [
        // type                launch index   what became of it
        ("text/cloud-config",  Value::Null,   "used"),
        ("text/cloud-config",  1.into(),      "for another launch index"),
        ("text/cloud-config",  Value::Null,   "used"),
        ("text/x-shellscript", Value::Null,   "used"),
        ("text/plain",         Value::Null,   "used"),
        ("text/cloud-config",  Value::Null,   "ignored: not a YAML mapping"),
    ];
    assert_eq!(parts.as_array().unwrap().len(), table.len(), "{answer:?}");
    for (index, (mime, launch_index, decision)) in table.into_iter().enumerate() {
        let part = &parts[index];
        assert_eq!(part["name"], format!("part-{:03}", index + 1));
        assert_eq!(part["type"], mime, "{part}");
        assert_eq!(part["launch_index"], launch_index, "{part}");
        assert_eq!(part["decision"], decision, "{part}");
    }
    // printf '#!/bin/sh\necho hello' | sha256sum
    let digest = "a78099e651d435331090f1b8d0849947eefba34cc32a69169c59f5251617aac4";
    assert_eq!(parts[3]["sha256"], digest);
    assert_eq!(parts[3]["size"], 20);
    assert!(answer.stderr.contains("part-006:"), "{answer:?}");
}

#[test]
fn the_merged_configuration_says_where_each_key_comes_from() {
    let args = [
        "userdata",
        "config",
        "--file",
        "FILE",
        "--metadata",
        "METADATA",
    ];
    let answer = on(&args, MESSAGE);
    let text = "#cloud-config\n\
        # part-001:8\nfqdn: a.example.com\n\
        # part-001:9, part-003:21\npackages:\n  - one\n  - two\n\
        # part-002:15\nhostname: second\n";
    assert_eq!(answer.stdout, text, "{answer:?}");
    let answer = on(&[&args[..], &["--format", "json"]].concat(), MESSAGE);
    let json: Value = serde_json::from_str(&answer.stdout).unwrap();
    let want = serde_json::json!({
        "fqdn": "a.example.com", "packages": ["one", "two"], "hostname": "second",
    });
    assert_eq!(json, want);
}

#[test]
fn one_part_is_shown_as_it_is_and_parameters_as_pairs() {
    #[rustfmt::skip]
    let table: [(&[&str], i32, &str, &str); 5] = [
        (&["show", "--file", "FILE", "--part", "4"],    0, "#!/bin/sh\necho hello",   ""),
        (&["show", "--file", "FILE"],                   1, "",                        "say which with --part"),
        (&["show", "--file", "FILE", "--part", "7"],    1, "",                        "there is no part 7"),
        (&["params", "--file", "FILE", "--format", "json"], 0, "{\n  \"bucket\": \"acme-site\"\n}\n", ""),
        (&["show", "--launch-index", "0"],              64, "",                       "--file"),
    ];
    for (args, code, stdout, says) in table {
        let answer = on(&[&["userdata"], args].concat(), MESSAGE);
        assert_eq!(answer.code, code, "{args:?}: {answer:?}");
        assert_eq!(answer.stdout, stdout, "{args:?}");
        assert!(answer.stderr.contains(says), "{args:?}: {answer:?}");
    }
}

#[test]
fn what_the_boot_stored_is_shown_too() {
    let case = support::Case::made(MESSAGE, "instance-id: i-one\nlaunch-index: 0\n");
    assert_eq!(
        case.run(&["userdata", "show", "--part", "5"]).stdout,
        "bucket=acme-site"
    );
    case.run(&["apply"]);
    let root = case.root();
    let root = root.to_str().unwrap();
    let answer = alone(&["--root", root, "userdata", "show", "--part", "5"]);
    assert_eq!(answer.stdout, "bucket=acme-site", "{answer:?}");
    let empty = Scratch::new();
    let empty = empty.path().to_str().unwrap();
    let answer = alone(&["--root", empty, "userdata", "parts"]);
    assert!(
        answer.code == 1 && answer.stderr.contains("nothing is stored"),
        "{answer:?}"
    );
}
