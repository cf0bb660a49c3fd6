//! What disks look like from the running kernel: proc_pid_mountinfo(5) and sysfs(5). Nothing is
//! asked of a program, so that a boot on a disk that has its size already starts none.

use std::io;
use std::path::{Component, Path, PathBuf};

use contract::machine::{FileKind, Probe};
use contract::place::Place;
use contract::plan::Problem;

use crate::files;

pub(crate) mod names;
pub(crate) mod signature;
pub(crate) mod table;

/// Sizes and places of partitions are counted in these bytes (linux, `Documentation/block/stat.rst`).
const SECTOR: u64 = 512;
/// Kept at a disk's end for the second copy of a GPT.
const GPT_COPY: u64 = 33;
/// More links than this lead in a circle.
const LINKS_MAX: usize = 8;
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

/// A disk or partition of which it is not known what it holds: never one that may be taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unclear {
    /// `xvdb`.
    name: String,
    /// In words.
    why: String,
    /// What to do about it.
    hint: Option<&'static str>,
}

impl Unclear {
    fn unreadable(name: &str, error: &io::Error) -> Self {
        Self {
            name: name.to_owned(),
            why: format!("it cannot be read: {error}"),
            hint: None,
        }
    }

    fn unknown(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            why: "it is not known to udev yet".to_owned(),
            hint: Some("run it again with `firstlight run disk_setup --force`"),
        }
    }

    /// What to say of it, which is about the machine. `key` is where the disk is named, and `place` where
    /// that stands.
    pub(crate) fn problem(&self, key: &str, place: &Place) -> Problem {
        let Self { name, why, hint } = self;
        let message = format!("{key}: /dev/{name} stays as it is: {why}");
        let problem = Problem::error(Some(place.clone()), message).of_machine();
        match hint {
            Some(hint) => problem.hint(*hint),
            None => problem,
        }
    }
}

impl Device {
    /// `/dev/nvme0n1p1`.
    pub(crate) fn path(&self) -> String {
        format!("/dev/{}", self.name)
    }
}

