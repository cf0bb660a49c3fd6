mod archive;
mod include;
mod limits;
mod message;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contract::fetch::{Fetch, FetchError, Wanted, shown};
use contract::plan::Problem;
use contract::secret::Secret;
use contract::testing::FakeMachine;
use contract::user_data::{Part, PartKind, UserData};

use super::*;
use crate::settings::Settings;

/// The addresses that somebody answers, and which were asked.
#[derive(Default)]
pub(super) struct Web {
    pub(super) pages: BTreeMap<String, Vec<u8>>,
    pub(super) asked: RefCell<Vec<String>>,
}

impl Fetch for Web {
    fn check(&self, _: &str) -> Result<(), FetchError> {
        Ok(())
    }

    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Secret<Vec<u8>>, FetchError> {
        self.asked.borrow_mut().push(wanted.url.to_owned());
        let url = || shown(wanted.url);
        match self.pages.get(wanted.url) {
            Some(body) if body.len() > wanted.max_bytes => Err(FetchError::TooLarge {
                url: url(),
                limit: wanted.max_bytes,
            }),
            Some(body) => Ok(Secret::new(body.clone())),
            None => Err(FetchError::Status {
                url: url(),
                status: 404,
            }),
        }
    }
}

pub(super) fn on(
    machine: &FakeMachine,
    web: &Web,
    only_kept: bool,
    data: &[u8],
) -> (Vec<Part>, Vec<Problem>, Vec<Kept>) {
    let (settings, _) = Settings::of(&contract::testing::config(""));
    let includes = Surroundings {
        reach: if only_kept {
            Reach::Kept
        } else {
            Reach::Addresses(web)
        },
        examine: None,
        probe: Some(machine),
        dir: "/kept".into(),
    };
    let data = UserData::new(data.to_vec());
    let parameters = &settings.parameters;
    let (decoded, kept) = decode(&data, "user-data", false, parameters, &includes);
    (decoded.parts, decoded.problems, kept)
}

pub(super) fn of(data: &[u8]) -> (Vec<Part>, Vec<Problem>) {
    let (parts, problems, _) = on(&FakeMachine::default(), &Web::default(), false, data);
    (parts, problems)
}

pub(super) fn kinds(data: &[u8]) -> Vec<PartKind> {
    of(data).0.into_iter().map(|part| part.kind).collect()
}

pub(super) fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_part_is_what_it_begins_like() {
    let unknown = || PartKind::Unknown("text/x-not-multipart".to_owned());
    #[rustfmt::skip]
    let table: [(&[u8], PartKind); 22] = [
        (b"#cloud-config\na: 1\n",             PartKind::CloudConfig),
        (b"\n \t\r\x0b\x0c#Cloud-Config\na: 1", PartKind::CloudConfig), // case, white space
        ("\u{a0}\u{2028}#cloud-config".as_bytes(), PartKind::CloudConfig), // of any kind
        (b"#cloud-configuration\n",            PartKind::CloudConfig), // only a prefix
        (b"#cloud-config\xff\n",               PartKind::CloudConfig), // what follows is not asked
        (b"#cloud-config-jsonp\n",             PartKind::JsonPatch), // the longest prefix counts
        (b"#cloud-boothook\n",                 PartKind::BootHook),
        (b"#!/bin/sh\n",                       PartKind::Script),
        (b"#!/bin/sh\necho \xff\n",            PartKind::Script),
        (b"#part-handler\n",                   PartKind::Unsupported("text/part-handler")),
        (b"## template: jinja\n",              PartKind::Jinja),
        (b"## Template: JINJA\n",              PartKind::Jinja),
        (b"##template: jinja\n",               unknown()),
        (b"##  template: jinja\n",             unknown()),
        (b"# cloud-config\n",                  unknown()),
        (b"\xef\xbb\xbf#cloud-config\n",       unknown()), // a byte order mark
        (b"---\n#cloud-config\n",              unknown()),
        (b"bucket=acme-site\n",                PartKind::Parameters),
        (b"#cloud-confg\na=1\n",               unknown()), // mistyped, no comment
        (b"hello world\n",                     unknown()),
        (b"text/x-shellscript-per-boot\n",     PartKind::PerBoot), // its type is how it begins
        (b"a=\xff\n",                          unknown()),
    ];
    for (data, kind) in table {
        assert_eq!(kinds(data), [kind], "{:?}", String::from_utf8_lossy(data));
    }
    assert!(kinds(b"").is_empty());
    assert!(kinds(b"#cloud-config-archive\n").is_empty());
    assert!(kinds(b"#include\n#include-once\n").is_empty());
}

