//! The built binary asks a metadata service who it is, over real HTTP.
#![allow(clippy::indexing_slicing, reason = "for tests only")]

mod support;

use std::time::Duration;

use lab::{Imds, Mood, Setup};
use serde_json::json;
use support::cloud::{INSTANCE, Machine, instance};

const REPLICAS: &str = "replicate-every=1min | replicate-every=5min | replicate-every=10min";
const SETTINGS: &str = "max_wait: 20, timeout: 5";

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
        let machine = Machine::new(&imds.urls(), SETTINGS);
        let apply = machine.firstlight(&["apply"]);
        assert_eq!(apply.code, 0, "index {index}: {apply:?}");
        let env = machine.text("run/firstlight/role.env");
        assert!(env.contains(&format!("FIRSTLIGHT_ROLE={role}\n")), "{env}");
        let name = machine.text("etc/hostname");
        assert_eq!(name.trim(), format!("ip-172-16-34-4{index}"));
        let group = format!("FIRSTLIGHT_GROUP={replicate}\n");
        assert!(env.contains(&group), "index {index}: {env}");
    }
}

#[test]
fn a_boot_waits_for_a_token_for_all_items_at_once_and_for_the_keys_and_for_nothing_else() {
    let without = |names: &[&str]| {
        let mut tree = instance("0", "");
        let meta = tree["meta-data"].as_object_mut().unwrap();
        meta.retain(|name, _| !names.contains(&name.as_str()));
        tree
    };
    let (devices, keys) = ("block-device-mapping", "public-keys");
    #[rustfmt::skip]
    let table = [
        // instance                    rounds of requests   requests at most
        ("with a launch key",          without(&[devices]),       3, 13),
        ("without a launch key",       without(&[devices, keys]), 2, 13),
        ("with three disks more",      without(&[]),              3, 16),
    ];
    for (name, tree, rounds, most) in table {
        let imds = Imds::with(Setup {
            tree,
            latency: Duration::from_millis(150),
            ..Setup::default()
        });
        let imds = imds.unwrap();
        let machine = Machine::new(&imds.urls(), SETTINGS);
        let apply = machine.firstlight(&["apply"]);
        assert_eq!(apply.code, 0, "{name}: {apply:?}");

        let asked = imds.asked();
        let last = asked.last().map(|asked| asked.round);
        assert_eq!(last, Some(rounds), "{name}: {asked:#?}");
        let tokens = asked.iter().filter(|asked| asked.method == "PUT").count();
        assert_eq!(tokens, 1, "{name}: {asked:#?}");
        let good = |status| matches!(status, 200 | 404);
        assert!(asked.iter().all(|asked| good(asked.status)), "{asked:#?}");
        // A bucket of packets for each link-local address is all that an instance has.
        assert!(asked.len() <= most, "{name}: {} requests", asked.len());
        let named = |asked: &lab::Asked| asked.user_agent.starts_with("firstlight/");
        assert!(asked.iter().all(named), "{asked:#?}");
    }
}

#[test]
fn what_is_missing_from_the_service_is_missed_by_nobody() {
    for missing in ["user-data", "dynamic"] {
        let mut tree = instance("0", "");
        tree.as_object_mut().and_then(|all| all.remove(missing));
        let imds = Imds::start(tree, Mood::Fair);
        let machine = Machine::new(&imds.urls(), SETTINGS);
        let apply = machine.firstlight(&["apply"]);
        assert_eq!(apply.code, 0, "{missing}: {apply:?}");
        assert!(!apply.stderr.contains(missing), "{missing}: {apply:?}");
        assert_eq!(machine.instance_id(), INSTANCE, "{missing}");
        assert_eq!(machine.text("etc/hostname").trim(), "ip-172-16-34-40");
        let keys = machine.text("root/.ssh/authorized_keys");
        assert!(keys.contains("ssh-rsa "), "{missing}: {keys}");
    }
}

#[test]
fn repositories_of_amazon_linux_are_told_where_they_are() {
    let user_data = "#cloud-config
write_metadata:
  - path: /etc/dnf/vars/awsregion
    data: [identity: region, default]
  - path: /etc/dnf/vars/awsdomain
    data: [metadata: services/domain, nowhere]
";
    let imds = Imds::start(instance("0", user_data), Mood::Fair);
    let machine = Machine::new(&imds.urls(), SETTINGS);
    let apply = machine.firstlight(&["apply"]);
    assert_eq!(apply.code, 0, "{apply:?}");
    let known = machine.firstlight(&["query", "v1.region"]);
    assert_eq!(machine.text("etc/dnf/vars/awsregion"), known.stdout);
    assert_eq!(machine.text("etc/dnf/vars/awsdomain"), "amazonaws.com\n");
}