/// What is mounted at `point`; the last one where several are.
pub(crate) fn mounted(probe: &dyn Probe, point: &str) -> Option<Mounted> {
    let text = files::text(probe, "/proc/self/mountinfo")?;
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

/// What is mounted on a directory, or else on the next one above it.
pub(crate) fn mounted_above(probe: &dyn Probe, dir: &Path) -> Option<Mounted> {
    let mut dirs = dir.ancestors().filter_map(Path::to_str);
    dirs.find_map(|dir| mounted(probe, dir))
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

/// What the kernel calls the device that a path leads to: `nvme1n1`. `None` if nothing is there.
pub(crate) fn kernel_name(probe: &dyn Probe, path: &str) -> Option<String> {
    let mut path = PathBuf::from(path);
    for _ in 0..LINKS_MAX {
        if probe.kind(&path).ok().flatten()? != FileKind::Link {
            let dir = path.parent() == Some(Path::new("/dev"));
            return dir
                .then(|| path.file_name()?.to_str().map(ToOwned::to_owned))
                .flatten();
        }
        let to = probe.link(&path).ok().flatten()?;
        path = plain(&path.parent()?.join(to));
    }
    None
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// `/dev/xvdb1`, `/dev/nvme1n1p1`: a partition of a disk, by what the kernel calls them.
pub(crate) fn part_name(disk: &str, number: usize) -> String {
    match disk.ends_with(|c: char| c.is_ascii_digit()) {
        true => format!("{disk}p{number}"),
        false => format!("{disk}{number}"),
    }
}

/// The partitions of a disk that the kernel knows, by their numbers.
pub(crate) fn parts(probe: &dyn Probe, disk: &str) -> Vec<(u64, String)> {
    let base = Path::new("/sys/block").join(disk);
    let names = probe.list(&base).ok().flatten().unwrap_or_default();
    let of_name = |name: String| {
        let place = Path::new("/sys/class/block").join(&name).join("partition");
        Some((number(probe, &place)?, name))
    };
    let below = names.into_iter().filter(|name| name.starts_with(disk));
    let mut parts: Vec<(u64, String)> = below.filter_map(of_name).collect();
    parts.sort_unstable();
    parts
}

/// The size of a disk's sectors, in bytes.
pub(crate) fn sector_size(probe: &dyn Probe, disk: &str) -> u64 {
    let base = Path::new("/sys/class/block").join(disk);
    let told = number(probe, &base.join("queue/logical_block_size"));
    told.filter(|size| *size >= SECTOR).unwrap_or(SECTOR)
}

/// What uses a disk or one of its partitions at this moment, in words; `None` if nothing does.
pub(crate) fn user(probe: &dyn Probe, disk: &str) -> Option<String> {
    let parts = parts(probe, disk).into_iter().map(|(_, name)| name);
    let mut names = std::iter::once(disk.to_owned()).chain(parts);
    names.find_map(|name| {
        let base = Path::new("/sys/class/block").join(&name);
        let holders = probe.list(&base.join("holders")).ok().flatten();
        if let Some(holder) = holders.unwrap_or_default().first() {
            return Some(format!("{name} is a part of {holder}"));
        }
        if swaps(probe)
            .iter()
            .any(|swap| kernel_name(probe, swap).as_ref() == Some(&name))
        {
            return Some(format!("{name} is swap space in use"));
        }
        let number = text(probe, &base.join("dev")).unwrap_or_default();
        let mounts = files::text(probe, "/proc/self/mountinfo").unwrap_or_default();
        let is_it = |line: &&str| {
            let source = line
                .split(" - ")
                .nth(1)
                .and_then(|back| back.split(' ').nth(1));
            let source = source.and_then(|source| source.strip_prefix("/dev/"));
            line.split(' ').nth(2) == Some(number.as_str()) || source == Some(&name)
        };
        let mount = mounts.lines().find(is_it);
        if let Some(point) = mount.and_then(|mount| mount.split(' ').nth(4)) {
            return Some(format!("{name} is mounted on {point}"));
        }
        let is_member = is_of_btrfs(probe, &name);
        is_member.then(|| format!("{name} is a part of a btrfs that is mounted"))
    })
}

/// Whether a device belongs to a btrfs that is mounted, which only one of its devices is said to be.
/// Source: linux, `fs/btrfs/sysfs.c`.
fn is_of_btrfs(probe: &dyn Probe, name: &str) -> bool {
    let all = Path::new("/sys/fs/btrfs");
    let ids = probe.list(all).ok().flatten().unwrap_or_default();
    let mut members = ids.iter().map(|id| all.join(id).join("devices").join(name));
    members.any(|member| files::exists(probe, member))
}

/// The files and devices that are swap space in use, by their paths (proc_swaps(5)).
pub(crate) fn swaps(probe: &dyn Probe) -> Vec<String> {
    let text = files::text(probe, "/proc/swaps").unwrap_or_default();
    let first = |line: &str| line.split_whitespace().next().map(ToOwned::to_owned);
    text.lines().skip(1).filter_map(first).collect()
}

/// What udev(7) noted of a block device.
pub(crate) fn udev(probe: &dyn Probe, name: &str) -> Option<String> {
    files::text(probe, udev_record(probe, name)?)
}

/// Where it notes that.
fn udev_record(probe: &dyn Probe, name: &str) -> Option<String> {
    let number = text(probe, &Path::new("/sys/class/block").join(name).join("dev"))?;
    Some(format!("/run/udev/data/b{number}"))
}

/// The type of a partition as udev(7) found it: a GUID of GPT, `0x83` of MBR.
pub(crate) fn part_type(probe: &dyn Probe, device: &Device) -> Option<String> {
    let known = udev(probe, &device.name)?;
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
    files::text(probe, path).map(|text| text.trim().to_owned())
}

/// Disks for tests.
#[cfg(test)]
pub(crate) mod fake {
    use std::io;
    use std::path::{Path, PathBuf};

    use contract::machine::{FileKind, Probe};
    use contract::testing::FakeMachine;

    /// A machine with a device that cannot be read from some byte on.
    pub(crate) struct Broken {
        pub(crate) machine: FakeMachine,
        pub(crate) device: &'static str,
        pub(crate) from: u64,
    }

    impl Probe for Broken {
        fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
            self.machine.read(path)
        }

        fn read_part(&self, path: &Path, offset: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
            let end = offset + u64::try_from(len).unwrap();
            if path == Path::new(self.device) && end > self.from {
                return Err(io::Error::other("I/O error"));
            }
            self.machine.read_part(path, offset, len)
        }

        fn list(&self, path: &Path) -> io::Result<Option<Vec<String>>> {
            self.machine.list(path)
        }

        fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
            self.machine.kind(path)
        }
    }

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