#[test]
fn only_a_declared_type_that_says_nothing_is_doubted() {
    let script = "#!/bin/sh\n";
    let unknown = |mime: &str| PartKind::Unknown(mime.to_owned());
    #[rustfmt::skip]
    let table = [
        // declared                        body               what it is
        ("text/plain",                     script,            PartKind::Script),
        ("text/x-not-multipart",           script,            PartKind::Script),
        ("TEXT/Plain; charset=\"us\"",     script,            PartKind::Script),
        ("text/x-shellscript",             "#cloud-config\n", PartKind::CloudConfig),
        ("text/x-shellscript",             "echo\n",          PartKind::Script),
        ("text/x-shellscript",             "a=1\n",           PartKind::Script), // no parameters
        ("text/plain",                     "a=1\n",           PartKind::Parameters),
        ("nonsense",                       script,            PartKind::Script), // as text/plain
        ("a/b/c",                          script,            PartKind::Script),
        ("text/cloud-config",              script,            PartKind::CloudConfig),
        ("text/cloud-config-jsonp",        script,            PartKind::JsonPatch),
        ("text/cloud-boothook",            script,            PartKind::BootHook),
        ("text/jinja2",                    script,            PartKind::Jinja),
        ("text/part-handler",              script,            PartKind::Unsupported("text/part-handler")),
        ("text/x-shellscript-per-boot",    script,            PartKind::PerBoot),
        ("text/x-shellscript-per-instance", script,           PartKind::PerInstance),
        ("text/x-shellscript-per-once",    script,            PartKind::PerOnce),
        ("text/html",                      script,            unknown("text/html")),
        ("application/x-sh",               script,            unknown("application/x-sh")),
    ];
    for (declared, body, kind) in table {
        let data = format!("MIME-Version: 1.0\nContent-Type: {declared}\n\n{body}");
        assert_eq!(kinds(data.as_bytes()), [kind], "{declared}");
    }
}

#[test]
fn base64_is_undone_only_if_the_whole_is_strictly_that_and_gzip_once() {
    let script = b"#!/bin/sh\ntrue;\n";
    let encoded = STANDARD.encode(script);
    let twice = STANDARD.encode(&encoded);
    let mut padded = gzip(script);
    padded.extend([0; 3]);
    let two_members = [gzip(b"#!/bin/sh\n"), gzip(b"true;\n")].concat();
    #[rustfmt::skip]
    let table: [(&str, Vec<u8>, bool); 9] = [
        ("base64",                           encoded.clone().into(),              true),
        ("base64 with a line end",           format!("{encoded}\n").into(),       false),
        ("base64 without its padding",       encoded.trim_end_matches('=').into(), false),
        ("base64 of base64",                 twice.into(),                        false),
        ("gzip",                             gzip(script),                        true),
        ("base64 of gzip",                   STANDARD.encode(gzip(script)).into(), true),
        ("gzip of gzip",                     gzip(&gzip(script)),                 false),
        ("gzip with zeros behind it",        padded,                              true),
        ("gzip of two members",              two_members,                         true),
    ];
    for (what, data, is_script) in table {
        assert_eq!(kinds(&data) == [PartKind::Script], is_script, "{what}");
    }
    // cloud-init decodes any four letters.
    assert_eq!(of(b"abcd").0[0].body.expose(), &[0x69, 0xb7, 0x1d]);
    let cut = gzip(script);
    assert_ne!(kinds(&cut[..cut.len() - 1]), [PartKind::Script]);
}

#[test]
fn a_script_with_windows_lines_gets_unix_lines_if_its_first_line_has_one() {
    #[rustfmt::skip]
    let table = [
        ("#!/bin/sh\r\ntrue\r\n",               "#!/bin/sh\ntrue\n"),
        ("#!/bin/sh\ntrue\r\n",                 "#!/bin/sh\ntrue\r\n"),
        ("#!/bin/sh\r",                         "#!/bin/sh\r"),
        ("#cloud-boothook\r\n#!/bin/sh\r\n",    "#!/bin/sh\n"),
        ("#cloud-config\r\na: 1\r\n",           "#cloud-config\r\na: 1\r\n"),
    ];
    for (text, want) in table {
        let kind = kinds(text.as_bytes()).remove(0);
        let body = script::body(&kind, text.into());
        assert_eq!(body, want.as_bytes(), "{text:?}");
    }
}

#[test]
fn a_boothook_loses_its_header_if_that_begins_it_and_is_spelt_so() {
    #[rustfmt::skip]
    let table = [
        ("#cloud-boothook\n#!/bin/sh\n",        "#!/bin/sh\n"),
        ("#cloud-boothook\n\n \t#!/bin/sh\n",   "#!/bin/sh\n"),
        ("#cloud-boothook why\n#!/bin/sh\n",    "why\n#!/bin/sh\n"),
        ("#Cloud-Boothook\n#!/bin/sh\n",        "#Cloud-Boothook\n#!/bin/sh\n"),
        ("\n#cloud-boothook\n#!/bin/sh\n",      "#cloud-boothook\n#!/bin/sh\n"),
    ];
    for (text, want) in table {
        assert_eq!(kinds(text.as_bytes()), [PartKind::BootHook], "{text:?}");
        let body = script::body(&PartKind::BootHook, text.into());
        assert_eq!(body, want.as_bytes(), "{text:?}");
    }
}
