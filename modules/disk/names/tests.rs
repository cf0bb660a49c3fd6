use contract::testing::{FakeMachine, config, instance};
use serde_json::json;

use super::*;

type Files<'a> = &'a [(&'static str, &'static str)];

/// An instance of the Nitro system: its root disk and two volumes, and an instance store.
const NITRO: &[(&str, &str)] = &[
    (
        "/proc/self/mountinfo",
        "22 1 259:1 / / rw - ext4 /dev/nvme0n1p1 rw\n",
    ),
    ("/dev/nvme0n1", ""),
    ("/dev/nvme0n1p1", ""),
    ("/dev/nvme1n1", ""),
    ("/dev/nvme2n1", ""),
    ("/sys/block/nvme0n1/size", "16777216\n"),
    ("/sys/block/nvme0n1/nvme0n1p1/start", "2048\n"),
    (
        "/sys/block/nvme0n1/device/model",
        "Amazon Elastic Block Store              \n",
    ),
    ("/sys/block/nvme0n1/device/serial", "vol0aaaaaaaaaaaaaaaa\n"),
    (
        "/sys/block/nvme1n1/device/model",
        "Amazon EC2 NVMe Instance Storage        \n",
    ),
    ("/sys/block/nvme1n1/device/serial", "AWS1234567890ABCDEF0\n"),
    (
        "/sys/block/nvme2n1/device/model",
        "Amazon Elastic Block Store              \n",
    ),
    ("/sys/block/nvme2n1/device/serial", "vol0bbbbbbbbbbbbbbbb\n"),
    (
        "/sys/block/nvme2c2n1/device/model",
        "Amazon Elastic Block Store\n",
    ),
    (
        "/sys/block/nvme2c2n1/device/serial",
        "vol0bbbbbbbbbbbbbbbb\n",
    ),
    ("/sys/class/block/nvme0n1p1/partition", "1\n"),
    ("/sys/class/block/nvme0n1p1/start", "2048\n"),
    ("/sys/class/block/nvme0n1p1/size", "4194304\n"),
];
const SECOND: &[(&str, &str)] = &[
    ("/dev/nvme3n1", ""),
    (
        "/sys/block/nvme3n1/device/model",
        "Amazon Elastic Block Store\n",
    ),
    ("/sys/block/nvme3n1/device/serial", "vol0cccccccccccccccc\n"),
];
const LINK: &[(&str, &str)] = &[(
    "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0bbbbbbbbbbbbbbbb",
    "",
)];
const XEN: &[(&str, &str)] = &[
    ("/dev/xvda", ""),
    ("/dev/xvdb", ""),
    ("/dev/xvdb1", ""),
    ("/dev/vdc", ""),
];

fn find(files: Files<'_>, mapping: &serde_json::Value, name: &str) -> Result<String, String> {
    let machine = FakeMachine::with(files);
    let mut instance = instance();
    instance.rest = json!({"meta-data": {"block-device-mapping": mapping}});
    let aliases = config("all: {data: /dev/sdf, scratch: ephemeral0}");
    let names = Names {
        probe: &machine,
        instance: &instance,
        aliases: aliases.get("all").and_then(Value::as_map),
    };
    let place = Place::new("test", 1, 6);
    let told = |unknown: Unknown| {
        let problem = unknown.problem("key", name, &place);
        assert!(problem.is_of_machine);
        problem.to_string()
    };
    names.find(name).map_err(told)
}

