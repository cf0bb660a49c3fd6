//! Partitions, file systems, /etc/fstab and swap files, with the real sfdisk, mkfs, wipefs and mkswap on
//! images, as root in a throw-away Debian.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

mod support;

use std::fs::{self, File};

use support::debian::Debian;

/// As the kernel would tell of the disks, and make devices of the partitions in their tables.
const KERNEL: &str = r#"#!/bin/bash
for disk in xvdb nvme1n1; do
    mkdir -p /sys/block/$disk /sys/class/block/$disk
    tee /sys/block/$disk/size >/sys/class/block/$disk/size <<<$(($(stat -c %s /dev/$disk) / 512))
    rm -rf /sys/block/$disk/$disk*
    /usr/sbin/sfdisk -d /dev/$disk 2>/dev/null |
        sed -nE 's/^(\S+) : start= *([0-9]+), size= *([0-9]+),.*/\1 \2 \3/p' |
        while read -r node start size; do
        part=${node#/dev/}
        mkdir -p /sys/block/$disk/$part /sys/class/block/$part
        echo "${part##*[!0-9]}" >/sys/class/block/$part/partition
        tee /sys/block/$disk/$part/start >/sys/class/block/$part/start <<<"$start"
        echo "$size" >/sys/class/block/$part/size
        [[ -e $node ]] || truncate -s $((size * 512)) "$node"
    done
done
"#;
/// The real tool, and the kernel after it.
const THEN_KERNEL: &str = "#!/bin/sh\n/usr/sbin/${0##*/} \"$@\"\nstatus=$?\nkernel\nexit $status\n";
/// What is called and not done.
const NOTED: &str = "#!/bin/sh\necho \"${0##*/} $*\" >> /calls\n";
const MOUNTS: &str = "22 1 202:1 / / rw,relatime - ext4 /dev/xvda1 rw\n";

/// A Debian with two empty disks of 64 MiB: `xvdb`, and `nvme1n1`, which is a volume of EBS.
fn debian() -> Option<Debian> {
    let debian = Debian::with_image("growpart: {mode: off}\nresize_rootfs: false\n")?;
    for disk in ["dev/xvdb", "dev/nvme1n1"] {
        let image = File::create(debian.path(disk)).unwrap();
        image.set_len(64 << 20).unwrap();
    }
    let device = "sys/block/nvme1n1/device";
    debian.write(
        &format!("{device}/model"),
        "Amazon Elastic Block Store              \n",
    );
    debian.write(&format!("{device}/serial"), "vol0123456789abcdef0\n");
    debian.write("proc/self/mountinfo", MOUNTS);
    debian.write("etc/fstab", "# the image's\n");
    let tools = [
        ("kernel", KERNEL),
        ("sfdisk", THEN_KERNEL),
        ("wipefs", THEN_KERNEL),
        ("mount", NOTED),
        ("swapon", NOTED),
        ("systemctl", NOTED),
        ("udevadm", NOTED),
    ];
    for (name, text) in tools {
        debian.program(&format!("usr/local/sbin/{name}"), text);
    }
    debian.chroot(&["kernel"]);
    Some(debian)
}

/// What the binary says of user data that instance `i-N` was launched with.
fn live(debian: &Debian, number: u32, user_data: &str, command: &[&str]) -> (i32, String) {
    let meta_data = format!("instance-id: i-{number}\nlocal-hostname: one\n");
    debian.write("seed/meta-data", &meta_data);
    debian.write("seed/user-data", &format!("#cloud-config\n{user_data}"));
    let said = debian.live(&[&["--seed", "/seed"], command].concat());
    (said.code, said.text)
}

/// What blkid(8) finds on a device: its kind and its label.
fn held(debian: &Debian, device: &str) -> String {
    let value = |name: &str| {
        let argv = format!("blkid -c /dev/null -o value -s {name} /dev/{device} || true");
        debian.chroot(&["sh", "-c", &argv]).trim().to_owned()
    };
    format!("{} {}", value("TYPE"), value("LABEL"))
        .trim()
        .to_owned()
}

/// The sizes in MiB and types of a disk's partitions.
fn partitions(debian: &Debian, disk: &str) -> Vec<String> {
    let argv = format!("/usr/sbin/sfdisk --dump /dev/{disk} || true");
    let dump = debian.chroot(&["sh", "-c", &argv]);
    let part = |line: &str| {
        let size: u64 = line
            .split("size=")
            .nth(1)?
            .split(',')
            .next()?
            .trim()
            .parse()
            .ok()?;
        let kind = line.split("type=").nth(1)?.split(',').next()?;
        Some(format!("{} {}", size.div_ceil(2048), kind.trim()))
    };
    dump.lines().filter_map(part).collect()
}

const WEB: &str = "
disk_setup:
  xvdb: {layout: [25, [75, 82]]}
  vol-0123456789abcdef0: {table_type: gpt, layout: true}
fs_setup:
- {device: /dev/xvdb1, filesystem: ext4, label: web}
- {device: xvdb.2, filesystem: swap}
- {device: vol-0123456789abcdef0, partition: auto, filesystem: ext4, label: data, extra_opts: [-m, 1]}
mounts:
- [xvdb, /srv/web]
- [vol-0123456789abcdef0, /data, ext4, defaults]
- [xvdb.2, none, swap, sw, 0, 0]
";

#[test]
fn disks_are_made_in_one_boot_and_another_instance_finds_them_as_they_shall_be() {
    let Some(debian) = debian() else { return };
    let (code, plan) = live(&debian, 1, WEB, &["plan", "disk_setup", "mounts"]);
    assert_eq!(code, 2, "{plan}");
    for line in [
        "sfdisk",
        "mkfs.ext4 -L web /dev/xvdb1",
        "mkswap /dev/xvdb2",
        "+/dev/xvdb1\t/srv/web",
    ] {
        assert!(plan.contains(line), "{line}: {plan}");
    }
    assert_eq!(partitions(&debian, "nvme1n1"), [""; 0], "planning did it");

    let (code, said) = live(&debian, 1, WEB, &["boot"]);
    assert_eq!(code, 0, "{said}");
    let status = debian.live(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert_eq!(partitions(&debian, "xvdb"), ["16 83", "47 82"]);
    assert_eq!(
        partitions(&debian, "nvme1n1"),
        ["62 0FC63DAF-8483-4772-8E79-3D69D8477DE4"]
    );
    let found = ["xvdb1", "xvdb2", "nvme1n1p1"].map(|device| held(&debian, device));
    assert_eq!(found, ["ext4 web", "swap", "ext4 data"]);
    let options = "defaults,nofail,x-systemd.after=firstlight.service,_netdev";
    let fstab = format!(
        "# the image's\n\
         /dev/xvdb1\t/srv/web\tauto\t{options},comment=cloudconfig\t0\t2\n\
         /dev/nvme1n1p1\t/data\text4\tdefaults,comment=cloudconfig\t0\t2\n\
         /dev/xvdb2\tnone\tswap\tsw,comment=cloudconfig\t0\t0\n"
    );
    assert_eq!(debian.text("etc/fstab"), fstab);
    assert_eq!(debian.mode("srv/web"), 0o755);
    let calls = debian.text("calls");
    let calls: Vec<&str> = calls
        .lines()
        .filter(|call| !call.starts_with("udevadm"))
        .collect();
    assert_eq!(calls, ["swapon -a", "mount -a", "systemctl daemon-reload"]);

    // What the kernel would tell now.
    let mounted = "30 22 0:1 / /srv/web rw - ext4 /dev/xvdb1 rw\n31 22 0:2 / /data rw - ext4 /dev/nvme1n1p1 rw\n";
    debian.write("proc/self/mountinfo", &format!("{MOUNTS}{mounted}"));
    debian.write(
        "proc/swaps",
        "Filename Type Size Used Priority\n/dev/xvdb2 partition 1 0 -2\n",
    );
    let (code, plan) = live(&debian, 2, WEB, &["plan", "disk_setup", "mounts"]);
    assert_eq!(code, 0, "{plan}");
}

#[test]
fn what_a_disk_holds_is_lost_when_somebody_says_so_and_not_before() {
    let Some(debian) = debian() else { return };
    debian.chroot(&["mkfs.ext4", "-q", "-L", "letters", "/dev/xvdb"]);
    let user_data = |more: &str| {
        format!(
            "disk_setup: {{xvdb: {{layout: true{more}}}}}\n\
             fs_setup: [{{device: xvdb, partition: none, filesystem: swap{more}}}]\n"
        )
    };
    let (code, said) = live(&debian, 1, &user_data(""), &["boot"]);
    assert_eq!(code, 0, "a boot goes on: {said}");
    assert_eq!(held(&debian, "xvdb"), "ext4 letters");
    let status = debian.live(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    let told = "fs_setup[0]: /dev/xvdb holds ext4 `letters` already, and stays as it is";
    assert!(status.text.contains(told), "{status:?}");

    let other = "disk_setup: {xvdb: {layout: [50, 50], overwrite: true}}\n";
    let (code, said) = live(&debian, 2, other, &["boot"]);
    assert_eq!((code, held(&debian, "xvdb")), (0, String::new()), "{said}");
    assert_eq!(partitions(&debian, "xvdb"), ["32 83", "31 83"]);

    let (code, said) = live(
        &debian,
        3,
        "disk_setup: {xvdb: {layout: remove}}\n",
        &["boot"],
    );
    assert_eq!(code, 0, "{said}");
    let blank = debian.chroot(&["/usr/sbin/wipefs", "--noheadings", "/dev/xvdb"]);
    assert_eq!(blank, "");
}

#[test]
fn a_swap_file_is_nobody_elses_from_its_first_moment() {
    let Some(debian) = debian() else { return };
    let noted = "#!/bin/sh\nstat -c %a /swap/one >> /modes\nexec /usr/bin/${0##*/} \"$@\"\n";
    debian.program("usr/local/sbin/dd", noted);
    debian.program("usr/local/sbin/fallocate", noted);
    for kind in ["ext4", "ext2"] {
        let mounts = MOUNTS.replace("ext4", kind);
        debian.write("proc/self/mountinfo", &mounts);
        let user_data = "swap: {filename: /swap/one, size: 8M}\n";
        let (code, said) = live(&debian, 1, user_data, &["boot"]);
        assert_eq!(code, 0, "{said}");
        let found = debian.chroot(&["blkid", "-p", "-o", "value", "-s", "TYPE", "/swap/one"]);
        assert_eq!(found, "swap\n");
        assert_eq!(
            fs::metadata(debian.path("swap/one")).unwrap().len(),
            8 << 20
        );
        assert_eq!(
            (debian.mode("swap/one"), debian.owner("swap/one")),
            (0o600, (0, 0))
        );
        assert_eq!(
            debian.text("etc/fstab"),
            "# the image's\n/swap/one\tnone\tswap\tsw\t0\t0\n"
        );
        assert_eq!(debian.text("modes"), "600\n", "{kind}");

        debian.write(
            "proc/swaps",
            "Filename Type Size Used Priority\n/swap/one file 1 0 -2\n",
        );
        let (code, plan) = live(&debian, 2, user_data, &["plan", "mounts"]);
        assert_eq!(code, 0, "{plan}");
        for path in ["swap/one", "modes", "proc/swaps"] {
            fs::remove_file(debian.path(path)).unwrap();
        }
        fs::remove_dir_all(debian.path("var/lib/firstlight")).unwrap();
        debian.write("etc/fstab", "# the image's\n");
    }
}
