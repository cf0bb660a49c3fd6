//! The built binary asks a metadata service who it is, over real HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "for tests only"
)]

mod support;

use std::fs;
use std::process::Command;

use lab::{Imds, Mood};
use serde_json::{Value, json};
use support::Scratch;

const REPLICAS: &str = "replicate-every=1min | replicate-every=5min | replicate-every=10min";

#[test]
fn each_instance_of_a_launch_takes_its_field_and_its_role() {
    let imds = Imds::start(lab::aws_mock(), Mood::Fair);
    #[rustfmt::skip]
    let table = [
        // index  role        parameter
        ("0",     "leader",   "none"),
        ("1",     "follower", "1min"),
        ("2",     "follower", "5min"),
        ("3",     "follower", "10min"),
    ];
    for (index, role, replicate) in table {
        imds.become_instance(instance(index, REPLICAS));
        let machine = Machine::new(&imds);
        let (code, text) = machine.firstlight(&["apply"]);
        assert_eq!(code, 0, "index {index}: {text}");
        let env = machine.text("run/firstlight/role.env");
        assert!(env.contains(&format!("FIRSTLIGHT_ROLE={role}\n")), "{env}");
        let name = machine.text("etc/hostname");
        assert_eq!(name.trim(), format!("ip-172-16-34-4{index}"));
        let group = format!("FIRSTLIGHT_GROUP={replicate}\n");
        assert!(env.contains(&group), "index {index}: {env}");
    }
}

#[test]
fn a_boot_needs_one_token_and_sends_every_request_with_it() {
    let imds = Imds::start(instance("0", ""), Mood::Fair);
    let machine = Machine::new(&imds);
    let (code, text) = machine.firstlight(&["apply"]);
    assert_eq!(code, 0, "{text}");
    let asked = imds.asked();
    let tokens = asked.iter().filter(|asked| asked.method == "PUT").count();
    assert_eq!(tokens, 1, "{asked:?}");
    let good = |status| matches!(status, 200 | 404);
    assert!(asked.iter().all(|asked| good(asked.status)), "{asked:?}");
}

#[test]
fn tokens_that_die_in_the_middle_are_renewed() {
    let imds = Imds::start(instance("1", REPLICAS), Mood::Forgetful(3));
    let machine = Machine::new(&imds);
    let (code, text) = machine.firstlight(&["apply"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(machine.text("etc/hostname").trim(), "ip-172-16-34-41");
}

#[test]
fn a_service_that_is_none_is_named_as_such_and_changes_nothing() {
    let table = [
        (Mood::Disabled, "IMDS is disabled"),
        (Mood::Redirects, "302"),
        (Mood::CutsShort, "did not answer within"),
        (Mood::WebPage, "instance-id cannot be used"),
    ];
    for (mood, says) in table {
        let imds = Imds::start(instance("0", ""), mood);
        let machine = Machine::new(&imds);
        let (code, text) = machine.firstlight(&["apply"]);
        assert_eq!(code, 1, "{mood:?}: {text}");
        assert!(text.contains(says), "{mood:?}: {text}");
        assert!(!machine.scratch.path().join("etc/hostname").exists());
    }
}

/// The mock's instance with another launch index, and what follows from that.
fn instance(index: &str, user_data: &str) -> Value {
    let mut tree = lab::aws_mock();
    let name = format!("ip-172-16-34-4{index}.ec2.internal");
    tree["meta-data"]["ami-launch-index"] = json!(index);
    tree["meta-data"]["local-hostname"] = json!(name);
    tree["user-data"] = json!(user_data);
    tree
}

/// An image whose configuration says where the service is.
struct Machine {
    scratch: Scratch,
}

impl Machine {
    fn new(imds: &Imds) -> Self {
        let scratch = Scratch::new();
        let config = format!(
            "datasource: {{Ec2: {{metadata_urls: ['{}'], max_wait: 3, timeout: 1}}}}\n\
             datasource_list: [Ec2]\nusers: []\n\
             firstlight: {{user_data: {{parameters: {{select_by_launch_index: {{delimiter: '|'}}}}}}}}\n\
             election: {{group: \"{{{{ params['replicate-every'] | default('none') }}}}\"}}\n",
            imds.url()
        );
        for (name, text) in [
            ("etc/firstlight/config.yaml", config.as_str()),
            ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
            ("etc/group", "root:x:0:\n"),
        ] {
            let path = scratch.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::create_dir(scratch.path().join("root")).unwrap();
        Self { scratch }
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.scratch.path().join(path)).unwrap()
    }

    /// The exit code, and everything that was printed.
    fn firstlight(&self, args: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firstlight"));
        let output = command.arg("--root").arg(self.scratch.path()).args(args);
        let output = output.output().unwrap();
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap_or(-1), text)
    }
}
