use std::path::PathBuf;

use contract::testing::{FakeMachine, Setting};
use serde_json::json;

use super::*;

const OPTIONS: &str = "defaults,nofail,x-systemd.after=firstlight.service,_netdev";
const MOUNTS: (&str, &str) = (
    "/proc/self/mountinfo",
    "22 1 202:1 / / rw - ext4 /dev/xvda1 rw\n",
);

/// A disk without partitions and one with two.
const DISKS: &[(&str, &str)] = &[
    MOUNTS,
    ("/usr/lib/systemd/systemd", ""),
    ("/dev/xvdb", ""),
    ("/dev/xvdc", ""),
    ("/dev/xvdc1", ""),
    ("/dev/xvdc2", ""),
    ("/sys/class/block/xvdb/size", "16777216\n"),
    ("/sys/class/block/xvdc/size", "16777216\n"),
    ("/sys/class/block/xvdc1/size", "2048\n"),
    ("/sys/class/block/xvdc2/size", "2048\n"),
    (
        "/etc/fstab",
        "# the image's\n\nUUID=1 / ext4 defaults 0 1\n",
    ),
];

type Files<'a> = &'a [(&'a str, &'a str)];

fn setting(more: &[(&str, &str)]) -> Setting {
    let mut instance = contract::testing::instance();
    instance.rest = json!({"meta-data": {"block-device-mapping": {"ami": "xvda"}}});
    Setting {
        instance,
        machine: FakeMachine::with(&[DISKS, more].concat()),
        ..Setting::default()
    }
}

fn commands(plan: &Plan) -> Vec<String> {
    let line = |effect: &Effect| match effect {
        Effect::Tool(tool) => tool.argv.join(" "),
        other => other.to_string(),
    };
    plan.effects().map(line).collect()
}

/// The lines of /etc/fstab behind those of the image, with blanks for tabs.
fn lines(plan: &Plan) -> Vec<String> {
    let file = plan.effects().filter_map(|effect| match effect {
        Effect::File(file) if effect.path() == Some(Path::new("/etc/fstab")) => Some(file),
        _ => None,
    });
    let Some(file) = file.last() else {
        return Vec::new();
    };
    let text = String::from_utf8(file.content.bytes().to_vec()).unwrap();
    let ours = text
        .strip_prefix("# the image's\nUUID=1 / ext4 defaults 0 1\n")
        .unwrap();
    ours.lines().map(|line| line.replace('\t', " ")).collect()
}

#[test]
fn an_entry_becomes_a_line_of_fstab() {
    let usual = format!("auto {OPTIONS},comment=cloudconfig 0 2");
    #[rustfmt::skip]
    let table = [
        // a device by its name, with its first partition if it has one
        ("[xvdb, /data]",                                        format!("/dev/xvdb /data {usual}")),
        ("[sdb, /data, ext4]",                                   format!("/dev/xvdb /data ext4 {OPTIONS},comment=cloudconfig 0 2")),
        ("[/dev/xvdc, /data, ext4, 'defaults, noatime', 0, 0]",  "/dev/xvdc1 /data ext4 defaults,noatime,comment=cloudconfig 0 0".to_owned()),
        ("[xvdc.2, /data]",                                      format!("/dev/xvdc2 /data {usual}")),
        ("[/dev/xvdc2, /data]",                                  format!("/dev/xvdc2 /data {usual}")),
        // what is no device, or none that is there, stays as it is written
        ("[xvdc.3, /data]",                                      format!("xvdc.3 /data {usual}")),
        ("[/dev/xvdh, /data]",                                   format!("/dev/xvdh /data {usual}")),
        ("[LABEL=data, /data]",                                  format!("LABEL=data /data {usual}")),
        ("['server:/export', /data, nfs4, null, null, '0']",     format!("server:/export /data nfs4 {OPTIONS},comment=cloudconfig 0 0")),
        ("[tmpfs, /tmp, tmpfs, size=1G]",                        "tmpfs /tmp tmpfs size=1G,comment=cloudconfig 0 2".to_owned()),
        ("[ephemeral0, /data]",                                  format!("ephemeral0 /data {usual}")),
        ("[xvdb, '/my data']",                                   format!("/dev/xvdb /my\\040data {usual}")),
        ("[xvdb, none, swap, sw, 0, 0]",                         "/dev/xvdb none swap sw,comment=cloudconfig 0 0".to_owned()),
    ];
    for (entry, wanted) in table {
        let plan = setting(&[]).plan::<Mounts>(&format!("mounts: [{entry}]"));
        assert_eq!(lines(&plan), [wanted], "{entry}");
        assert_eq!(plan.problems, [], "{entry}");
    }
}

