use std::path::PathBuf;

use contract::effect::{Effect, Program};
use contract::plan::Severity;
use contract::testing::{FakeMachine, Setting};

use super::*;

mod kinds;
mod unclear;

const TOOLS: [&str; 6] = [
    "mkfs.ext4",
    "mkfs.xfs",
    "mkswap",
    "sfdisk",
    "udevadm",
    "wipefs",
];

/// A disk of 8 GiB that holds nothing, and another one with two partitions.
const DISKS: &[(&str, &str)] = &[
    ("/dev/xvdb", ""),
    ("/dev/xvdc", ""),
    ("/dev/xvdc1", ""),
    ("/dev/xvdc2", ""),
    ("/sys/class/block/xvdb/size", "16777216\n"),
    ("/sys/class/block/xvdb/dev", "202:16\n"),
    ("/sys/class/block/xvdc/size", "16777216\n"),
    ("/sys/class/block/xvdc1/size", "2048\n"),
    ("/sys/class/block/xvdc1/start", "2048\n"),
    ("/sys/class/block/xvdc1/partition", "1\n"),
    ("/sys/class/block/xvdc2/size", "2048\n"),
    ("/sys/class/block/xvdc2/start", "4096\n"),
    ("/sys/class/block/xvdc2/partition", "2\n"),
    ("/sys/block/xvdb/size", "16777216\n"),
    ("/sys/block/xvdc/size", "16777216\n"),
    ("/sys/block/xvdc/xvdc1/start", "2048\n"),
    ("/sys/block/xvdc/xvdc2/start", "4096\n"),
    (
        "/proc/self/mountinfo",
        "22 1 202:1 / / rw - ext4 /dev/xvda1 rw\n",
    ),
];

/// What stands on a device from an offset on.
type Mark = (&'static str, usize, &'static [u8]);
const MBR: Mark = ("/dev/xvdc", 510, b"\x55\xaa");
const LINUX_1: Mark = ("/dev/xvdc", 450, b"\x83");
const SWAP_2: Mark = ("/dev/xvdc", 466, b"\x82");
const TABLE: [Mark; 3] = [MBR, LINUX_1, SWAP_2];
const EXT4: [Mark; 2] = [
    ("/dev/xvdc1", 1080, b"\x53\xef"),
    ("/dev/xvdc1", 1120, b"\x40"),
];
const DATA: Mark = ("/dev/xvdc1", 1144, b"data");
const XFS: Mark = ("/dev/xvdb", 0, b"XFSB");

/// The disks, these files, and every tool.
fn machine(more: &[(&str, &str)]) -> FakeMachine {
    let machine = FakeMachine::with(&[DISKS, more].concat());
    for tool in TOOLS {
        let path = PathBuf::from("/usr/sbin").join(tool);
        machine.files.borrow_mut().insert(path, Vec::new());
    }
    machine
}

