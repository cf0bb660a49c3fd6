use std::cell::Cell;

use contract::secret::Secret;

use super::*;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO5gVQ4XrE my-key";

fn read_all(service: &Fake) -> Result<Found, SourceError> {
    read(service, true)
}

struct Fake {
    items: HashMap<String, Vec<u8>>,
    broken: &'static str,
    rounds: Cell<u32>,
    asked: Cell<usize>,
}

impl Service for Fake {
    fn get_all(&self, items: &[String]) -> Vec<super::super::Answer> {
        self.rounds.set(self.rounds.get() + 1);
        self.asked.set(self.asked.get() + items.len());
        let answer = |item: &String| {
            if item == self.broken {
                let reason = "was answered with 500".to_owned();
                return Err(SourceError::Answer {
                    item: item.clone(),
                    reason,
                });
            }
            Ok(self.items.get(item).cloned().map(Secret::new))
        };
        items.iter().map(answer).collect()
    }
}

fn instance() -> Fake {
    let document = json!({
        "accountId": "1", "availabilityZone": "us-west-2-lax-1a", "imageId": "ami-1",
        "instanceId": "i-1", "instanceType": "t3.micro", "privateIp": "10.0.0.7",
        "region": "us-west-2",
    });
    let document = document.to_string();
    #[rustfmt::skip]
    let items = [
        ("meta-data/instance-id",                    "i-1\n"),
        ("meta-data/local-hostname",                 "ip-10-0-0-7.us-west-2.compute.internal"),
        ("meta-data/ami-launch-index",               "2"),
        ("meta-data/local-ipv4",                     "10.0.0.7"),
        ("meta-data/placement/availability-zone",    "us-west-2-lax-1a"),
        ("meta-data/placement/region",               "us-west-2"),
        ("meta-data/reservation-id",                 "r-1"),
        ("meta-data/services/domain",                "amazonaws.com"),
        ("meta-data/services/partition",             "aws"),
        ("meta-data/public-keys/",                   "0=my-key"),
        ("meta-data/public-keys/0/openssh-key",      KEY),
        ("dynamic/instance-identity/document",       document.as_str()),
        ("meta-data/ami-id",                         "ami-1"),
        ("meta-data/instance-type",                  "t3.micro"),
        ("user-data",                                "bucket=acme-site"),
    ];
    let items = items.map(|(item, text)| (item.to_owned(), text.as_bytes().to_vec()));
    Fake {
        items: items.into(),
        broken: "",
        rounds: Cell::new(0),
        asked: Cell::new(0),
    }
}

fn with(item: &str, bytes: &[u8]) -> Fake {
    let mut fake = instance();
    fake.items.insert(item.to_owned(), bytes.to_vec());
    fake
}

fn without(items: &[&str]) -> Fake {
    let mut fake = instance();
    fake.items.retain(|item, _| !items.contains(&item.as_str()));
    fake
}

#[test]
fn two_rounds_give_everything_that_the_boot_needs() {
    let service = instance();
    let found = read_all(&service).unwrap();
    assert_eq!(service.rounds.get(), 2);
    assert_eq!(found.warnings, [""; 0]);
    assert_eq!(found.user_data.bytes(), b"bucket=acme-site");
    let m = found.metadata;
    assert_eq!(m.instance_id.as_str(), "i-1");
    assert_eq!(m.platform, "ec2");
    assert_eq!(m.region.as_deref(), Some("us-west-2"));
    assert_eq!(m.availability_zone.as_deref(), Some("us-west-2-lax-1a"));
    assert_eq!(m.partition.as_deref(), Some("aws"));
    assert_eq!(m.service_domain.as_deref(), Some("amazonaws.com"));
    assert_eq!(m.reservation_id.as_deref(), Some("r-1"));
    assert_eq!(m.launch_index, Some(LaunchIndex(2)));
    assert_eq!(m.local_hostname.unwrap().short(), "ip-10-0-0-7");
    assert_eq!(m.addresses[0].to_string(), "10.0.0.7");
    assert_eq!(m.public_keys[0].as_str(), KEY);
    assert_eq!(
        m.rest["dynamic"]["instance-identity"]["document"]["accountId"],
        "1"
    );
}

#[test]
fn disks_other_than_the_root_disk_are_asked_for_with_the_keys() {
    let list = "meta-data/block-device-mapping/";
    let whole = instance();
    read_all(&whole).unwrap();
    let alone = with(list, b"ami\nroot");
    let found = read_all(&alone).unwrap();
    assert_eq!(alone.asked.get(), whole.asked.get());
    let one_disk = instance();
    read(&one_disk, false).unwrap();
    assert_eq!(one_disk.asked.get() + 1, whole.asked.get());
    assert_eq!(
        found.metadata.rest["meta-data"]["block-device-mapping"],
        json!(null)
    );

    let mut more = with(list, b"ami\nebs1\nephemeral0\nroot\n../user-data");
    for (name, device) in [("ebs1", "sdf"), ("ephemeral0", "/dev/sdb")] {
        more.items.insert(format!("{list}{name}"), device.into());
    }
    let found = read_all(&more).unwrap();
    let wanted = json!({"ebs1": "sdf", "ephemeral0": "/dev/sdb"});
    assert_eq!(
        found.metadata.rest["meta-data"]["block-device-mapping"],
        wanted
    );
    assert_eq!(more.rounds.get(), 2);
    assert_eq!(found.warnings, [""; 0]);
}