#[test]
fn mount_points_are_made_and_everything_is_mounted() {
    let config = "mounts: [[xvdb, /data], [xvdc, none, swap], [xvdc.2, '/srv/my data']]";
    let plan = setting(&[("/srv/file", "")]).plan::<Mounts>(config);
    assert_eq!(
        commands(&plan),
        [
            "directory /data (0755)",
            "directory /srv/my data (0755)",
            "file /etc/fstab (0644)",
            "swapon -a",
            "mount -a",
            "systemctl daemon-reload",
        ]
    );
    // Where it is so already, nothing is left to do.
    let fstab = plan.effects().find_map(|effect| match effect {
        Effect::File(file) => Some(String::from_utf8(file.content.bytes().to_vec()).unwrap()),
        _ => None,
    });
    let mounted = format!(
        "{}30 22 202:16 / /data rw - ext4 /dev/xvdb rw\n31 22 202:34 / /srv/my\\040data rw - ext4 /dev/xvdc2 rw\n",
        MOUNTS.1
    );
    let swaps = "Filename Type Size Used Priority\n/dev/xvdc1 partition 1023 0 -2\n";
    let there = setting(&[
        ("/etc/fstab", &fstab.unwrap()),
        ("/proc/self/mountinfo", &mounted),
        ("/proc/swaps", swaps),
        ("/data/lost+found", ""),
        ("/srv/my data/lost+found", ""),
    ]);
    assert_eq!(commands(&there.plan::<Mounts>(config)), [""; 0]);
}

#[test]
fn what_cannot_be_mounted_now_is_no_reason_to_try_again() {
    #[rustfmt::skip]
    let table = [
        ("[/dev/nosuch, /data]",                          false),
        ("[/dev/nosuch, /data, ext4, defaults]",          true),
        ("[xvdb, /data, ext4, 'noauto,nofail']",          false),
        ("[xvdb, /data]",                                 true),
    ];
    for (entry, wanted) in table {
        let config = format!("mounts: [{entry}]");
        let first = setting(&[]).plan::<Mounts>(&config);
        let text = format!(
            "# the image's\nUUID=1 / ext4 defaults 0 1\n{}\n",
            lines(&first)[0].replace(' ', "\t")
        );
        let again = setting(&[("/etc/fstab", &text), ("/data/x", "")]).plan::<Mounts>(&config);
        assert_eq!(
            commands(&again).contains(&"mount -a".to_owned()),
            wanted,
            "{entry}"
        );
        assert_eq!(lines(&again), [""; 0], "{entry}");
    }
}

#[test]
fn what_the_metadata_tells_of_is_mounted_though_nobody_asks() {
    let usual = format!("/mnt auto {OPTIONS},comment=cloudconfig 0 2");
    #[rustfmt::skip]
    let table = [
        ("",                                           json!({"ami": "sda1"}),           vec![]),
        ("",                                           json!({"ephemeral0": "sdq"}),     vec![]),
        ("",                                           json!({"ephemeral0": "sdb"}),     vec![format!("/dev/xvdb {usual}")]),
        ("",                                           json!({"ephemeral0": "xvdc"}),    vec![format!("/dev/xvdc1 {usual}")]),
        ("",                                           json!({"ephemeral0": "sdb", "swap": "xvdc2"}), vec![format!("/dev/xvdb {usual}"), "/dev/xvdc2 none swap sw,comment=cloudconfig 0 0".to_owned()]),
        ("mounts: [[ephemeral0, null]]",               json!({"ephemeral0": "sdb"}),     vec![]),
        ("mounts: [[ephemeral0]]",                     json!({"ephemeral0": "sdb"}),     vec![]),
        ("mounts: [[ephemeral0, /data]]",              json!({"ephemeral0": "sdb"}),     vec![format!("/dev/xvdb {}", usual.replace("/mnt", "/data"))]),
        ("mounts: [[xvdb, /a], [xvdb, null]]",         json!({}),                        vec![]),
        ("mounts: [[xvdb, null], [xvdb, /a]]",         json!({}),                        vec![format!("/dev/xvdb {}", usual.replace("/mnt", "/a"))]),
        ("device_aliases: {ephemeral0: xvdc2}",        json!({"ephemeral0": "sdb"}),     vec![]),
        ("device_aliases: {ephemeral0: /dev/xvdc}",    json!(null),                      vec![format!("/dev/xvdc1 {usual}")]),
        ("device_aliases: {swap: xvdb}",               json!({}),                        vec!["/dev/xvdb none swap sw,comment=cloudconfig 0 0".to_owned()]),
    ];
    for (config, mapping, wanted) in table {
        let mut setting = setting(&[]);
        setting.instance.rest = json!({"meta-data": {"block-device-mapping": mapping}});
        let plan = setting.plan::<Mounts>(config);
        assert_eq!(lines(&plan), wanted, "{config} {mapping}");
        assert_eq!(plan.problems, [], "{config} {mapping}");
    }
}

