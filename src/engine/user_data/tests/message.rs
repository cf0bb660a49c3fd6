use contract::instance::LaunchIndex;

use super::*;

const MESSAGE: &str = "Content-Type: multipart/mixed; boundary=\"B\"\n\
MIME-Version: 1.0\n\n\
--B\nContent-Type: text/cloud-config\nContent-Disposition: attachment; filename=\"../../evil name;.yaml\"\n\n\
#!not a script\n\
--B\nContent-Type: multipart/mixed; boundary=\"C\"\n\n\
--C\nContent-Type: text/plain\nLaunch-Index: 2\n\n#!/bin/sh\necho two\n\
--C\nContent-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n\nIyEvYmluL3NoCmVjaG8gdGhyZWUK\n\
--C--\n\
--B\nContent-Type: text/x-shellscript-per-boot\n\n#!/bin/sh\n\
--B--\n";

#[test]
fn the_leaves_of_a_message_are_parts_in_order() {
    let (parts, problems) = of(MESSAGE.as_bytes());
    assert!(problems.is_empty(), "{problems:?}");
    let found: Vec<_> = parts
        .iter()
        .map(|part| (part.name.as_str(), &part.kind))
        .collect();
    assert_eq!(
        found,
        [
            (".._.._evilname.yaml", &PartKind::CloudConfig),
            ("part-002", &PartKind::Script),
            ("part-003", &PartKind::Script),
            ("part-004", &PartKind::PerBoot),
        ]
    );
    assert_eq!(parts[1].launch_index, Some(LaunchIndex(2)));
    assert_eq!(parts[2].body.expose(), b"#!/bin/sh\necho three\n");
    assert_eq!(parts[0].first_line, 8);
}

#[test]
fn a_message_is_one_only_with_a_mime_version_near_its_beginning() {
    let unknown = [PartKind::Unknown("text/x-not-multipart".to_owned())];
    let without = MESSAGE.replace("MIME-Version: 1.0\n", "");
    assert_eq!(kinds(without.as_bytes()), unknown);
    let far = format!("X: {}\n{MESSAGE}", "x".repeat(4096));
    assert_eq!(kinds(far.as_bytes()), unknown);
    let lower = MESSAGE.replace("MIME-Version", "mime-VERSION");
    assert_eq!(kinds(lower.as_bytes()).len(), 4);
    // A text without headers is a message's body.
    assert_eq!(kinds(b"#!/bin/sh\n# mime-version: 1\n"), [PartKind::Script]);
}

#[test]
fn an_empty_line_before_the_headers_makes_them_text_and_that_is_told() {
    let (parts, problems) = of(format!("\n{MESSAGE}").as_bytes());
    assert_eq!(parts[0].kind, PartKind::Unknown("text/plain".to_owned()));
    assert!(
        problems[0].to_string().contains("empty line"),
        "{problems:?}"
    );
}

#[test]
fn windows_lines_are_lines() {
    let (parts, problems) = of(MESSAGE.replace('\n', "\r\n").as_bytes());
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(parts.len(), 4);
    assert_eq!(parts[1].body.expose(), b"#!/bin/sh\r\necho two");
}

#[test]
fn a_zipped_part_is_doubted_and_keeps_its_name_and_launch_index_alone() {
    let body = STANDARD.encode(gzip(b"#cloud-config\na: 1\n"));
    let data = format!(
        "MIME-Version: 1.0\nContent-Type: application/x-gzip; name=a.yaml\nLaunch-Index: 1\n\
         Merge-Type: list(append)\nContent-Transfer-Encoding: base64\n\n{body}"
    );
    let (parts, problems) = of(data.as_bytes());
    assert_eq!(problems, []);
    let part = &parts[0];
    assert_eq!(
        (part.name.as_str(), &part.kind),
        ("a.yaml", &PartKind::CloudConfig)
    );
    assert_eq!(
        (part.launch_index, &part.merge_type),
        (Some(LaunchIndex(1)), &None)
    );
}

#[test]
fn a_part_that_only_says_it_is_zipped_is_skipped_and_the_others_count() {
    let data = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n\
                --B\nContent-Type: application/gzip\n\nsecret\n--B\n\n#!/bin/sh\n--B--\n";
    let (parts, problems) = of(data.as_bytes());
    assert_eq!(parts[0].name, "part-001");
    let said = problems[0].to_string();
    assert_eq!(
        said,
        "user-data:7:1: part ignored: declared as gzip, but it is not"
    );
}

#[test]
fn a_launch_index_that_is_no_number_is_nobodys() {
    for (text, index, nobody) in [
        ("1", Some(1), false),
        (" 7 ", Some(7), false),
        ("", None, true),
        ("-1", None, true),
        ("one", None, true),
    ] {
        let data = format!("MIME-Version: 1.0\nLaunch-Index: {text}\n\n#!/bin/sh\n");
        let (parts, problems) = of(data.as_bytes());
        assert_eq!(parts[0].launch_index.map(|index| index.0), index, "{text}");
        assert_eq!(
            (parts[0].for_nobody, problems.len() == 1),
            (nobody, nobody),
            "{text}"
        );
    }
}

#[test]
fn a_message_within_a_message_is_told_of_and_its_content_counts() {
    let data = "MIME-Version: 1.0\nContent-Type: message/rfc822\n\nSubject: x\n\n#!/bin/sh\n";
    let kinds = kinds(data.as_bytes());
    assert_eq!(
        kinds,
        [PartKind::Unsupported("message/rfc822"), PartKind::Script]
    );
}
