use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::settings::Settings;

fn of(data: &[u8]) -> (Vec<Part>, Vec<Problem>) {
    let (settings, _) = Settings::of(&contract::testing::config(""));
    parts(
        &UserData::new(data.to_vec()),
        "user-data",
        &settings.parameters,
    )
}

fn kinds(data: &[u8]) -> Vec<PartKind> {
    of(data).0.into_iter().map(|part| part.kind).collect()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_part_is_what_it_begins_like() {
    let unknown = || PartKind::Unknown("text/x-not-multipart".to_owned());
    let rows: [(&[u8], PartKind); 17] = [
        (b"#cloud-config\na: 1\n", PartKind::CloudConfig),
        (b"\n  #Cloud-Config\na: 1\n", PartKind::CloudConfig),
        (b"#cloud-configuration\n", PartKind::CloudConfig),
        (b"#!/bin/sh\n", PartKind::Script),
        (
            b"#cloud-config-archive\n",
            PartKind::Unsupported("cloud-config-archive"),
        ),
        (
            b"#cloud-config-jsonp\n",
            PartKind::Unsupported("cloud-config-jsonp"),
        ),
        (
            b"#cloud-boothook\n",
            PartKind::Unsupported("cloud-boothook"),
        ),
        (b"#include\nhttp://x/\n", PartKind::Unsupported("include")),
        (b"#include-once\n", PartKind::Unsupported("include-once")),
        (b"#part-handler\n", PartKind::Unsupported("part-handler")),
        (
            b"## template: jinja\n",
            PartKind::Unsupported("jinja template"),
        ),
        (b"##template: jinja\n", unknown()),
        (b"bucket=acme-site\n", PartKind::Parameters),
        (b"#cloud-confg\na=1\n", unknown()),
        (b"hello world\n", unknown()),
        (b"---\na: 1\n", unknown()),
        (b"a=\xff\n", unknown()),
    ];
    for (data, kind) in rows {
        assert_eq!(kinds(data), [kind], "{:?}", String::from_utf8_lossy(data));
    }
    assert!(kinds(b"").is_empty());
}

#[test]
fn base64_is_undone_only_if_the_whole_is_strictly_that_and_gzip_once() {
    let script = b"#!/bin/sh\ntrue\n";
    let encoded = STANDARD.encode(script);
    assert_eq!(kinds(encoded.as_bytes()), [PartKind::Script]);
    assert_ne!(kinds(format!("{encoded}\n").as_bytes()), [PartKind::Script]);
    assert_eq!(kinds(&gzip(script)), [PartKind::Script]);
    assert_eq!(
        kinds(STANDARD.encode(gzip(script)).as_bytes()),
        [PartKind::Script]
    );
    assert_ne!(kinds(&gzip(&gzip(script))), [PartKind::Script]);
}

#[test]
fn what_is_too_large_raw_or_unpacked_is_refused() {
    for data in [vec![b'#'; (64 << 10) + 1], gzip(&vec![0; (16 << 20) + 1])] {
        let (parts, problems) = of(&data);
        assert!(parts.is_empty());
        assert!(
            problems[0].message.contains("larger than"),
            "{}",
            problems[0]
        );
    }
}

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
    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(
        names,
        [".._.._evilname.yaml", "part-002", "part-003", "part-004"]
    );
    let kinds: Vec<&PartKind> = parts.iter().map(|part| &part.kind).collect();
    let per_boot = PartKind::Unsupported("per-boot script");
    assert_eq!(
        kinds,
        [
            &PartKind::CloudConfig,
            &PartKind::Script,
            &PartKind::Script,
            &per_boot
        ]
    );
    assert_eq!(parts[1].launch_index, Some(LaunchIndex(2)));
    assert_eq!(parts[2].body.expose(), b"#!/bin/sh\necho three\n");
    assert_eq!(parts[0].first_line, 8);
}

#[test]
fn a_message_is_one_only_with_a_mime_version_and_without_a_blank_line_before_it() {
    let unknown = [PartKind::Unknown("text/x-not-multipart".to_owned())];
    assert_eq!(
        kinds(MESSAGE.replace("MIME-Version: 1.0\n", "").as_bytes()),
        unknown
    );
    assert_eq!(kinds(format!("\n{MESSAGE}").as_bytes()), unknown);
    assert_eq!(kinds(b"#!/bin/sh\n# mime-version: 1\n"), [PartKind::Script]);
}

#[test]
fn a_script_with_windows_lines_gets_unix_lines() {
    assert_eq!(
        of(b"#!/bin/sh\r\ntrue\r\n").0[0].body.expose(),
        b"#!/bin/sh\ntrue\n"
    );
    assert_eq!(
        of(b"#!/bin/sh\ntrue\r\n").0[0].body.expose(),
        b"#!/bin/sh\ntrue\r\n"
    );
}