#[test]
fn a_device_that_others_have_a_line_for_keeps_it() {
    let fstab = "# the image's\nUUID=1 / ext4 defaults 0 1\n/dev/xvdb /data ext4 defaults 0 2\n";
    let mut setting = setting(&[("/etc/fstab", fstab)]);
    setting.instance.rest = json!({"meta-data": {"block-device-mapping": {"ephemeral0": "sdb"}}});
    assert_eq!(commands(&setting.plan::<Mounts>("{}")), [""; 0]);
}

#[test]
fn lines_of_an_earlier_instance_are_replaced_and_those_of_others_stay() {
    let fstab = "# the image's\nUUID=1 / ext4 defaults 0 1\n/dev/xvdx\t/old\tauto\tdefaults,comment=cloudconfig\t0\t2\n";
    let plan =
        setting(&[("/etc/fstab", fstab)]).plan::<Mounts>("mounts: [[xvdb, /data, ext4, defaults]]");
    assert_eq!(
        lines(&plan),
        ["/dev/xvdb /data ext4 defaults,comment=cloudconfig 0 2"]
    );
}

#[test]
fn the_partition_that_is_about_to_be_made_is_mounted() {
    let more = [
        ("/usr/sbin/sfdisk", ""),
        ("/sys/block/xvdb/size", "16777216\n"),
    ];
    let config =
        "disk_setup: {xvdb: {layout: [50, 50]}}\nmounts: [[xvdb, /a], [xvdb.2, /b], [xvdb.3, /c]]";
    let plan = setting(&more).plan::<Mounts>(config);
    let sources: Vec<String> = lines(&plan)
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(sources, ["/dev/xvdb1", "/dev/xvdb2", "xvdb.3"]);
}

#[test]
fn fields_that_are_left_out_come_from_the_defaults() {
    let own = "mount_default_fields: [null, null, ext4, 'defaults,noatime']\n";
    #[rustfmt::skip]
    let table = [
        (own,                                      "[xvdb, /a]",             "/dev/xvdb /a ext4 defaults,noatime,comment=cloudconfig 0 2"),
        (own,                                      "[xvdb, /a, xfs, null, 1]", "/dev/xvdb /a xfs defaults,noatime,comment=cloudconfig 1 2"),
        ("mount_default_fields: [null, /b]\n",     "[xvdb]",                 "/dev/xvdb /b auto defaults,nofail,x-systemd.after=firstlight.service,_netdev,comment=cloudconfig 0 2"),
    ];
    for (defaults, entry, wanted) in table {
        let plan = setting(&[]).plan::<Mounts>(&format!("{defaults}mounts: [{entry}]"));
        assert_eq!(lines(&plan), [wanted], "{defaults}{entry}");
    }
    let without = setting(&[]);
    without
        .machine
        .files
        .borrow_mut()
        .remove(Path::new("/usr/lib/systemd/systemd"));
    let plan = without.plan::<Mounts>("mounts: [[xvdb, /a]]");
    assert_eq!(
        lines(&plan),
        ["/dev/xvdb /a auto defaults,nobootwait,comment=cloudconfig 0 2"]
    );
    assert_eq!(commands(&plan).last().unwrap(), "mount -a");
}

fn swap(more: &[(&str, &str)], free: Option<u64>, config: &str) -> Plan {
    let memory = (
        "/proc/meminfo",
        "MemTotal:        2097152 kB\nMemFree: 1 kB\n",
    );
    let kernel = ("/proc/sys/kernel/osrelease", "6.1.0-18-cloud-amd64\n");
    let mut setting = setting(&[&[memory, kernel], more].concat());
    setting.machine.free = free;
    setting.plan::<Mounts>(&format!("swap: {config}"))
}