#[test]
fn a_launch_without_key_pair_or_user_data_is_an_instance_too() {
    let service = without(&["user-data", "meta-data/public-keys/"]);
    let found = read_all(&service).unwrap();
    assert_eq!(service.rounds.get(), 1);
    assert_eq!(found.user_data.bytes(), b"");
    assert!(found.metadata.public_keys.is_empty());
    assert_eq!(found.warnings, [""; 0]);
}

#[test]
fn what_the_identity_document_leaves_out_is_asked_for_with_the_keys_and_nobody_sees_a_difference() {
    let whole = instance();
    let whole_says = read_all(&whole).unwrap().metadata;
    let tree = &whole_says.rest["meta-data"];
    for (item, text) in [
        ("instance-id", "i-1"),
        ("ami-id", "ami-1"),
        ("instance-type", "t3.micro"),
        ("local-ipv4", "10.0.0.7"),
    ] {
        assert_eq!(tree[item], text, "{item}");
    }
    assert_eq!(tree["placement"]["availability-zone"], "us-west-2-lax-1a");
    assert_eq!(tree["placement"]["region"], "us-west-2");
    #[rustfmt::skip]
    let table = [
        // the document                                                     how many more are asked for
        (None,                                                              6),
        (Some("[]"),                                                        6),
        (Some(r#"{"instanceId": "i-1", "region": "us-west-2"}"#),           4),
        (Some(r#"{"instanceId": "i-1", "region": null, "imageId": ""}"#),   5),
    ];
    for (document, more) in table {
        let service = match document {
            None => without(&[DOCUMENT]),
            Some(text) => with(DOCUMENT, text.as_bytes()),
        };
        let mut said = read_all(&service).unwrap().metadata;
        assert_eq!(service.rounds.get(), 2, "{document:?}");
        assert_eq!(
            service.asked.get(),
            whole.asked.get() + more,
            "{document:?}"
        );
        said.rest["dynamic"] = whole_says.rest["dynamic"].clone();
        assert_eq!(said, whole_says, "{document:?}");
    }
}

#[test]
fn what_is_odd_is_warned_of_and_the_rest_counts() {
    #[rustfmt::skip]
    let table: [(&str, &[u8], &str); 6] = [
        ("meta-data/local-hostname",             b"<html>",      "meta-data/local-hostname: not a valid host name"),
        ("meta-data/ami-launch-index",           b"-1",          "meta-data/ami-launch-index: invalid digit"),
        ("dynamic/instance-identity/document",   b"{\"privateIp\": \"10.0.0\"}", "meta-data/local-ipv4: invalid IP"),
        ("meta-data/public-keys/0/openssh-key",  b"nonsense",    "meta-data/public-keys/0/openssh-key: line 1 is not a valid SSH public key"),
        ("dynamic/instance-identity/document",   b"{",           "dynamic/instance-identity/document: EOF"),
        ("meta-data/reservation-id",             b"\xff",        "meta-data/reservation-id is not UTF-8 text"),
    ];
    for (item, bytes, warning) in table {
        let found = read_all(&with(item, bytes)).unwrap();
        assert!(
            found.warnings[0].starts_with(warning),
            "{item}: {:?}",
            found.warnings
        );
        assert_eq!(found.warnings.len(), 1, "{item}");
        assert_eq!(found.metadata.instance_id.as_str(), "i-1", "{item}");
    }
}

#[test]
fn without_an_instance_id_or_an_answer_about_user_data_nothing_is_decided() {
    let nobody = without(&[
        "dynamic/instance-identity/document",
        "meta-data/instance-id",
    ]);
    assert_eq!(
        read_all(&nobody).unwrap_err().to_string(),
        "meta-data/instance-id is not there"
    );

    let silent = Fake {
        broken: "user-data",
        ..instance()
    };
    assert_eq!(
        read_all(&silent).unwrap_err().to_string(),
        "user-data was answered with 500"
    );

    let mut bad = without(&["dynamic/instance-identity/document"]);
    bad.items
        .insert("meta-data/instance-id".into(), b"../../etc".to_vec());
    assert_eq!(
        read_all(&bad).unwrap_err().to_string(),
        "meta-data/instance-id cannot be used"
    );
}

#[test]
fn an_item_that_cannot_be_had_costs_itself_alone() {
    let service = Fake {
        broken: "meta-data/services/domain",
        ..instance()
    };
    let found = read_all(&service).unwrap();
    assert_eq!(
        found.warnings,
        ["meta-data/services/domain was answered with 500"]
    );
    assert_eq!(found.metadata.partition.as_deref(), Some("aws"));
}

#[test]
fn launch_keys_that_cannot_be_had_are_an_error_for_they_open_the_door() {
    for broken in [
        "meta-data/public-keys/",
        "meta-data/public-keys/0/openssh-key",
    ] {
        let service = Fake {
            broken,
            ..instance()
        };
        let found = read_all(&service).unwrap();
        assert!(found.warnings.is_empty(), "{broken}: {:?}", found.warnings);
        let [error] = found.errors.as_slice() else {
            panic!("{broken}: {:?}", found.errors);
        };
        for says in ["launch keys", broken, "firstlight run ssh --force"] {
            assert!(error.contains(says), "{error}");
        }
    }
    let none = read_all(&without(&["meta-data/public-keys/"])).unwrap();
    assert!(
        none.errors.is_empty(),
        "launched without a key: {:?}",
        none.errors
    );
}
