use std::collections::HashMap;

use super::*;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO5gVQ4XrE me@home";
const KEY2: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 other";

struct Memory(HashMap<String, Vec<u8>>);

impl Files for Memory {
    fn read(&self, path: &Path, _: usize) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(&path.display().to_string()).cloned())
    }
}

fn seed(files: &[(&str, &[u8])]) -> Result<Found, SourceError> {
    let files = files
        .iter()
        .map(|(file, bytes)| (format!("/seed/{file}"), bytes.to_vec()));
    fetch(Path::new("/seed"), &Memory(files.collect()), "seed")
}

fn of(meta_data: &str) -> Result<Found, SourceError> {
    seed(&[("meta-data", meta_data.as_bytes())])
}

#[test]
fn everything_that_meta_data_says_is_known() {
    let text = format!(
        "instance-id: i-1\nlocal-hostname: web-1.example.com\nami-launch-index: 2\n\
         reservation-id: r-1\nlocal-ipv4: 10.0.0.7\nplacement:\n  region: eu-central-1\n  \
         availability-zone: eu-central-1a\nservices: {{domain: amazonaws.com, partition: aws}}\n\
         public-keys: [{KEY}]\nown: {{deep: [1, 2]}}\n"
    );
    let found = of(&text).unwrap();
    assert_eq!(found.warnings, [""; 0]);
    let m = found.metadata;
    assert_eq!(m.instance_id.as_str(), "i-1");
    assert_eq!(m.platform, "seed");
    assert_eq!(m.local_hostname.unwrap().as_str(), "web-1.example.com");
    assert_eq!(m.launch_index, Some(LaunchIndex(2)));
    assert_eq!(m.reservation_id.as_deref(), Some("r-1"));
    assert_eq!(m.addresses, ["10.0.0.7".parse::<IpAddr>().unwrap()]);
    assert_eq!(m.region.as_deref(), Some("eu-central-1"));
    assert_eq!(m.availability_zone.as_deref(), Some("eu-central-1a"));
    assert_eq!(m.partition.as_deref(), Some("aws"));
    assert_eq!(m.service_domain.as_deref(), Some("amazonaws.com"));
    assert_eq!(m.public_keys[0].as_str(), KEY);
    assert_eq!(m.rest["meta-data"]["own"]["deep"][1], 2);
}

#[test]
fn keys_come_as_text_list_or_mapping() {
    let table = [
        format!("public-keys: {KEY}\n"),
        format!("public-keys: |\n  {KEY}\n  {KEY2}\n"),
        format!("public-keys: [{KEY}, {KEY2}]\n"),
        format!("public-keys: {{mine: {KEY}, theirs: [{KEY2}]}}\n"),
        format!("public-keys:\n  0: {{openssh-key: {KEY}}}\n  1: {{openssh-key: {KEY2}}}\n"),
        format!("public-keys: [{KEY}, {KEY2}, {KEY}]\n"),
    ];
    for (case, text) in table.iter().enumerate() {
        let found = of(text).unwrap();
        let keys: Vec<_> = found
            .metadata
            .public_keys
            .iter()
            .map(AuthorizedKey::as_str)
            .collect();
        let expected = if case == 0 {
            vec![KEY]
        } else {
            vec![KEY, KEY2]
        };
        assert_eq!(keys, expected, "{text}");
        assert_eq!(found.warnings, [""; 0], "{text}");
    }
}

#[test]
fn what_is_odd_is_warned_of_with_its_place_and_the_rest_counts() {
    #[rustfmt::skip]
    let table = [
        ("local-hostname: -bad-\n",           "/seed/meta-data:2:17: local-hostname: not a valid host name"),
        ("launch-index: first\n",             "/seed/meta-data:2:15: launch index: invalid digit"),
        ("launch-index: -1\n",                "/seed/meta-data:2:15: launch index: "),
        ("local-ipv4: 10.0.0\n",              "/seed/meta-data:2:13: local-ipv4: "),
        ("public-keys: [nonsense]\n",         "/seed/meta-data:2:15: public-keys: line 1 is not a valid SSH public key"),
        ("public-keys: [7]\n",                "/seed/meta-data:2:15: public-keys: expected a key, found an integer"),
        ("instance-id: i-2\n",                "/seed/meta-data:2:1: key `instance-id` was already given"),
    ];
    for (line, warning) in table {
        let found = of(&format!("instance-id: i-1\n{line}region: r\n")).unwrap();
        assert!(
            found.warnings[0].starts_with(warning),
            "{line}: {:?}",
            found.warnings
        );
        assert_eq!(found.metadata.region.as_deref(), Some("r"), "{line}");
    }
}

