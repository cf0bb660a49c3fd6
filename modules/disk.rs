//! What disks look like from the running kernel: proc_pid_mountinfo(5) and sysfs(5). Nothing is
//! asked of a program, so that a boot on a disk that has its size already starts none.

use std::path::{Path, PathBuf};

use contract::machine::Probe;

/// Sizes and places of partitions are counted in these bytes (linux, `Documentation/block/stat.rst`).
const SECTOR: u64 = 512;
/// Kept at a disk's end for the second copy of a GPT.
const GPT_COPY: u64 = 33;
/// What growpart(1) thinks too little to grow for: 1 MiB.
const FUDGE: u64 = 2048;

/// What is mounted somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mounted {
    /// `259:1`; of btrfs it is no device's.
    pub(crate) device: String,
    /// `/dev/nvme0n1p1`, `/dev/root`, `overlay`.
    pub(crate) source: String,
    /// `ext4`.
    pub(crate) kind: String,
}

/// A whole disk, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// `nvme0n1p1`.
    pub(crate) name: String,
    /// In bytes.
    pub(crate) size: u64,
    /// Where it is, if it is a part.
    pub(crate) part: Option<Part>,
}

/// Where on a disk a partition is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// `nvme0n1`.
    pub(crate) disk: String,
    /// From 1.
    pub(crate) number: u32,
    /// Whether there is room behind it that is worth growing for.
    pub(crate) has_room: bool,
}

impl Device {
    /// `/dev/nvme0n1p1`.
    pub(crate) fn path(&self) -> String {
        format!("/dev/{}", self.name)
    }
}

/// What is mounted at `point`; the last one where several are.
pub(crate) fn mounted(probe: &dyn Probe, point: &str) -> Option<Mounted> {
    let text = read(probe, "/proc/self/mountinfo")?;
    text.lines().rev().find_map(|line| {
        let (front, back) = line.split_once(" - ")?;
        let mut front = front.split(' ');
        let device = front.nth(2)?.to_owned();
        // The mount point stands behind the root within the file system.
        let at = front.nth(1)?;
        let mut back = back.split(' ');
        let (kind, source) = (back.next()?.to_owned(), back.next()?.to_owned());
        (at == point).then_some(Mounted {
            device,
            source,
            kind,
        })
    })
}

/// The device that is mounted; `None` if it is none that the kernel lists, as in a container.
pub(crate) fn device_of(probe: &dyn Probe, mounted: &Mounted) -> Option<Device> {
    let named = mounted
        .source
        .strip_prefix("/dev/")
        .and_then(|name| device(probe, name));
    named.or_else(|| by_number(probe, &mounted.device))
}

/// A block device by its name in /dev, where a container sees none of its host's.
pub(crate) fn device(probe: &dyn Probe, name: &str) -> Option<Device> {
    let is_there = || probe.kind(&Path::new("/dev").join(name)).ok().flatten();
    if name.contains('/') || is_there().is_none() {
        return None;
    }
    let base = Path::new("/sys/class/block").join(name);
    let size = number(probe, &base.join("size"))? * SECTOR;
    let part = part(probe, name, &base);
    Some(Device {
        name: name.to_owned(),
        size,
        part,
    })
}

fn part(probe: &dyn Probe, name: &str, base: &Path) -> Option<Part> {
    let number_ = number(probe, &base.join("partition"))?;
    let start = number(probe, &base.join("start"))?;
    let end = start + number(probe, &base.join("size"))?;
    let all = Path::new("/sys/block");
    let disks = probe.list(all).ok().flatten()?;
    let holds = |disk: &String| {
        probe
            .kind(&all.join(disk).join(name))
            .ok()
            .flatten()
            .is_some()
    };
    let disk = disks.into_iter().find(holds)?;
    let whole = number(probe, &all.join(&disk).join("size"))?;
    let mut limit = whole.saturating_sub(GPT_COPY);
    for other in probe.list(&all.join(&disk)).ok().flatten()? {
        let other = all.join(&disk).join(other).join("start");
        if let Some(from) = number(probe, &other).filter(|from| *from > start) {
            limit = limit.min(from);
        }
    }
    Some(Part {
        number: u32::try_from(number_).ok()?,
        has_room: end + FUDGE <= limit,
        disk,
    })
}

fn by_number(probe: &dyn Probe, wanted: &str) -> Option<Device> {
    let all = Path::new("/sys/class/block");
    let is_it = |name: &String| {
        let path = all.join(name).join("dev");
        text(probe, &path).is_some_and(|number| number == wanted)
    };
    let names = probe.list(all).ok().flatten()?;
    device(probe, &names.into_iter().find(is_it)?)
}

/// The type of a partition as udev(7) found it: a GUID of GPT, `0x83` of MBR.
pub(crate) fn part_type(probe: &dyn Probe, device: &Device) -> Option<String> {
    let base = Path::new("/sys/class/block").join(&device.name);
    let number = text(probe, &base.join("dev"))?;
    let known = read(probe, &format!("/run/udev/data/b{number}"))?;
    let line = |line: &str| {
        line.strip_prefix("E:ID_PART_ENTRY_TYPE=")
            .map(str::to_owned)
    };
    known.lines().find_map(line)
}

