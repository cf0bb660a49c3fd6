//! Part handlers with the real python3 of a Debian, which the image lets run or does not.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "for tests only"
)]

mod support;

use std::fs;

use serde_json::Value;
use support::debian::Debian;
use support::{Scratch, alone};

const IMAGE: &str = "firstlight: {part_handlers: python3}\nusers: []\n";
const META_DATA: &str = "instance-id: i-one\nlocal-hostname: calm\n";

/// Notes every call in a file, as one line of JSON, and fails as it is told by the payload.
fn handler(types: &str, more: &str) -> String {
    format!(
        "#part-handler\nimport json\nprint('loaded')\n{more}\n\
         def list_types():\n    return {types}\n\
         def handle_part(data, ctype, filename, payload, *rest):\n    \
             with open('/srv/calls', 'a') as calls:\n        \
                 calls.write(json.dumps([ctype, filename, str(payload), *rest]) + '\\n')\n    \
             if payload == 'fail':\n        raise ValueError('hunter2')\n"
    )
}

/// A message of parts, each with its content type.
fn message(parts: &[(&str, &str)]) -> String {
    let mut text = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n".to_owned();
    for (mime, body) in parts {
        text.push_str(&format!("--B\nContent-Type: {mime}\n\n{body}\n"));
    }
    text + "--B--\n"
}

