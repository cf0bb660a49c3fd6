//! Disks of which it is not plain what they hold.

use std::path::Path;

use contract::custom::Nobody;
use contract::module::Entry;
use contract::testing::{FakeMachine, Setting, config as document};

use super::super::*;
use super::{commands, machine};
use crate::disk::fake::Broken;

#[test]
fn a_disk_of_a_zfs_pool_is_purged_only_if_it_may_be_lost() {
    #[rustfmt::skip]
    let table = [
        ("xvdb", "",                  "test:1:14: disk_setup.xvdb: /dev/xvdb stays as it is: xvdb is a part of a ZFS pool (say `overwrite: true`"),
        ("xvdb", ", overwrite: true", ""),
        ("xvdc", "",                  "test:1:14: disk_setup.xvdc: /dev/xvdc stays as it is: xvdc1 is a part of a ZFS pool (say `overwrite: true`"),
        ("xvdc", ", overwrite: true", ""),
    ];
    for (disk, more, says) in table {
        let udev = [
            ("/sys/class/block/xvdc1/dev", "202:33\n"),
            ("/run/udev/data/b202:16", "E:ID_FS_TYPE=zfs_member\n"),
            ("/run/udev/data/b202:33", "E:ID_FS_TYPE=zfs_member\n"),
        ];
        let machine = machine(&udev);
        let mbr = [vec![0; 510], vec![0x55, 0xaa]].concat();
        machine.files.borrow_mut().insert("/dev/xvdc".into(), mbr);
        let setting = Setting {
            machine,
            ..Setting::default()
        };
        let plan =
            setting.plan::<DiskSetup>(&format!("disk_setup: {{{disk}: {{layout: remove{more}}}}}"));
        assert_eq!(commands(&plan).is_empty(), !says.is_empty(), "{disk}{more}");
        let said = plan.problems.first().map(ToString::to_string);
        assert!(said.unwrap_or_default().starts_with(says), "{disk}{more}");
    }
}

#[test]
fn a_disk_that_comes_late_is_waited_for_and_so_is_what_udev_says_of_it() {
    let config = "disk_setup: {vdd: {layout: true}}";
    let late = |files: &[(&str, &str)], late: &[(&str, &str)]| {
        let machine = machine(files);
        let comes = FakeMachine::with(late);
        machine.late.swap(&comes.files);
        let setting = Setting {
            machine,
            ..Setting::default()
        };
        let plan = setting.plan::<DiskSetup>(config);
        let said = plan.problems.first().map(ToString::to_string);
        (!commands(&plan).is_empty(), said.unwrap_or_default())
    };
    let disk = [
        ("/dev/vdd", ""),
        ("/sys/block/vdd/size", "16777216\n"),
        ("/sys/class/block/vdd/size", "16777216\n"),
        ("/sys/class/block/vdd/dev", "254:48\n"),
    ];
    let there = [&disk[..], &[("/run/udev/control", "")]].concat();
    let record = |text| [("/run/udev/data/b254:48", text)];
    let is_made = (true, String::new());
    assert_eq!(late(&[], &disk), is_made);
    assert_eq!(late(&there, &record("E:DEVTYPE=disk\n")), is_made);
    let says = "test:1:14: disk_setup.vdd: /dev/vdd stays as it is: it holds ceph_bluestore \
        (say `overwrite: true` if what is on it may be lost)";
    let holds = late(&there, &record("E:ID_FS_TYPE=ceph_bluestore\n"));
    assert_eq!(holds, (false, says.to_owned()));
    let (is_made, said) = late(&there, &[]);
    assert!(
        !is_made && said.contains("it is not known to udev yet"),
        "{said}"
    );
}

#[test]
fn a_disk_that_cannot_be_read_is_not_taken_for_an_empty_one() {
    const SIZE: u64 = 16_777_216 * 512;
    let overwrite = "disk_setup: {xvdb: {layout: true, overwrite: true}}";
    #[rustfmt::skip]
    let table = [
        (0,          "disk_setup: {xvdb: {layout: true}}",                                     "test:1:14: disk_setup.xvdb"),
        (1024,       "disk_setup: {xvdb: {layout: true}}",                                     "test:1:14: disk_setup.xvdb"),
        (0,          overwrite,                                                                "test:1:14: disk_setup.xvdb"),
        // The second copy of a GPT.
        (SIZE - 512, overwrite,                                                                "test:1:14: disk_setup.xvdb"),
        (0,          "disk_setup: {xvdb: {layout: remove}}",                                   "test:1:14: disk_setup.xvdb"),
        (1024,       "fs_setup: [{device: xvdb, filesystem: ext4, partition: none}]",          "test:1:21: fs_setup[0]"),
        (1024,       "fs_setup: [{device: xvdb, filesystem: ext4}]",                           "test:1:21: fs_setup[0]"),
    ];
    for (from, config, key) in table {
        let broken = Broken {
            machine: machine(&[]),
            device: "/dev/xvdb",
            from,
        };
        let Setting {
            instance, params, ..
        } = Setting::default();
        let plan = Entry::of::<DiskSetup>().plan(&Context {
            instance: &instance,
            config: &document(config),
            params: &params,
            scripts: &[],
            handlers: &[],
            instance_dir: Path::new("/var/lib/firstlight/instances/i-1"),
            scripts_dir: Path::new("/var/lib/firstlight/instances/i-1/scripts"),
            probe: &broken,
            ask: &Nobody,
            render: |text, _| Ok(text.to_owned()),
        });
        assert_eq!(commands(&plan), [""; 0], "{config}");
        let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
        let says = format!("{key}: /dev/xvdb stays as it is: it cannot be read: I/O error");
        assert_eq!(said, [says], "{config}");
    }
}