#[test]
fn a_name_is_found_as_the_kernel_or_the_metadata_has_it() {
    let none = json!(null);
    let one = json!({"ami": "sda1", "root": "/dev/sda1", "ebs1": "sdf"});
    let xen = json!({"ami": "sda1", "ephemeral0": "sdb", "swap": "/dev/sdz"});
    let both = [NITRO, LINK].concat();
    let by_id = LINK[0].0;
    let store = "/dev/disk/by-id/nvme-Amazon_EC2_NVMe_Instance_Storage_AWS1234567890ABCDEF0";
    let with_store = [NITRO, &[(store, "")]].concat();
    #[rustfmt::skip]
    let table: [(Files<'_>, &serde_json::Value, &str, &str); 18] = [
        // a volume by its id, under the name that lasts where there is one
        (NITRO,  &none, "vol-0bbbbbbbbbbbbbbbb", "/dev/nvme2n1"),
        (NITRO,  &none, "vol0BBBBBBBBBBBBBBBB",  "/dev/nvme2n1"),
        (&both,  &none, "vol-0bbbbbbbbbbbbbbbb", by_id),
        // by the name that it was attached under
        (NITRO,  &one,  "/dev/sdf",              "/dev/nvme2n1"),
        (NITRO,  &one,  "xvdf",                  "/dev/nvme2n1"),
        (NITRO,  &one,  "ebs1",                  "/dev/nvme2n1"),
        (&both,  &one,  "data",                  by_id),
        // instance stores, which the metadata does not speak of
        (NITRO,  &one,  "ephemeral0",            "/dev/nvme1n1"),
        (NITRO,  &one,  "scratch",               "/dev/nvme1n1"),
        (&with_store, &one, "ephemeral0",        store),
        (NITRO,  &one,  "root",                  "/dev/nvme0n1"),
        (NITRO,  &none, "nvme1n1",               "/dev/nvme1n1"),
        // where the kernel counts otherwise than the metadata
        (XEN,    &xen,  "ephemeral0",            "/dev/xvdb"),
        (XEN,    &xen,  "ephemeral",             "/dev/xvdb"),
        (XEN,    &xen,  "sdb",                   "/dev/xvdb"),
        (XEN,    &xen,  "/dev/sdb1",             "/dev/xvdb1"),
        (XEN,    &xen,  "/dev/xvdc",             "/dev/vdc"),
        (XEN,    &json!({"ephemeral": "sdb"}), "ephemeral0", "/dev/xvdb"),
    ];
    for (files, mapping, name, wanted) in table {
        assert_eq!(
            find(files, mapping, name).as_deref(),
            Ok(wanted),
            "{name} {mapping}"
        );
    }
}

#[test]
fn a_partitions_name_says_its_disk_and_number() {
    let machine = FakeMachine::default();
    let instance = instance();
    let aliases = config("all: {data: /dev/sdf2}");
    let names = Names {
        probe: &machine,
        instance: &instance,
        aliases: aliases.get("all").and_then(Value::as_map),
    };
    #[rustfmt::skip]
    let table = [
        ("/dev/xvdb1",                   Some(("/dev/xvdb", 1))),
        ("sdf12",                        Some(("sdf", 12))),
        ("data",                         Some(("/dev/sdf", 2))),
        ("nvme1n1p3",                    Some(("nvme1n1", 3))),
        ("/dev/disk/by-id/nvme-A-part1", Some(("/dev/disk/by-id/nvme-A", 1))),
        ("/dev/xvdb",                    None),
        ("nvme1n1",                      None),
        ("ephemeral1",                   None),
        ("ebs1",                         None),
        ("vol-0123456789abcdef0",        None),
        ("sd1",                          None),
        ("1",                            None),
    ];
    for (name, wanted) in table {
        let found = names.disk_and_number(name);
        let found = found
            .as_ref()
            .map(|(disk, number)| (disk.as_str(), *number));
        assert_eq!(found, wanted, "{name}");
    }
}

#[test]
fn a_name_that_may_be_two_disks_is_none() {
    let two = [NITRO, SECOND].concat();
    let one = json!({"ebs1": "sdf"});
    let both = json!({"ebs1": "sdf", "ebs2": "sdg"});
    let nothing = "test:1:6: key: there is no device";
    let unclear = "test:1:6: key: which volume `/dev/sdf` is cannot be told on this instance";
    #[rustfmt::skip]
    let table: [(Files<'_>, &serde_json::Value, &str, &str); 8] = [
        (&two,   &both,         "/dev/sdf",              unclear),
        // One was attached after the launch.
        (&two,   &one,          "/dev/sdf",              unclear),
        (NITRO,  &both,         "/dev/sdf",              unclear),
        (NITRO,  &json!(null),  "/dev/sdf",              unclear),
        (NITRO,  &one,          "vol-0dddddddddddddddd", nothing),
        (NITRO,  &one,          "ephemeral1",            nothing),
        (XEN,    &json!({"ephemeral0": "sdq"}), "ephemeral0", nothing),
        (XEN,    &json!(null),  "/dev/\u{1b}[1m",        "test:1:6: key: there is no device `/dev/\u{fffd}[1m` ("),
    ];
    for (files, mapping, name, says) in table {
        let said = find(files, mapping, name).unwrap_err();
        assert!(said.starts_with(says), "{name}: {said}");
    }
    let said = find(&two, &both, "/dev/sdf").unwrap_err();
    let hint = "(write the volume's id: `vol-0bbbbbbbbbbbbbbbb`, `vol-0cccccccccccccccc`)";
    assert!(said.ends_with(hint), "{said}");
}

#[test]
fn a_link_leads_to_the_kernels_name_and_a_circle_to_none() {
    let mut machine = FakeMachine::with(XEN);
    for (link, to) in [
        ("/dev/sdb", "xvdb"),
        ("/dev/disk/by-id/one", "../../xvdb1"),
        ("/dev/disk/by-id/two", "one"),
        ("/dev/circle", "circle"),
        ("/dev/away", "/etc/passwd"),
    ] {
        machine.links.insert(link.into(), to.into());
    }
    #[rustfmt::skip]
    let table = [
        ("/dev/xvda",           Some("xvda")),
        ("/dev/sdb",            Some("xvdb")),
        ("/dev/disk/by-id/two", Some("xvdb1")),
        ("/dev/circle",         None),
        ("/dev/away",           None),
        ("/dev/nosuch",         None),
    ];
    for (path, wanted) in table {
        assert_eq!(
            crate::disk::kernel_name(&machine, path).as_deref(),
            wanted,
            "{path}"
        );
    }
}