/// The calls that were noted, and forgets them.
fn calls(debian: &Debian) -> Vec<Value> {
    let text = fs::read_to_string(debian.path("srv/calls")).unwrap_or_default();
    let _ = fs::remove_file(debian.path("srv/calls"));
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn row(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

#[test]
fn a_handler_is_called_as_cloud_init_calls_it() {
    #[rustfmt::skip]
    let table = [
        // what it says of itself                      first boot, its arguments behind the payload     later boot
        ("",                                           "",                                              None),
        ("handler_version = 2",                        ", \"once-per-instance\"",                       None),
        ("handler_version = '2'\nfrequency = 'always'", ", \"once-per-instance\"",                      Some(", \"always\"")),
        ("frequency = 'once'",                         "never",                                         None),
    ];
    for (more, first, later) in table {
        let Some(debian) = Debian::with_image(IMAGE) else {
            return;
        };
        let user_data = message(&[
            ("text/x-site", "before"),
            (
                "text/part-handler",
                &handler("['text/x-site', 'text/cloud-config']", more),
            ),
            ("text/x-site", "one\nü"),
            ("text/cloud-config", "hostname: taken"),
        ]);
        let want = |rest: &str| match rest {
            "never" => Vec::new(),
            _ => vec![
                row(&format!("[\"__begin__\", null, \"None\"{rest}]")),
                row(&format!(
                    "[\"text/x-site\", \"part-003\", \"one\\nü\"{rest}]"
                )),
                row(&format!(
                    "[\"text/cloud-config\", \"part-004\", \"hostname: taken\"{rest}]"
                )),
                row(&format!("[\"__end__\", null, \"None\"{rest}]")),
            ],
        };
        let said = debian.run_with(&user_data, META_DATA, &["boot"]);
        assert_eq!(calls(&debian), want(first), "{more}: {said:?}");
        assert_eq!(
            debian.text("etc/hostname").trim(),
            "calm",
            "a builtin took it"
        );
        let log = debian.text("var/log/firstlight-output.log");
        assert!(log.contains("loaded"), "{more}: {log}");
        let parts = debian.run(&["userdata", "parts"]);
        assert!(
            parts.text.contains("taken by the part handler part-002"),
            "{parts:?}"
        );

        debian.run_with(&user_data, META_DATA, &["boot"]);
        assert_eq!(
            calls(&debian),
            later.map_or(Vec::new(), want),
            "{more}: again"
        );
        for path in ["", "/job.json", "/part-handler-000.py", "/003.part"] {
            let dir = "var/lib/firstlight/instances/i-one/handlers/part-handler-000";
            if first != "never" && !path.is_empty() {
                assert_eq!(debian.mode(&format!("{dir}{path}")), 0o600, "{path}");
            }
        }
    }
}

#[test]
fn version_three_gets_the_headers_of_its_part() {
    let Some(debian) = Debian::with_image(IMAGE) else {
        return;
    };
    let user_data = message(&[
        (
            "text/part-handler",
            &handler("['text/x-site']", "handler_version = 3"),
        ),
        ("text/x-site\nMerge-Type: list()", "x"),
    ]);
    debian.run_with(&user_data, META_DATA, &["boot"]);
    let calls = calls(&debian);
    let headers = &calls[1][4];
    assert_eq!(headers["Content-Type"], "text/x-site", "{calls:?}");
    assert_eq!(headers["Merge-Type"], "list()", "{calls:?}");
}

#[test]
fn a_handler_that_fails_is_a_warning_and_all_else_goes_on() {
    let site = "['text/x-site']";
    #[rustfmt::skip]
    let table = [
        (handler(site, ""),                         "fail", 4, "part-001"),
        (handler(site, "raise OSError('hunter2')"), "x",    0, "the part handler cannot be used"),
        (handler(site, "del handle_part"),          "x",    0, "the part handler cannot be used"),
        (handler("7", ""),                          "x",    0, "the part handler cannot be used"),
        (handler(site, "handler_version = 9"),      "x",    0, "part-001"),
        (handler(site, "import time\ntime.sleep(60)"), "x", 0, "did not end within 2 s"),
        ("#part-handler\nthis is no Python".into(), "x",    0, "the part handler cannot be used"),
    ];
    for (module, payload, count, says) in table {
        let image = "firstlight: {part_handlers: python3, part_handler_timeout: 2s}\nusers: []\n";
        let Some(debian) = Debian::with_image(image) else {
            return;
        };
        let parts = [
            ("text/part-handler", module.as_str()),
            ("text/x-site", payload),
            ("text/x-site", "y"),
            ("text/cloud-config", "hostname: mine"),
        ];
        let said = debian.run_with(&message(&parts), META_DATA, &["boot"]);
        let status = debian.run(&["status"]);
        assert_eq!(status.code, 2, "{module}: {said:?} {status:?}");
        assert!(status.text.contains(says), "{module}: {status:?}");
        assert!(!status.text.contains("hunter2"), "{module}: {status:?}");
        assert_eq!(calls(&debian).len(), count, "{module}: {said:?}");
        assert_eq!(debian.text("etc/hostname").trim(), "mine", "{module}");
    }
}

#[test]
fn only_the_image_lets_handlers_run_and_looking_runs_nothing() {
    let Some(debian) = Debian::with_image("users: []\n") else {
        return;
    };
    let handler = handler("['text/x-site']", "");
    let user_data = message(&[
        ("text/cloud-config", "firstlight: {part_handlers: python3}"),
        ("text/part-handler", &handler),
        ("text/x-site", "x"),
    ]);
    let said = debian.run_with(&user_data, META_DATA, &["boot"]);
    assert_eq!(calls(&debian), Vec::<Value>::new(), "{said:?}");
    let status = debian.run(&["status"]);
    assert_eq!(status.code, 2, "{status:?}");
    assert!(
        status.text.contains("the image does not let them run"),
        "{status:?}"
    );

    let Some(debian) = Debian::with_image(IMAGE) else {
        return;
    };
    let plan = debian.run_with(&user_data, META_DATA, &["plan"]);
    assert!(
        plan.text
            .contains("a boot lets python3 run this part handler"),
        "{plan:?}"
    );
    assert_eq!(calls(&debian), Vec::<Value>::new(), "{plan:?}");
    assert!(
        !debian.path("var/log/firstlight-output.log").exists(),
        "{plan:?}"
    );

    debian.run_with(&user_data, META_DATA, &["boot"]);
    assert_eq!(calls(&debian).len(), 3);
    // From now on it is known what it takes.
    let parts = debian.run(&["userdata", "parts"]);
    assert!(
        parts.text.contains("a part handler of text/x-site"),
        "{parts:?}"
    );
    assert_eq!(calls(&debian), Vec::<Value>::new(), "{parts:?}");
}

#[test]
fn a_file_is_checked_without_running_what_is_in_it() {
    let user_data = message(&[
        ("text/part-handler", &handler("['text/x-site']", "")),
        ("text/x-site", "x"),
    ]);
    let scratch = Scratch::new();
    let file = scratch.path().join("user-data");
    fs::write(&file, user_data).unwrap();
    let said = alone(&["validate", file.to_str().unwrap()]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.stdout.contains("firstlight: {part_handlers: python3}"),
        "{said:?}"
    );
    assert!(said.stdout.contains("nothing is run here"), "{said:?}");
}