#[test]
fn a_swap_file_is_private_before_it_is_filled_and_has_a_line_when_it_is_there() {
    let free = Some(100 << 30);
    let at = |kind: &str| format!("{}23 22 0:1 / /srv rw - {kind} /dev/xvdb rw\n", MOUNTS.1);
    #[rustfmt::skip]
    let table = [
        ("ext4",  "{size: 1G}",                                   "/swap.img",    vec!["fallocate -l 1024M /swap.img"]),
        ("ext4",  "{size: auto}",                                 "/swap.img",    vec!["fallocate -l 2048M /swap.img"]),
        ("ext4",  "{size: auto, maxsize: 100MB}",                 "/swap.img",    vec!["fallocate -l 100M /swap.img"]),
        ("xfs",   "{size: 2097152, filename: /srv/swap}",         "/srv/swap",    vec!["fallocate -l 2M /srv/swap"]),
        ("btrfs", "{size: 2M, filename: /srv/swap}",              "/srv/swap",    vec!["chattr +C /srv/swap", "fallocate -l 2M /srv/swap"]),
        ("ext3",  "{size: 2M, filename: /srv/swap}",              "/srv/swap",    vec!["dd if=/dev/zero of=/srv/swap bs=1M count=2"]),
    ];
    for (kind, config, file, made) in table {
        let plan = swap(
            &[("/proc/self/mountinfo", &at(kind)), ("/srv/x", "")],
            free,
            config,
        );
        let mut wanted = vec![format!("file {file} (0600)")];
        wanted.extend(made.iter().map(ToString::to_string));
        wanted.push(format!("mkswap {file}"));
        wanted.extend(
            [
                "file /etc/fstab (0644)",
                "swapon -a",
                "systemctl daemon-reload",
            ]
            .map(ToOwned::to_owned),
        );
        assert_eq!(commands(&plan), wanted, "{config}");
        assert_eq!(
            lines(&plan),
            [format!("{file} none swap sw 0 0")],
            "{config}"
        );
        assert_eq!(plan.problems, [], "{config}");
    }
}