#[test]
fn what_cannot_be_used_is_an_error_that_names_file_line_and_column() {
    #[rustfmt::skip]
    let table = [
        ("instance-id: ../x\n",               "/seed/meta-data:1:14: instance-id: not a valid instance id"),
        ("instance-id: [a]\n",                "/seed/meta-data:1:14: instance-id: expected a string, found a list"),
        ("a: b\ninstance-id: x\n  y: z\n",    "/seed/meta-data:3:"),
        ("- a\n",                             "/seed/meta-data:1:1: expected a mapping, found a list"),
        ("local-hostname: {a: b}\n",          "/seed/meta-data:1:17: local-hostname: expected a string, found a mapping"),
    ];
    for (text, message) in table {
        let error = of(text).unwrap_err().to_string();
        assert!(error.starts_with(message), "{text}: {error}");
    }
    let error = seed(&[("meta-data", b"a: b\nc: \xff\n")]).unwrap_err();
    assert_eq!(error.to_string(), "/seed/meta-data:2:4: not UTF-8 text");
}

#[test]
fn a_seed_without_meta_data_says_what_to_write() {
    let error = seed(&[("user-data", b"#!/bin/sh\n")])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("there is no /seed/meta-data ("),
        "{error}"
    );
    assert!(error.contains("instance-id: i-1"), "{error}");
}

#[test]
fn an_empty_meta_data_is_an_instance_of_which_only_the_default_id_is_known() {
    let found = of("").unwrap();
    assert_eq!(found.metadata.instance_id.as_str(), "nocloud");
    assert_eq!(found.metadata.local_hostname, None);
    assert_eq!(found.user_data.bytes(), b"");
    assert!(found.vendor_data.first.is_none());
}

#[test]
fn numbers_are_taken_for_text_and_an_address_for_a_host_name() {
    let found = of("instance-id: 42\nlocal-hostname: 10.0.0.7\n").unwrap();
    assert_eq!(found.metadata.instance_id.as_str(), "42");
    assert_eq!(
        found.metadata.local_hostname.unwrap().as_str(),
        "ip-10-0-0-7"
    );
}

#[test]
fn user_and_vendor_data_are_bytes_up_to_the_limit() {
    let most = vec![0xff; USER_DATA_LIMIT];
    let found = seed(&[
        ("meta-data", b""),
        ("user-data", &most),
        ("vendor-data", b"v"),
    ])
    .unwrap();
    assert_eq!(found.user_data.bytes(), most);
    assert_eq!(found.vendor_data.first.unwrap().bytes(), b"v");
    assert_eq!(found.warnings, [""; 0]);

    let over = vec![b'x'; USER_DATA_LIMIT + 1];
    let found = seed(&[("meta-data", b"instance-id: i-1\n"), ("user-data", &over)]).unwrap();
    assert_eq!(found.user_data.bytes(), b"");
    assert_eq!(found.metadata.instance_id.as_str(), "i-1");
    assert!(
        found.errors[0].contains("larger than 64 KiB"),
        "{:?}",
        found.errors
    );
}

#[test]
fn meta_data_over_its_limit_is_refused() {
    let over = vec![b'#'; META_DATA_LIMIT + 1];
    let error = seed(&[("meta-data", &over)]).unwrap_err().to_string();
    assert_eq!(error, "/seed/meta-data: is larger than 1 MiB");
}

#[test]
fn neither_debug_nor_warnings_show_user_data() {
    let found = seed(&[("meta-data", b""), ("user-data", b"hunter2")]).unwrap();
    assert!(!format!("{found:?}").contains("hunter2"));
}
