//! What the binary tells of a boot that is over: an archive for whoever helps, and a timeline.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "for tests only"
)]

mod support;

use std::process::Command;

use serde_json::Value;
use support::debian::Debian;

#[test]
fn an_archive_of_logs_holds_no_secret_unless_it_is_asked_for() {
    let Some(debian) = Debian::with_image("password: hunter2hunter2\n") else {
        return;
    };
    let user_data = "#!/bin/sh\necho hunter2-output\n";
    debian.booted_with(user_data, &["boot"]);
    let listing = |archive: &str| {
        let file = debian.path(archive);
        let output = Command::new("tar")
            .arg("-xzOf")
            .arg(&file)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let names = Command::new("tar").arg("-tzf").arg(&file).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(names.stdout), text(output.stdout))
    };
    let said = debian.called(
        "cloud-init",
        &["collect-logs", "--tarfile", "/root/a.tar.gz"],
    );
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(debian.mode("root/a.tar.gz"), 0o600);
    let (names, text) = listing("root/a.tar.gz");
    assert!(names.starts_with("cloud-init-logs-20"), "{names}");
    for name in [
        "version",
        "status.json",
        "parts.json",
        "etc/firstlight/config.d/50-web.yaml",
    ] {
        assert!(names.contains(&format!("/{name}\n")), "{names}");
    }
    assert!(text.contains("scripts_user"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let said = debian.called("cloud-init", &["collect-logs", "-u"]);
    assert_eq!(said.code, 0, "{said:?}");
    let (names, text) = listing("cloud-init.tar.gz");
    assert!(names.contains("/user-data\n"), "{names}");
    assert!(
        text.contains(user_data) && text.contains("hunter2-output\n"),
        "{text}"
    );
    let said = debian.run(&[
        "logs",
        "collect",
        "--output",
        debian.path("b.tar.gz").to_str().unwrap(),
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(listing("b.tar.gz").0.starts_with("firstlight-logs-20"));
}

#[test]
fn a_timeline_tells_each_module_of_the_boot() {
    let case = support::Case::made("#!/bin/sh\n", "instance-id: i-1\n");
    case.run(&["boot"]);
    let answer = case.run(&["timeline", "--format", "json"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let spans: Value = serde_json::from_str(&answer.stdout).unwrap();
    let spans = spans.as_array().unwrap();
    let named = |name: &str| spans.iter().any(|span| span["module"] == name);
    assert!(named("scripts_user") && named("users_groups"), "{spans:?}");
    assert!(
        spans
            .iter()
            .all(|span| span["began_us"].is_u64() && span["duration_us"].is_u64())
    );
    let picture = case.path("boot.svg");
    let answer = case.run(&["timeline", "--svg", picture.to_str().unwrap()]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(case.text("boot.svg").starts_with("<svg "));
}