#[test]
fn a_swap_file_that_is_there_is_used_and_one_that_is_something_else_stays() {
    let swap_file = format!("{}SWAPSPACE2", "\0".repeat(4086));
    let blank = "\0".repeat(8192);
    // A disk's image, for instance: nothing at its beginning, and then something.
    let image = format!("{}data", "\0".repeat(3 << 20));
    let fstab = "# the image's\nUUID=1 / ext4 defaults 0 1\n/swap.img\tnone\tswap\tsw\t0\t0\n";
    let used = "Filename Type Size Used Priority\n/swap.img file 1 0 -2\n";
    #[rustfmt::skip]
    let table: [(Files<'_>, usize, &[&str]); 5] = [
        (&[("/swap.img", &swap_file)],                                                        0, &["file /etc/fstab (0644)", "swapon -a", "systemctl daemon-reload"]),
        (&[("/swap.img", &swap_file), ("/etc/fstab", fstab), ("/proc/swaps", used)],          0, &[]),
        (&[("/swap.img", &blank)],                                                            0, &["file /swap.img (0600)", "fallocate -l 64M /swap.img", "mkswap /swap.img", "file /etc/fstab (0644)", "swapon -a", "systemctl daemon-reload"]),
        (&[("/swap.img", "somebody's letters")],                                              1, &[]),
        (&[("/swap.img", &image)],                                                            1, &[]),
    ];
    for (files, problems, wanted) in table {
        let plan = swap(files, None, "{size: 64M}");
        let names: Vec<_> = files.iter().map(|(path, _)| path).collect();
        assert_eq!(commands(&plan), wanted, "{names:?}");
        assert_eq!(plan.problems.len(), problems, "{:?}", plan.problems);
    }
    let mut linked = setting(&[]);
    let to = PathBuf::from("/dev/xvdb");
    linked.machine.links.insert("/swap.img".into(), to);
    let plan = linked.plan::<Mounts>("swap: {size: 64M}");
    assert_eq!(commands(&plan), [""; 0]);
    assert_eq!(
        plan.problems[0].to_string(),
        "test:1:7: swap: /swap.img is there and is no file, and stays as it is (write another `filename`, or remove that file)"
    );
}

#[test]
fn a_table_that_cannot_be_read_whole_stays_as_it_is() {
    let odd = setting(&[]);
    let path = PathBuf::from("/etc/fstab");
    odd.machine
        .files
        .borrow_mut()
        .insert(path, b"caf\xe9\n".to_vec());
    let plan = odd.plan::<Mounts>("mounts: [[xvdb, /data]]\nswap: {size: 64M}");
    assert_eq!(commands(&plan), [""; 0]);
    let said = plan.problems[0].to_string();
    assert!(
        said.starts_with("/etc/fstab cannot be read, and stays as it is"),
        "{said}"
    );
}

#[test]
fn what_is_mounted_or_in_use_by_another_spelling_is_so_already() {
    let mounted = format!("{}23 22 202:17 / /data rw - ext4 /dev/xvdb rw\n", MOUNTS.1);
    let used = "Filename Type Size Used Priority\n/dev/xvdc2 partition 1 0 -2\n";
    let config = "mounts: [[xvdb, /data/], [LABEL=swp, none, swap, sw, '0', '0']]";
    let lines = "/dev/xvdb\t/data/\tauto\tdefaults,nofail,x-systemd.after=firstlight.service,_netdev,comment=cloudconfig\t0\t2\n\
                 LABEL=swp\tnone\tswap\tsw,comment=cloudconfig\t0\t0\n";
    let table = format!("# the image's\nUUID=1 / ext4 defaults 0 1\n{lines}");
    let mut there = setting(&[
        ("/proc/self/mountinfo", &mounted),
        ("/proc/swaps", used),
        ("/etc/fstab", &table),
        ("/data/lost+found", ""),
    ]);
    let link = (
        PathBuf::from("/dev/disk/by-label/swp"),
        PathBuf::from("../../xvdc2"),
    );
    there.machine.links.extend([link]);
    assert_eq!(commands(&there.plan::<Mounts>(config)), [""; 0]);
}

#[test]
fn mounts_are_there_though_the_swap_file_cannot_be_made() {
    let config = "{size: 64M}\nmounts: [[xvdb, /data, ext4, defaults]]";
    let plan = swap(&[], None, config);
    let steps: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(steps, ["fstab", "swap"]);
    assert_eq!(
        lines(&plan),
        [
            "/dev/xvdb /data ext4 defaults,comment=cloudconfig 0 0".replace("0 0", "0 2"),
            "/swap.img none swap sw 0 0".to_owned()
        ]
    );

    // A second run changes nothing, and keeps the order.
    let fstab = format!(
        "# the image's\nUUID=1 / ext4 defaults 0 1\n{}\n",
        lines(&plan).join("\n").replace(' ', "\t")
    );
    let swap_file = format!("{}SWAPSPACE2", "\0".repeat(4086));
    let more = [
        ("/etc/fstab", fstab.as_str()),
        ("/swap.img", &swap_file),
        ("/proc/swaps", "Filename\n/swap.img file 1 0 -2\n"),
        ("/data/x", ""),
        (
            "/proc/self/mountinfo",
            "22 1 202:1 / / rw - ext4 /dev/xvda1 rw\n23 22 202:16 / /data rw - ext4 /dev/xvdb rw\n",
        ),
    ];
    assert_eq!(commands(&swap(&more, None, config)), [""; 0]);
}

#[test]
fn a_swap_file_is_not_made_below_what_is_mounted_later() {
    let config = "{size: 64M, filename: /data/swap/one}\nmounts: [[xvdb, /data]]";
    let plan = swap(&[], None, config);
    let steps: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(steps, ["fstab"]);
    let said = plan.problems[0].to_string();
    let wanted =
        "test:1:29: swap: /data/swap/one is not made, for /data is not mounted yet (put it";
    assert!(said.starts_with(wanted), "{said}");

    let mounted = format!("{}23 22 202:16 / /data rw - ext4 /dev/xvdb rw\n", MOUNTS.1);
    let plan = swap(
        &[("/proc/self/mountinfo", &mounted), ("/data/x", "")],
        None,
        config,
    );
    assert!(
        commands(&plan).contains(&"fallocate -l 64M /data/swap/one".to_owned()),
        "{plan:?}"
    );
    assert_eq!(plan.problems, []);
}

#[test]
fn a_bad_entry_costs_itself_alone_and_is_told_with_its_place() {
    #[rustfmt::skip]
    let table = [
        ("mounts: {a: b}",                          "test:1:9: mounts: expected a list of lists, found a mapping"),
        ("mounts: [xvdb]",                          "test:1:10: mounts[0]: expected a list of strings, found a string"),
        ("mounts: [[]]",                            "test:1:10: mounts[0]: expected a list that begins with a device, found a list"),
        ("mounts: [[null, /data]]",                 "test:1:10: mounts[0]: expected a list that begins with a device"),
        ("mounts: [[xvdb, [/data]]]",               "test:1:17: mounts[0][1]: expected a string, found a list"),
        ("mounts: [[xvdb, /data, 'ext4 xfs']]",     "test:1:10: mounts[0]: a field has a blank in it"),
        ("mounts: [[xvdb, \"/a\\n/dev/x /etc\"]]",  "test:1:10: mounts[0]: a field has a blank in it"),
        ("mounts: [[xvdb, '']]",                    "test:1:10: mounts[0]: field 2 is empty, which /etc/fstab cannot hold"),
        ("mounts: [[xvdb, /data, '', defaults]]",   "test:1:10: mounts[0]: field 3 is empty"),
        ("mounts: [[xvdb, /data]]\nmount_default_fields: [null, null, null, defaults]", "test:1:10: mounts[0]: field 3 is empty"),
        ("mounts: [['#xvdb', /data]]",              "test:1:10: mounts[0]: a device cannot begin with `#`"),
        ("swap: 2G",                                "test:1:7: swap: expected a mapping with a `size`, found a string"),
        ("swap: {size: big}",                       "test:1:14: swap.size: expected `auto`, or a number of bytes with or without a unit, such as `2G`"),
        ("swap: {size: 1K}",                        "test:1:14: swap.size: expected at least 1 MiB"),
        ("swap: {size: auto, maxsize: auto}",       "test:1:29: swap.maxsize: expected a number of bytes"),
        ("swap: {size: 1G, filename: swap}",        "test:1:28: swap.filename: expected an absolute path without blanks"),
        ("swap: {size: auto}",                      "test:1:14: swap.size: how much memory there is cannot be read"),
    ];
    for (config, says) in table {
        let plan = setting(&[]).plan::<Mounts>(config);
        assert_eq!(commands(&plan), [""; 0], "{config}");
        let said = plan.problems[0].to_string();
        assert!(said.starts_with(says), "{config}: {said}");
    }
    let plan = setting(&[])
        .plan::<Mounts>("mounts: [7, [xvdb, /data, ext4, defaults]]\nmount_default_fields: 7");
    assert_eq!(
        lines(&plan),
        ["/dev/xvdb /data ext4 defaults,comment=cloudconfig 0 2"]
    );
    assert_eq!(plan.problems.len(), 2);
    let full = swap(&[], Some(1 << 20), "{size: 64M}");
    let said = full.problems[0].to_string();
    assert_eq!(
        said,
        "test:1:14: swap: /swap.img needs 64 MiB, and 1 MiB are free there"
    );
}

#[test]
fn a_volume_that_cannot_be_told_from_another_is_told_of() {
    let model = "Amazon Elastic Block Store\n";
    let mut setting = setting(&[
        ("/sys/block/nvme1n1/device/model", model),
        ("/sys/block/nvme1n1/device/serial", "vol0aaaaaaaaaaaaaaaa\n"),
        ("/sys/block/nvme2n1/device/model", model),
        ("/sys/block/nvme2n1/device/serial", "vol0bbbbbbbbbbbbbbbb\n"),
        ("/sys/class/block/nvme2n1/size", "16777216\n"),
        ("/dev/nvme2n1", ""),
    ]);
    setting.machine.links.insert(
        PathBuf::from("/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0bbbbbbbbbbbbbbbb"),
        PathBuf::from("../../nvme2n1"),
    );
    let plan = setting.plan::<Mounts>(
        "mounts: [[sdf, /a, ext4, defaults], [vol-0bbbbbbbbbbbbbbbb, /b, ext4, defaults]]",
    );
    assert_eq!(
        lines(&plan),
        [
            "sdf /a ext4 defaults,comment=cloudconfig 0 2",
            "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0bbbbbbbbbbbbbbbb /b ext4 defaults,comment=cloudconfig 0 2",
        ]
    );
    let said = plan.problems[0].to_string();
    assert!(
        said.starts_with("test:1:11: mounts[0]: which volume `sdf` is cannot be told"),
        "{said}"
    );
}