fn plan(marks: &[Mark], config: &str) -> Plan {
    let machine = machine(&[]);
    for (device, at, bytes) in marks {
        let mut files = machine.files.borrow_mut();
        let held = files.get_mut(&PathBuf::from(device)).unwrap();
        held.resize(held.len().max(70_000), 0);
        held[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    let setting = Setting {
        machine,
        ..Setting::default()
    };
    setting.plan::<DiskSetup>(config)
}

/// What is run, and what is told it, in one line; waiting for udev is left out.
fn commands(plan: &Plan) -> Vec<String> {
    let line = |effect: &Effect| match effect {
        Effect::Tool(tool) => {
            let stdin = String::from_utf8_lossy(tool.stdin.expose())
                .trim_end()
                .replace('\n', "; ");
            format!("{} < {stdin}", tool.argv.join(" "))
                .trim_end_matches(" < ")
                .to_owned()
        }
        Effect::Run(command) => match &command.program {
            Program::Shell(line) => format!("sh: {line}"),
            Program::Argv(argv) => format!("run: {}", argv.join(" ")),
            _ => "?".to_owned(),
        },
        other => other.to_string(),
    };
    let lines = plan.effects().map(line);
    lines
        .filter(|line| !line.starts_with("udevadm settle"))
        .collect()
}

const SFDISK: &str = "sfdisk --wipe always --wipe-partitions never /dev/xvdb < label: ";
const LINUX: &str = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";

#[test]
fn an_empty_disk_gets_the_partitions_that_are_asked_for() {
    #[rustfmt::skip]
    let table = [
        ("layout: true",                                             "dos; type=83".to_owned()),
        ("layout: [50, 50]",                                         "dos; size=8388608, type=83; type=83".to_owned()),
        ("layout: [[33.3, 82], '66']",                               "dos; size=5586812, type=82; type=83".to_owned()),
        ("layout: [25, [25, 8e], [50, '0xfd']]",                     "dos; size=4194304, type=83; size=4194304, type=8e; type=fd".to_owned()),
        ("table_type: gpt, layout: true",                            format!("gpt; type={LINUX}")),
        ("table_type: gpt, layout: [[10, 82], [20, ef00], 70]",
         format!("gpt; size=1677721, type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F; size=3355443, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B; type={LINUX}")),
        ("table_type: gpt, layout: [[50, 0fc63daf-8483-4772-8e79-3d69d8477de4], [50, linux]]",
         format!("gpt; size=8388608, type={LINUX}; type={LINUX}")),
    ];
    for (definition, script) in table {
        let plan = plan(&[], &format!("disk_setup: {{/dev/xvdb: {{{definition}}}}}"));
        assert_eq!(
            commands(&plan),
            [format!("{SFDISK}{script}")],
            "{definition}"
        );
        assert_eq!(plan.problems, [], "{definition}");
    }
}

#[test]
fn a_disk_that_holds_something_is_left_alone_unless_it_may_be_lost() {
    let data: Vec<Mark> = TABLE.into_iter().chain(EXT4).collect();
    let erased = |device: &str| {
        format!("sfdisk --wipe always --wipe-partitions always /dev/{device} < label: dos; type=83")
    };
    let raw = [XFS];
    #[rustfmt::skip]
    let table: [(&[Mark], &str, Vec<String>, &str); 10] = [
        // as it shall be
        (&data,   "xvdc: {layout: [50, 50]}",                          vec![],               ""),
        (&data,   "xvdc: {layout: [50, [50, 82]], overwrite: true}",   vec![],               ""),
        (&data,   "xvdc: {layout: true}",                              vec![],               ""),
        (&data,   "xvdc: {layout: false}",                             vec![],               ""),
        // otherwise
        (&data,   "xvdc: {layout: [50, [50, 83]]}",                    vec![],               "test:1:14: disk_setup.xvdc: /dev/xvdc stays as it is: it has other partitions (say `overwrite: true`"),
        (&data,   "xvdc: {table_type: gpt, layout: [100]}",            vec![],               "it has other partitions"),
        (&raw,    "xvdb: {layout: true}",                              vec![],               "test:1:14: disk_setup.xvdb: /dev/xvdb stays as it is: it holds xfs (say `overwrite: true`"),
        (&raw,    "xvdb: {layout: true, overwrite: true}",             vec![erased("xvdb")], ""),
        (&data,   "xvdc: {layout: [100], overwrite: true}",            vec![erased("xvdc")], ""),
        (&data,   "xvdc: {layout: remove}",                            ["/dev/xvdc1", "/dev/xvdc2", "--force /dev/xvdc"].map(|rest| format!("wipefs --all {rest}")).to_vec(), ""),
    ];
    for (marks, definition, wanted, says) in table {
        let plan = plan(marks, &format!("disk_setup: {{{definition}}}"));
        assert_eq!(commands(&plan), wanted, "{definition}");
        let said = plan
            .problems
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(
            said.contains(says) && said.is_empty() == says.is_empty(),
            "{definition}: {said}"
        );
        assert!(
            plan.problems
                .iter()
                .all(|problem| problem.severity == Severity::Warning)
        );
    }
}

#[test]
fn a_disk_in_use_is_left_alone_whatever_is_said() {
    let overwrite = "disk_setup: {xvdc: {layout: [100], table_type: gpt, overwrite: true}}\n\
        fs_setup: [{device: xvdc.1, filesystem: xfs, overwrite: true}]";
    let remove = "disk_setup: {xvdc: {layout: remove}}";
    let uses = [
        (
            "/proc/self/mountinfo",
            "22 1 202:33 / /srv rw - ext4 /dev/xvdc1 rw\n",
            "xvdc1 is mounted on /srv",
        ),
        (
            "/proc/swaps",
            "Filename Type Size Used Priority\n/dev/xvdc1 partition 1 0 -2\n",
            "xvdc1 is swap space in use",
        ),
        (
            "/sys/class/block/xvdc1/holders/dm-0",
            "",
            "xvdc1 is a part of dm-0",
        ),
        (
            "/sys/fs/btrfs/0f3a6c1e-8d2b-4b57-9a3f-2c1d0e9f8a7b/devices/xvdc1",
            "",
            "xvdc1 is a part of a btrfs that is mounted",
        ),
    ];
    for (path, text, says) in uses {
        for config in [overwrite, remove] {
            let machine = FakeMachine::with(&[DISKS, &[(path, text)]].concat());
            for (device, at, bytes) in TABLE {
                let mut files = machine.files.borrow_mut();
                let held = files.get_mut(&PathBuf::from(device)).unwrap();
                held.resize(1024, 0);
                held[at..at + bytes.len()].copy_from_slice(bytes);
            }
            for tool in TOOLS {
                let path = PathBuf::from("/usr/sbin").join(tool);
                machine.files.borrow_mut().insert(path, Vec::new());
            }
            let setting = Setting {
                machine,
                ..Setting::default()
            };
            let plan = setting.plan::<DiskSetup>(config);
            assert_eq!(commands(&plan), [""; 0], "{path}");
            assert!(
                plan.problems
                    .iter()
                    .all(|problem| problem.message.contains(says)),
                "{:?}",
                plan.problems
            );
            assert!(!plan.problems.is_empty());
        }
    }
}

#[test]
fn a_file_system_is_made_where_it_is_asked_for() {
    let table: Vec<Mark> = TABLE.to_vec();
    let with_data: Vec<Mark> = [table.clone(), EXT4.to_vec(), vec![DATA]].concat();
    let raw = [XFS];
    #[rustfmt::skip]
    let cases: [(&[Mark], &str, &str); 20] = [
        // the device itself
        (&[],         "device: xvdb, filesystem: ext4, label: data, partition: none",            "mkfs.ext4 -L data -F /dev/xvdb"),
        (&[],         "device: /dev/xvdb, filesystem: xfs, extra_opts: [-i, size=512]",          "mkfs.xfs -f -i size=512 /dev/xvdb"),
        (&[],         "device: xvdb, filesystem: xfs, partition: auto, extra_opts: -i size=512", "mkfs.xfs -f -i size=512 /dev/xvdb"),
        (&[],         "device: xvdb, filesystem: swap, label: swap0",                            "mkswap -L swap0 -f /dev/xvdb"),
        (&raw,        "device: xvdb, filesystem: xfs, label: ''",                                ""),
        (&raw,        "device: xvdb, filesystem: xfs, label: other",                             ""),
        (&raw,        "device: xvdb, filesystem: xfs, overwrite: true, partition: none",         "mkfs.xfs -f /dev/xvdb"),
        (&raw,        "device: xvdb, filesystem: ext4, replace_fs: xfs",                         "mkfs.ext4 -F /dev/xvdb"),
        // a partition of it
        (&table,      "device: xvdc, filesystem: ext4, partition: 2",                            "mkfs.ext4 /dev/xvdc2"),
        (&table,      "device: xvdc.2, filesystem: ext4, label: two, overwrite: true",           "mkfs.ext4 -L two -F /dev/xvdc2"),
        (&table,      "device: /dev/xvdc2, filesystem: ext4",                                    "mkfs.ext4 /dev/xvdc2"),
        (&with_data,  "device: xvdc, filesystem: ext4, label: data, partition: 1",               ""),
        (&with_data,  "device: xvdc, filesystem: ext4, label: data, partition: auto",            ""),
        (&with_data,  "device: xvdc, filesystem: ext4, label: other, partition: auto",           "mkfs.ext4 -L other /dev/xvdc2"),
        (&with_data,  "device: xvdc, filesystem: ext4, label: other, partition: any",            ""),
        (&with_data,  "device: xvdc, filesystem: xfs, replace_fs: ext4",                         "mkfs.xfs /dev/xvdc1"),
        (&with_data,  "device: xvdc, filesystem: ext4, label: new, partition: 1, overwrite: yes", "mkfs.ext4 -L new -F /dev/xvdc1"),
        // somebody's own way
        (&[],         "device: xvdb, label: a, filesystem: x, cmd: 'mkfs -t %(filesystem)s -L %(label)s %(device)s'", "sh: mkfs -t x -L a /dev/xvdb"),
        (&[],         "device: xvdb, cmd: [mkfs.x, '%(device)s']",                               "run: mkfs.x /dev/xvdb"),
        (&table,      "device: xvdc, cmd: 'mkfs %(device)s', partition: 1",                      "sh: mkfs /dev/xvdc1"),
    ];
    for (marks, entry, wanted) in cases {
        let plan = plan(marks, &format!("fs_setup: [{{{entry}}}]"));
        assert_eq!(commands(&plan).join("\n"), wanted, "{entry}");
        assert_eq!(plan.problems, [], "{entry}");
    }
}

#[test]
fn a_file_system_that_is_there_is_not_lost_by_mistake() {
    let data: Vec<Mark> = [TABLE.to_vec(), EXT4.to_vec(), vec![DATA]].concat();
    let full: Vec<Mark> = [data.clone(), vec![("/dev/xvdc2", 4086, b"SWAPSPACE2")]].concat();
    #[rustfmt::skip]
    let table: [(&[Mark], &str, &str); 8] = [
        (&[XFS],  "device: xvdb, filesystem: ext4, partition: none",              "test:1:21: fs_setup[0]: /dev/xvdb holds xfs already, and stays as it is (say `overwrite: true`"),
        (&[XFS],  "device: xvdb, cmd: 'mkfs %(device)s', partition: none",        "test:1:21: fs_setup[0]: /dev/xvdb holds xfs already"),
        (&[XFS],  "device: xvdb, filesystem: ext4",                               "test:1:21: fs_setup[0]: nothing is free on /dev/xvdb"),
        (&data,   "device: xvdc, filesystem: xfs, partition: 1",                  "test:1:21: fs_setup[0]: /dev/xvdc1 holds ext4 `data` already"),
        (&data,   "device: xvdc, filesystem: ext4, partition: 1, label: other",   "test:1:21: fs_setup[0]: /dev/xvdc1 holds ext4 `data` already"),
        (&data,   "device: xvdc, filesystem: ext4, partition: none",              "test:1:21: fs_setup[0]: /dev/xvdc has partitions, and stays as it is"),
        (&data,   "device: xvdc, filesystem: ext4, partition: 3",                 "test:1:56: fs_setup[0]: there is no partition /dev/xvdc3"),
        (&full,   "device: xvdc, filesystem: xfs",                                "test:1:21: fs_setup[0]: nothing is free on /dev/xvdc"),
    ];
    for (marks, entry, says) in table {
        let plan = plan(marks, &format!("fs_setup: [{{{entry}}}]"));
        assert_eq!(commands(&plan), [""; 0], "{entry}");
        let said = plan.problems[0].to_string();
        assert!(said.starts_with(says), "{entry}: {said}");
    }
}

#[test]
fn a_disk_gets_its_file_systems_with_its_partitions() {
    let config = "device_aliases: {data: /dev/sdb}\n\
        disk_setup: {data: {table_type: gpt, layout: [50, [50, 82]]}}\n\
        fs_setup:\n\
        - {label: web, filesystem: ext4, device: data, partition: auto}\n\
        - {filesystem: swap, device: data, partition: auto}\n\
        - {filesystem: xfs, device: data, partition: 3}\n\
        - {filesystem: ext4, device: xvdc.1}\n";
    let plan = plan(&TABLE, config);
    let steps: Vec<(&str, usize)> = plan
        .steps
        .iter()
        .map(|step| (step.name.as_str(), step.effects.len()))
        .collect();
    assert_eq!(steps, [("xvdb", 4), ("fs_setup[3]", 1)]);
    let swap = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F";
    assert_eq!(
        commands(&plan),
        [
            format!("{SFDISK}gpt; size=8388608, type={LINUX}; type={swap}"),
            "mkfs.ext4 -L web /dev/xvdb1".to_owned(),
            "mkswap /dev/xvdb2".to_owned(),
            "mkfs.ext4 /dev/xvdc1".to_owned(),
        ]
    );
    let said = plan.problems[0].to_string();
    assert_eq!(
        said,
        "test:6:46: fs_setup[2]: there is no partition /dev/xvdb3"
    );
}

#[test]
fn a_partition_that_is_about_to_be_made_can_be_named_itself() {
    let data: Vec<Mark> = [TABLE.to_vec(), EXT4.to_vec(), vec![DATA]].concat();
    #[rustfmt::skip]
    let table: [(&[Mark], &str, &str, &str, &str); 7] = [
        (&[],   "/dev/xvdb: {layout: true}",                  "device: /dev/xvdb1",               "mkfs.ext4 -L data /dev/xvdb1",    ""),
        (&[],   "/dev/xvdb: {layout: [50, 50]}",              "device: sdb2, partition: auto",    "mkfs.ext4 -L data /dev/xvdb2",    ""),
        (&[],   "/dev/sdb: {layout: true}",                   "device: xvdb1, partition: none",   "mkfs.ext4 -L data /dev/xvdb1",    ""),
        // What the old partition holds is not the new one's.
        (&data, "xvdc: {layout: [100], overwrite: true}",     "device: xvdc1",                    "mkfs.ext4 -L data /dev/xvdc1",    ""),
        (&data, "xvdc: {layout: [100], overwrite: true}",     "device: xvdc1, overwrite: true",   "mkfs.ext4 -L data -F /dev/xvdc1", ""),
        (&data, "xvdc: {layout: [100], overwrite: true}",     "device: xvdc2",                    "",                                "test:2:21: fs_setup[0]: there is no partition /dev/xvdc2"),
        (&[],   "xvdb: {layout: true}",                       "device: xvdb1, partition: 2",      "",                                "test:2:39: fs_setup[0]: xvdb1 has no partition 2"),
    ];
    for (marks, disk, entry, mkfs, says) in table {
        let config = format!(
            "disk_setup: {{{disk}}}\nfs_setup: [{{{entry}, filesystem: ext4, label: data}}]"
        );
        let plan = plan(marks, &config);
        // A partition that was not made is one step with its table, so that mkfs takes no older one.
        assert_eq!(plan.steps.len(), 1, "{config}");
        let commands = commands(&plan);
        let last = commands.last().filter(|last| last.starts_with("mkfs"));
        assert_eq!(last.map_or("", String::as_str), mkfs, "{config}");
        let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
        assert_eq!(said.join("\n"), says, "{config}");
    }
}

#[test]
fn a_bad_entry_costs_itself_alone_and_is_told_with_its_place() {
    #[rustfmt::skip]
    let table = [
        ("disk_setup: [xvdb]",                                  "test:1:13: disk_setup: expected a mapping from disks to their tables, found a list"),
        ("disk_setup: {xvdb: true}",                            "test:1:20: disk_setup.xvdb: expected a mapping, found a boolean"),
        ("disk_setup: {sdq: {layout: true}}",                   "test:1:14: disk_setup.sdq: there is no device `sdq` (`lsblk` shows"),
        ("disk_setup: {/dev/nosuch: {layout: true}}",           "test:1:14: disk_setup./dev/nosuch: there is no device `/dev/nosuch`"),
        ("disk_setup: {xvdc1: {layout: true}}",                 "test:1:14: disk_setup.xvdc1: /dev/xvdc1 is no disk"),
        ("disk_setup: {xvdb: {layout: true, table_type: bsd}}", "test:1:47: disk_setup.xvdb.table_type: expected `mbr` or `gpt`, found a string"),
        ("disk_setup: {xvdb: {layout: auto}}",                  "test:1:29: disk_setup.xvdb.layout: expected true, false, `remove`, or a list of shares in per cent, found a string"),
        ("disk_setup: {xvdb: {layout: [a]}}",                   "test:1:30: disk_setup.xvdb.layout[0]: expected a share in per cent"),
        ("disk_setup: {xvdb: {layout: [[50]]}}",                "test:1:30: disk_setup.xvdb.layout[0]: expected a share in per cent"),
        ("disk_setup: {xvdb: {layout: [60, 60, 1]}}",           "test:1:29: disk_setup.xvdb.layout: the shares leave no room for the last partition"),
        ("disk_setup: {xvdb: {layout: [1, 1, 1, 1, 1]}}",       "test:1:29: disk_setup.xvdb.layout: expected at most 4 partitions (write `table_type: gpt` for more)"),
        ("disk_setup: {xvdb: {layout: [[50, nosuch], 50]}}",    "test:1:35: disk_setup.xvdb.layout[0]: that is no type of a partition that is known (write its number"),
        ("disk_setup: {xvdb: {layout: [[50, 7777], 50], table_type: gpt}}", "test:1:35: disk_setup.xvdb.layout[0]: that is no type"),
        ("fs_setup: {device: xvdb}",                            "test:1:11: fs_setup: expected a list, found a mapping"),
        ("fs_setup: [xvdb]",                                    "test:1:12: fs_setup[0]: expected a mapping, found a string"),
        ("fs_setup: [{filesystem: ext4}]",                      "test:1:12: fs_setup[0]: expected a `device`"),
        ("fs_setup: [{device: xvdb}]",                          "test:1:12: fs_setup[0]: without `filesystem` or `cmd` nobody knows"),
        ("fs_setup: [{device: [], filesystem: ext4}]",          "test:1:21: fs_setup[0].device: expected the name of a disk"),
        ("fs_setup: [{device: xvdb, filesystem: ../ext4}]",     "test:1:39: fs_setup[0].filesystem: expected the name of a file system"),
        ("fs_setup: [{device: xvdb, filesystem: zfs}]",         "test:1:39: fs_setup[0]: the image has no mkfs.zfs (install"),
        ("fs_setup: [{device: xvdb, filesystem: ext4, partition: -1}]", "test:1:56: fs_setup[0].partition: expected `auto`, `any`, `none` or the number"),
        ("fs_setup: [{device: xvdb, cmd: 'mkfs %(size)s'}]",    "test:1:32: fs_setup[0].cmd: expected a command line with %(label)s"),
        ("fs_setup: [{device: xvdb, filesystem: ext4, extra_opts: 7}]", "test:1:57: fs_setup[0].extra_opts: expected a list of strings"),
    ];
    for (config, says) in table {
        let plan = plan(&[], config);
        assert_eq!(commands(&plan), [""; 0], "{config}");
        let said = plan.problems[0].to_string();
        assert!(said.starts_with(says), "{config}: {said}");
    }
    let two = "fs_setup: [7, {device: xvdb, filesystem: ext4, partition: none}]\n\
        disk_setup: {xvdb: {layout: [[]]}, nosuch: {}}";
    let plan = plan(&[], two);
    assert_eq!(commands(&plan), ["mkfs.ext4 -F /dev/xvdb"]);
    assert_eq!(plan.problems.len(), 3, "{:?}", plan.problems);
}
