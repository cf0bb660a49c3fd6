//! The root disk grows, with the real growpart, sfdisk, systemd-repart and resize2fs on images.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

mod support;

use std::fs::{self, File};

use support::debian::Debian;

/// As the kernel would tell of a disk of 64 MiB with one partition of 16 MiB, which is the root.
fn disk(debian: &Debian) {
    let mounts = "22 1 259:1 / / rw,relatime - ext4 /dev/root rw\n";
    let sys = [
        ("sys/block/nvme0n1/size", "131072\n"),
        ("sys/block/nvme0n1/nvme0n1p1/start", "2048\n"),
        ("sys/class/block/nvme0n1p1/dev", "259:1\n"),
        ("sys/class/block/nvme0n1p1/partition", "1\n"),
        ("sys/class/block/nvme0n1p1/start", "2048\n"),
        ("sys/class/block/nvme0n1p1/size", "32768\n"),
        ("proc/self/mountinfo", mounts),
        ("proc/self/mounts", "/dev/root / ext4 rw 0 0\n"),
        ("seed/meta-data", "instance-id: i-1\nlocal-hostname: one\n"),
    ];
    for (path, text) in sys {
        debian.write(path, text);
    }
    let image = File::create(debian.path("dev/nvme0n1")).unwrap();
    image.set_len(64 * 1024 * 1024).unwrap();
    let table = "label: gpt\nstart=2048, size=32768, type=linux\n";
    debian.write("table", table);
    debian.chroot(&["sh", "-c", "sfdisk --quiet /dev/nvme0n1 < /table"]);
    // The file system is an image of its own: nothing here makes a partition of a file a device.
    debian.write("dev/nvme0n1p1", "");
    debian.chroot(&["mke2fs", "-q", "-t", "ext4", "/dev/nvme0n1p1", "8M"]);
    let part = File::options()
        .write(true)
        .open(debian.path("dev/nvme0n1p1"))
        .unwrap();
    part.set_len(63 * 1024 * 1024).unwrap();
}

/// Sectors of the image's first partition.
fn sectors(debian: &Debian) -> u64 {
    let dump = debian.chroot(&["sfdisk", "--dump", "/dev/nvme0n1"]);
    let size = dump.split("size=").nth(1).unwrap();
    size.split(',').next().unwrap().trim().parse().unwrap()
}

#[test]
fn a_partition_grows_with_whatever_the_image_has() {
    for mode in ["growpart", "sfdisk"] {
        let image = format!("growpart: {{mode: {mode}}}\nresize_rootfs: false\n");
        let Some(debian) = Debian::with_image(&image) else {
            return;
        };
        disk(&debian);
        let said = debian.live(&["--seed", "/seed", "apply"]);
        let grown = sectors(&debian);
        assert!(grown > 128_000, "{mode}: {grown} {said:?}");
    }
}

#[test]
fn partition_and_file_system_grow_in_one_boot_and_the_next_one_starts_nothing() {
    let Some(debian) = Debian::with_image("{}\n") else {
        return;
    };
    disk(&debian);
    let plan = debian.live(&["--seed", "/seed", "plan", "growpart", "resizefs"]);
    assert_eq!(plan.code, 2, "{plan:?}");
    for command in ["growpart /dev/nvme0n1 1", "resize2fs /dev/nvme0n1p1"] {
        assert!(plan.text.contains(command), "{command}: {plan:?}");
    }
    assert_eq!(sectors(&debian), 32768, "planning did it");

    let said = debian.live(&["--seed", "/seed", "boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let status = debian.live(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert!(sectors(&debian) > 128_000, "{said:?}");
    let told = debian.chroot(&["dumpe2fs", "-h", "/dev/nvme0n1p1"]);
    let count = told
        .lines()
        .find(|line| line.starts_with("Block count:"))
        .unwrap();
    let count: u64 = count.split_whitespace().last().unwrap().parse().unwrap();
    assert_eq!(count, 63 * 1024, "{told}");

    // What the kernel would tell now.
    let size = format!("{}\n", sectors(&debian));
    debian.write("sys/class/block/nvme0n1p1/size", &size);
    let plan = debian.live(&["--seed", "/seed", "plan", "growpart", "resizefs"]);
    assert_eq!(plan.code, 0, "{plan:?}");
}

#[test]
fn a_file_system_that_cannot_grow_is_told_of() {
    let Some(debian) = Debian::with_image("{}\n") else {
        return;
    };
    disk(&debian);
    debian.write(
        "usr/sbin/resize2fs",
        "#!/bin/sh\necho 'the disk is on fire' >&2\nexit 3\n",
    );
    let said = debian.live(&["--seed", "/seed", "boot"]);
    assert_eq!(said.code, 0, "a boot goes on: {said:?}");
    let status = debian.live(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    let told = "`resize2fs` ended with exit code 3: the disk is on fire";
    assert!(status.text.contains(told), "{status:?}");
    assert!(debian.path("etc/hostname").exists(), "{said:?}");
}

#[test]
fn what_is_written_gets_its_label_where_selinux_is_on() {
    let Some(debian) = Debian::with_image("{}\n") else {
        return;
    };
    let shim = "#!/bin/sh\necho \"$*\" >> /labels\ncat >> /labels\n";
    debian.write("usr/sbin/restorecon", shim);
    debian.chroot(&["chmod", "755", "/usr/sbin/restorecon"]);
    let user_data = "#cloud-config\nhostname: web\nssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGvGQ1bnAdKyJfzbb0xMv7kUJ5cDpBF3f8Wvpvh6XbJ8]\n";
    debian.boot_well(user_data);
    assert!(!debian.path("labels").exists(), "SELinux is not on");

    debian.write("sys/fs/selinux/enforce", "1");
    fs::remove_dir_all(debian.path("var/lib/firstlight")).unwrap();
    fs::remove_dir_all(debian.path("root/.ssh")).unwrap();
    debian.boot_well(&user_data.replace("web", "other"));
    let labels = debian.text("labels");
    for line in ["/etc/hostname", "/root/.ssh"] {
        assert!(labels.lines().any(|label| label == line), "{labels}");
    }
    let processes = labels.lines().filter(|line| line.starts_with('-')).count();
    assert!(processes <= 3, "one for a stage is enough: {labels}");
}
