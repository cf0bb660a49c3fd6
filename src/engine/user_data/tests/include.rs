use sha2::{Digest, Sha256};

use super::*;

const A: &str = "https://example.com/a?token=hunter2";
const B: &str = "s3://bucket/b";

fn web(pages: &[(&str, &[u8])]) -> Web {
    let pages = pages
        .iter()
        .map(|(url, body)| ((*url).to_owned(), body.to_vec()));
    Web {
        pages: pages.collect(),
        ..Web::default()
    }
}

fn fetched(web: &Web, data: &str) -> (Vec<Part>, Vec<Problem>) {
    let (parts, problems, _) = on(&FakeMachine::default(), web, false, data.as_bytes());
    (parts, problems)
}

#[test]
fn addresses_stand_on_lines_or_behind_the_word_and_other_hashes_are_comments() {
    let data = format!(
        "#include\n{A}\n\n  {B}  \n# {A}\n#comment\n#Include /etc/motd\n#include-once  #no\n#include # no\n"
    );
    let web = web(&[(A, b""), (B, b""), ("file:///etc/motd", b"")]);
    let (_, problems) = fetched(&web, &data);
    assert_eq!(problems, []);
    assert_eq!(*web.asked.borrow(), [A, B, "file:///etc/motd"]);
}

#[test]
fn what_is_included_is_decoded_from_the_start_and_stands_where_the_include_stood() {
    let message = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n\
                   --B\nLaunch-Index: 3\n\n#!/bin/sh\n--B\n\n#include s3://bucket/b\n--B--\n";
    let zipped = gzip(message.as_bytes());
    let encoded = STANDARD.encode("#!/bin/sh");
    let web = web(&[
        (A, &zipped),
        (B, b"#cloud-config\na: 1\n"),
        ("http://c/", encoded.as_bytes()),
    ]);
    let data = "#cloud-config-archive\n- 'x: 1'\n";
    let outer = format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=X\n\n--X\n\n{data}\
         --X\n\n#include\n{A}\nhttp://c/\n--X\n\n#!/bin/last\n--X--\n"
    );
    let (parts, problems) = fetched(&web, &outer);
    assert_eq!(problems, []);
    let found: Vec<_> = parts.iter().map(|part| (part.number, &part.kind)).collect();
    let base64 = PartKind::Unknown("text/x-not-multipart".to_owned());
    assert_eq!(
        found,
        [
            (1, &PartKind::CloudConfig),
            (2, &PartKind::Script),
            (3, &PartKind::CloudConfig),
            (4, &base64), // only the first bytes of all are tried as base64
            (5, &PartKind::Script),
        ]
    );
    assert_eq!(parts[1].launch_index.map(|index| index.0), Some(3));
}

#[test]
fn one_address_that_gives_nothing_costs_all_parts_and_its_query_is_not_told() {
    let web = web(&[]);
    let data = format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=X\n\n--X\n\n#!/bin/sh\n\
         --X\n\n#include\n{A}\n--X\n\n#!/bin/sh\n--X--\n"
    );
    let (parts, problems) = fetched(&web, &data);
    assert!(parts.is_empty());
    assert_eq!(problems[0].severity, contract::plan::Severity::Error);
    let said = problems[0].to_string();
    let begins = "user-data:10:1: no part of the user data is used: https://example.com/a was answered with status 404";
    assert!(said.starts_with(begins), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_pin_is_compared_and_never_sent() {
    let hex: String = Sha256::digest(b"#!/bin/sh\n")
        .iter()
        .map(|b| format!("{b:02X}"))
        .collect();
    for (pin, count) in [(hex.as_str(), 1), (&hex[1..], 0), ("", 0)] {
        let web = web(&[(B, b"#!/bin/sh\n")]);
        let (parts, problems) = fetched(&web, &format!("#include {B}#sha256={pin}\n"));
        assert_eq!((parts.len(), problems.len()), (count, 1 - count), "{pin}");
        assert_eq!(*web.asked.borrow(), [B]);
    }
}

#[test]
fn once_is_fetched_once_for_an_instance_and_the_others_at_every_boot() {
    let data = format!("#include-once\n{A}\n#include\n{B}\n").into_bytes();
    let web = web(&[(A, b"#!/bin/a"), (B, b"#!/bin/b")]);
    let machine = FakeMachine::default();
    let (_, _, kept) = on(&machine, &web, false, &data);
    assert_eq!(kept.len(), 2);
    for (path, body) in kept {
        let body = body.unwrap().expose().clone();
        machine.files.borrow_mut().insert(path, body);
    }
    web.asked.borrow_mut().clear();
    let (parts, ..) = on(&machine, &web, false, &data);
    assert_eq!(
        (parts.len(), web.asked.borrow().clone()),
        (2, vec![B.to_owned()])
    );
    web.asked.borrow_mut().clear();
    let (parts, ..) = on(&machine, &web, true, &data);
    assert_eq!((parts.len(), web.asked.borrow().len()), (2, 0));
}

#[test]
fn a_later_stage_sees_the_failure_of_the_first_one_and_not_an_earlier_boot() {
    let data = format!("#include {B}\n").into_bytes();
    let machine = FakeMachine::default();
    let (_, _, kept) = on(&machine, &web(&[(B, b"#!/bin/b")]), false, &data);
    let path = kept[0].0.clone();
    let (_, _, kept) = on(&machine, &web(&[]), false, &data);
    assert_eq!(kept, [(path, None)]);
    let (parts, problems, kept) = on(&machine, &web(&[(B, b"#!/bin/b")]), true, &data);
    assert_eq!((parts.len(), problems.len(), kept.len()), (0, 1, 0));
}

#[test]
fn includes_have_limits_by_name() {
    let loops = web(&[(B, b"#include s3://bucket/b\n")]);
    let (parts, problems) = fetched(&loops, &format!("#include {B}\n"));
    assert!(parts.is_empty());
    assert!(
        problems[0].message.contains("MAX_INCLUDE_DEPTH (8)"),
        "{problems:?}"
    );
    let many = format!("#include\n{}", format!("{B}\n").repeat(65));
    let (_, problems) = fetched(&web(&[(B, b"")]), &many);
    assert!(
        problems[0].message.contains("MAX_INCLUDES (64)"),
        "{problems:?}"
    );
    let large = web(&[(B, &vec![b'#'; (16 << 20) + 1])]);
    let (_, problems) = fetched(&large, &format!("#include {B}\n"));
    assert!(
        problems[0].message.contains("more than 16777216 bytes"),
        "{problems:?}"
    );
}

#[test]
fn a_launch_index_of_an_include_has_no_effect_and_that_is_told() {
    let data = format!("MIME-Version: 1.0\nLaunch-Index: 4\n\n#include {B}\n");
    let (parts, problems) = fetched(&web(&[(B, b"#!/bin/sh")]), &data);
    assert_eq!((parts[0].launch_index, problems.len()), (None, 1));
}