/// What a file system on `device` says is its size in bytes; `None` if it cannot be seen.
///
/// Source: linux, `fs/ext4/ext4.h`, `fs/xfs/libxfs/xfs_format.h`, `include/uapi/linux/btrfs_tree.h`.
pub(crate) fn file_system_size(probe: &dyn Probe, device: &str, kind: &str) -> Option<u64> {
    let part = |offset: u64, len: usize| {
        let bytes = probe.read_part(&PathBuf::from(device), offset, len);
        bytes.ok().flatten().filter(|bytes| bytes.len() == len)
    };
    if kind.starts_with("ext") {
        let superblock = part(1024, 0x154)?;
        if superblock.get(0x38..0x3a)? != [0x53, 0xef] {
            return None;
        }
        let low = u64::from(le32(&superblock, 0x4)?);
        let is_64bit = le32(&superblock, 0x60)? & 0x80 != 0;
        let high = if is_64bit {
            u64::from(le32(&superblock, 0x150)?)
        } else {
            0
        };
        let block = 1024_u64.checked_shl(le32(&superblock, 0x18)?)?;
        return (high << 32 | low).checked_mul(block);
    }
    match kind {
        "xfs" => {
            let superblock = part(0, 16)?;
            let is_xfs = superblock.starts_with(b"XFSB");
            let block = u32::from_be_bytes(superblock.get(4..8)?.try_into().ok()?);
            let blocks = u64::from_be_bytes(superblock.get(8..16)?.try_into().ok()?);
            blocks.checked_mul(u64::from(block)).filter(|_| is_xfs)
        }
        "btrfs" => {
            let superblock = part(0x1_0000, 0xd9)?;
            let is_btrfs = superblock.get(0x40..0x48)? == b"_BHRfS_M";
            let size = u64::from_le_bytes(superblock.get(0xd1..0xd9)?.try_into().ok()?);
            is_btrfs.then_some(size)
        }
        _ => None,
    }
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

fn number(probe: &dyn Probe, path: &Path) -> Option<u64> {
    text(probe, path)?.parse().ok()
}

fn text(probe: &dyn Probe, path: &Path) -> Option<String> {
    let bytes = probe.read(path).ok().flatten()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn read(probe: &dyn Probe, path: &str) -> Option<String> {
    let bytes = probe.read(Path::new(path)).ok().flatten()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Disks for tests.
#[cfg(test)]
pub(crate) mod fake {
    use std::path::PathBuf;

    use contract::testing::FakeMachine;

    const MOUNTS: &str = "21 1 0:5 / /dev rw - devtmpfs devtmpfs rw\n\
        22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw,discard\n\
        23 22 0:40 / /over rw - overlay overlay rw\n";

    /// A disk of 8 GiB with a root partition of 2 GiB at its end.
    pub(crate) const ROOMY: &[(&str, &str)] = &[
        ("/proc/self/mountinfo", MOUNTS),
        ("/dev/nvme0n1p1", ""),
        ("/dev/nvme0n1p15", ""),
        ("/sys/block/nvme0n1/size", "16777216\n"),
        ("/sys/block/nvme0n1/nvme0n1p1/start", "262144\n"),
        ("/sys/block/nvme0n1/nvme0n1p15/start", "2048\n"),
        ("/sys/class/block/nvme0n1p1/dev", "259:1\n"),
        ("/sys/class/block/nvme0n1p1/partition", "1\n"),
        ("/sys/class/block/nvme0n1p1/start", "262144\n"),
        ("/sys/class/block/nvme0n1p1/size", "4194304\n"),
        ("/sys/class/block/nvme0n1p15/dev", "259:2\n"),
        ("/sys/class/block/nvme0n1p15/partition", "15\n"),
        ("/sys/class/block/nvme0n1p15/start", "2048\n"),
        ("/sys/class/block/nvme0n1p15/size", "260096\n"),
    ];

    /// The same on a disk without room.
    pub(crate) const TIGHT: &[(&str, &str)] = &[
        ("/proc/self/mountinfo", MOUNTS),
        ("/dev/nvme0n1p1", ""),
        ("/sys/block/nvme0n1/size", "4456481\n"),
        ("/sys/block/nvme0n1/nvme0n1p1/start", "262144\n"),
        ("/sys/class/block/nvme0n1p1/dev", "259:1\n"),
        ("/sys/class/block/nvme0n1p1/partition", "1\n"),
        ("/sys/class/block/nvme0n1p1/start", "262144\n"),
        ("/sys/class/block/nvme0n1p1/size", "4194304\n"),
    ];

    pub(crate) fn machine(files: &[(&str, &str)]) -> FakeMachine {
        FakeMachine::with(files)
    }

    /// The same with an ext4 file system of that many blocks of 4 KiB on its root partition.
    pub(crate) fn with_ext4(files: &[(&str, &str)], blocks: u32) -> FakeMachine {
        let mut bytes = vec![0; 2048];
        bytes[1028..1032].copy_from_slice(&blocks.to_le_bytes());
        bytes[1048] = 2;
        bytes[1080..1082].copy_from_slice(&[0x53, 0xef]);
        let machine = machine(files);
        let path = PathBuf::from("/dev/nvme0n1p1");
        machine.files.borrow_mut().insert(path, bytes);
        machine
    }
}