#[test]
fn user_data_arrives_as_it_was_given_whatever_bytes_it_has() {
    // `#cloud-config`, `hostname: squeezed`; gzipped, then in base64.
    let gzipped = "H4sIAAAAAAACA1NOzskvTdFNzs9Ly0znysgvLslLzE21UiguLE1NrUpN4QIAAiK+SCEAAAA=";
    let plain = "I2Nsb3VkLWNvbmZpZwpob3N0bmFtZTogc3F1ZWV6ZWQK";
    let own = "ip-172-16-34-40";
    #[rustfmt::skip]
    let table = [
        // the bytes, in base64                         host name   what is said
        (plain,                                         "squeezed", ""),
        (gzipped,                                       "squeezed", ""),
        // No text at all, and none that anybody handles.
        ("AAECA//+/fyAgYKD",                            own,        "part ignored"),
        // The same gzip, cut off.
        ("H4sIAAAAAAACA1NOzskvTdFNzs9Ly0zn",            own,        "part ignored"),
    ];
    for (bytes, name, says) in table {
        let mut tree = instance("0", "");
        tree["user-data"] = json!({"(base64)": bytes});
        let imds = Imds::start(tree, Mood::Fair);
        let machine = Machine::new(&imds.urls(), SETTINGS);
        let apply = machine.firstlight(&["apply"]);
        assert_eq!(apply.code, 0, "{bytes}: {apply:?}");
        assert_eq!(machine.text("etc/hostname").trim(), name, "{bytes}");
        assert!(apply.stderr.contains(says), "{bytes}: {apply:?}");
        assert_eq!(
            says.is_empty(),
            !apply.stderr.contains("ignored"),
            "{apply:?}"
        );
    }
}

#[test]
fn the_whole_tree_is_shown_when_asked_for_though_its_lists_are_not_true() {
    let mut tree = instance("0", "");
    tree["meta-data"]["iam"]["(listing)"] = "info/\nsecurity-credentials".into();
    tree["meta-data"]["tags"]["instance"]["cost/centre 7"] = "on the house".into();
    let imds = Imds::start(tree, Mood::Fair);
    let machine = Machine::new(&imds.urls(), SETTINGS);
    let query = machine.firstlight(&["query", "--live"]);
    assert_eq!(query.code, 0, "{query:?}");
    assert!(query.stdout.contains("on the house"), "{query:?}");
    assert!(query.stdout.contains("InstanceProfileArn"), "{query:?}");
    assert!(!query.stdout.contains("SecretAccessKey"), "{query:?}");
    let keys = |asked: &lab::Asked| asked.path.contains("security-credentials/");
    assert!(!imds.asked().iter().any(keys), "credentials were asked for");
}

#[test]
fn an_item_that_is_broken_is_named_and_the_machine_still_becomes_the_instance() {
    #[rustfmt::skip]
    let table = [
        // item                   what it is
        ("ami-launch-index",      json!("first")),
        ("local-hostname",        json!("not a name!")),
        ("local-ipv4",            json!("172.16.34.430")),
        ("placement",             json!({"region": {"(base64)": "/////w=="}})),
        ("reservation-id",        json!("r".repeat(70_000))),
    ];
    for (item, value) in table {
        let mut tree = instance("0", "");
        // With an identity document some of them are not asked for.
        tree.as_object_mut().and_then(|all| all.remove("dynamic"));
        tree["meta-data"][item] = value;
        let imds = Imds::start(tree, Mood::Fair);
        let machine = Machine::new(&imds.urls(), SETTINGS);
        let apply = machine.firstlight(&["apply"]);
        assert_eq!(apply.code, 0, "{item}: {apply:?}");
        let says = format!("meta-data/{item}");
        let mut warnings = apply
            .stderr
            .lines()
            .filter(|line| line.starts_with("warning: "));
        assert!(
            warnings.any(|line| line.contains(&says)),
            "{item}: {apply:?}"
        );
        assert_eq!(machine.instance_id(), INSTANCE, "{item}");
        let keys = machine.text("root/.ssh/authorized_keys");
        assert!(keys.contains("ssh-rsa "), "{item}: {keys}");
    }
}
