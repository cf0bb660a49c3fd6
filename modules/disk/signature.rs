//! What is on a disk or a partition, by the marks that file systems and their like leave there.
//!
//! Source: util-linux, `libblkid/src/superblocks/*.c`; the kinds are named as blkid(8) names them.

use std::path::Path;

use contract::machine::Probe;

use super::{Unclear, le32, udev, udev_record};
use crate::files;

/// There where systemd-udevd(8) runs.
const UDEV: &str = "/run/udev/control";

/// So far from the beginning reaches every mark of [`MARKS`], and btrfs' label.
const REACH: usize = 0x1_0400;

/// Where which bytes are a mark of what.
const MARKS: &[(&str, usize, &[u8])] = &[
    ("crypto_LUKS", 0, b"LUKS\xba\xbe"),
    ("xfs", 0, b"XFSB"),
    ("btrfs", 0x1_0040, b"_BHRfS_M"),
    ("swap", 0xff6, b"SWAPSPACE2"),
    ("swap", 0xff6, b"SWAP-SPACE"),
    ("swap", 0x1ff6, b"SWAPSPACE2"),
    ("swap", 0x3ff6, b"SWAPSPACE2"),
    ("swap", 0xfff6, b"SWAPSPACE2"),
    ("LVM2_member", 0x018, b"LVM2 001"),
    ("LVM2_member", 0x218, b"LVM2 001"),
    ("LVM2_member", 0x418, b"LVM2 001"),
    ("LVM2_member", 0x618, b"LVM2 001"),
    ("linux_raid_member", 0, b"\xfc\x4e\x2b\xa9"),
    ("linux_raid_member", 0x1000, b"\xfc\x4e\x2b\xa9"),
    ("exfat", 3, b"EXFAT   "),
    ("ntfs", 3, b"NTFS    "),
    ("f2fs", 0x400, b"\x10\x20\xf5\xf2"),
    (
        "bcachefs",
        0x1018,
        b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81",
    ),
    (
        "bcachefs",
        0x1018,
        b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef",
    ),
    ("reiserfs", 0x1_0034, b"ReIsEr"),
    ("jfs", 0x8000, b"JFS1"),
    ("squashfs", 0, b"hsqs"),
    ("erofs", 0x400, b"\xe2\xe1\xf5\xe0"),
    ("iso9660", 0x8001, b"CD001"),
    ("vfat", 0x36, b"FAT1"),
    ("vfat", 0x52, b"FAT32   "),
];

/// What a disk or partition holds as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    /// `ext4`, `xfs`, `swap`, `LVM2_member`.
    pub(crate) kind: String,
    /// Its label, empty without one.
    pub(crate) label: String,
}

/// What is on `/dev/NAME`, `None` if nothing is: what stands there, and of kinds that are not known
/// here what udev(7) found.
///
/// # Errors
/// When the device cannot be read, or udev(7) runs and has not looked at it: it may hold anything.
pub(crate) fn on(probe: &dyn Probe, name: &str) -> Result<Option<Signature>, Unclear> {
    let bytes = probe.read_part(&Path::new("/dev").join(name), 0, REACH);
    let bytes = bytes.map_err(|error| Unclear::unreadable(name, &error))?;
    if let Some(found) = of(&bytes.unwrap_or_default()) {
        return Ok(Some(found));
    }
    if let Some(known) = udev(probe, name) {
        return Ok(of_udev(&known));
    }
    if !files::exists(probe, UDEV) {
        return Ok(None);
    }
    probe.wait_for_udev(udev_record(probe, name).as_deref().map(Path::new));
    match udev(probe, name) {
        Some(known) => Ok(of_udev(&known)),
        None => Err(Unclear::unknown(name)),
    }
}

/// What begins with these bytes.
pub(crate) fn of(bytes: &[u8]) -> Option<Signature> {
    if let Some(signature) = ext(bytes) {
        return Some(signature);
    }
    let is_there = |(_, at, mark): &&(&str, usize, &[u8])| {
        bytes.get(*at..).is_some_and(|rest| rest.starts_with(mark))
    };
    let kind = MARKS.iter().find(is_there)?.0;
    let label = match kind {
        "xfs" => label(bytes, 0x6c, 12),
        "btrfs" => label(bytes, 0x1_012b, 256),
        "swap" => label(bytes, 0x41c, 16),
        "vfat" => fat_label(bytes),
        _ => String::new(),
    };
    let kind = kind.to_owned();
    Some(Signature { kind, label })
}

/// ext2, ext3 or ext4, by what a driver of the older ones would not understand.
/// Source: util-linux, `libblkid/src/superblocks/ext.c`.
fn ext(bytes: &[u8]) -> Option<Signature> {
    const AT: usize = 0x400;
    const JOURNAL: u32 = 0x4;
    const JOURNAL_DEVICE: u32 = 0x8;
    const EXT3_INCOMPAT: u32 = 0x2 | 0x4 | 0x10;
    const EXT3_RO_COMPAT: u32 = 0x1 | 0x2 | 0x4;
    let superblock = bytes.get(AT..)?;
    if superblock.get(0x38..0x3a)? != [0x53, 0xef] {
        return None;
    }
    let compat = le32(superblock, 0x5c)?;
    let incompat = le32(superblock, 0x60)?;
    let ro_compat = le32(superblock, 0x64)?;
    let kind = if incompat & JOURNAL_DEVICE != 0 {
        "jbd"
    } else if incompat & !EXT3_INCOMPAT != 0 || ro_compat & !EXT3_RO_COMPAT != 0 {
        "ext4"
    } else if compat & JOURNAL != 0 {
        "ext3"
    } else {
        "ext2"
    };
    Some(Signature {
        kind: kind.to_owned(),
        label: label(superblock, 0x78, 16),
    })
}

/// FAT32 has its label elsewhere than its elders.
fn fat_label(bytes: &[u8]) -> String {
    let is_fat32 = bytes.get(0x52..0x5a) == Some(b"FAT32   ");
    let label = label(bytes, if is_fat32 { 0x47 } else { 0x2b }, 11);
    let label = label.trim_end();
    if label == "NO NAME" { "" } else { label }.to_owned()
}

fn label(bytes: &[u8], at: usize, len: usize) -> String {
    let field = bytes.get(at..at.saturating_add(len)).unwrap_or_default();
    let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// Of what is known here, the bytes have the last word: udev may not have looked again yet.
fn of_udev(known: &str) -> Option<Signature> {
    let field = |key: &str| {
        let mut lines = known.lines();
        lines.find_map(|line| {
            line.strip_prefix("E:")?
                .strip_prefix(key)?
                .strip_prefix('=')
        })
    };
    let kind = field("ID_FS_TYPE").filter(|kind| !kind.is_empty())?;
    let is_known = kind.starts_with("ext") || MARKS.iter().any(|(known, ..)| *known == kind);
    // The other marks of a member of an array are at the end of its disk.
    (!is_known || kind == "linux_raid_member").then(|| Signature {
        kind: kind.to_owned(),
        label: field("ID_FS_LABEL").unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use contract::place::Place;
    use contract::testing::FakeMachine;

    use super::*;

    type Mark = (usize, &'static [u8]);
    type Found = Option<(&'static str, &'static str)>;

    fn bytes(marks: &[Mark]) -> Vec<u8> {
        let mut bytes = vec![0; REACH];
        for (at, mark) in marks {
            bytes[*at..at + mark.len()].copy_from_slice(mark);
        }
        bytes
    }

    #[test]
    fn what_is_on_a_disk_is_known_by_its_marks() {
        const EXT: Mark = (0x438, b"\x53\xef");
        const EXTENTS: Mark = (0x460, b"\x40");
        #[rustfmt::skip]
        let table: [(&[Mark], Found); 11] = [
            (&[],                                                          None),
            (&[EXT, EXTENTS, (0x478, b"data")],                            Some(("ext4", "data"))),
            (&[EXT, (0x464, b"\x08")],                                     Some(("ext4", ""))),
            (&[EXT, (0x45c, b"\x04"), (0x478, b"sixteen letters!")],       Some(("ext3", "sixteen letters!"))),
            (&[EXT],                                                       Some(("ext2", ""))),
            (&[(0, b"XFSB"), (0x6c, b"twelve chars")],                     Some(("xfs", "twelve chars"))),
            (&[(0x1_0040, b"_BHRfS_M"), (0x1_012b, b"pool")],              Some(("btrfs", "pool"))),
            (&[(0xff6, b"SWAPSPACE2"), (0x41c, b"swap0")],                 Some(("swap", "swap0"))),
            (&[(0x36, b"FAT16   "), (0x2b, b"EFI        "), (510, b"\x55\xaa")], Some(("vfat", "EFI"))),
            (&[(0x52, b"FAT32   "), (0x47, b"NO NAME    ")],               Some(("vfat", ""))),
            (&[(0x218, b"LVM2 001")],                                      Some(("LVM2_member", ""))),
        ];
        for (marks, wanted) in table {
            let found = of(&bytes(marks));
            let found = found
                .as_ref()
                .map(|found| (found.kind.as_str(), found.label.as_str()));
            assert_eq!(found, wanted, "{marks:?}");
        }
    }

    #[test]
    fn a_disk_is_not_blank_before_udev_has_looked_at_it() {
        const NUMBER: (&str, &str) = ("/sys/class/block/xvdb/dev", "202:16\n");
        const RECORD: (&str, &str) = ("/run/udev/data/b202:16", "E:DEVTYPE=disk\n");
        const RUNS: (&str, &str) = (UDEV, "");
        let blank = ("/dev/xvdb", "");
        let xfs = ("/dev/xvdb", "XFSB");
        let place = Place::new("test", 1, 6);
        let unknown = "test:1:6: key: /dev/xvdb stays as it is: it is not known to udev yet \
            (run it again with `firstlight run disk_setup --force`)";
        #[rustfmt::skip]
        let table = [
            (vec![blank, NUMBER, RUNS],         Err(unknown)),
            (vec![blank, NUMBER, RUNS, RECORD], Ok(None)),
            (vec![xfs, NUMBER, RUNS],           Ok(Some("xfs"))),
            (vec![blank, RUNS],                 Err(unknown)),
            // As in a root that is prepared for later.
            (vec![blank, NUMBER],               Ok(None)),
        ];
        for (files, wanted) in table {
            let found = on(&FakeMachine::with(&files), "xvdb");
            let found = found.map(|found| found.map(|found| found.kind));
            let found = found.map_err(|unclear| unclear.problem("key", &place).to_string());
            let wanted = wanted.map(|kind: Option<&str>| kind.map(ToOwned::to_owned));
            assert_eq!(found, wanted.map_err(ToOwned::to_owned), "{files:?}");
        }
    }

    #[test]
    fn udev_is_asked_for_what_has_no_mark_that_is_known_here() {
        #[rustfmt::skip]
        let table = [
            ("E:ID_FS_TYPE=zfs_member\nE:ID_FS_LABEL=tank\n", Some("zfs_member")),
            ("E:ID_FS_TYPE=linux_raid_member\n",              Some("linux_raid_member")),
            ("E:ID_FS_TYPE=ext4\n",                           None),
            ("E:ID_FS_TYPE=\n",                               None),
        ];
        for (known, wanted) in table {
            let machine = FakeMachine::with(&[
                ("/dev/xvdb", ""),
                ("/sys/class/block/xvdb/dev", "202:16\n"),
                ("/run/udev/data/b202:16", known),
            ]);
            let found = on(&machine, "xvdb").unwrap().map(|found| found.kind);
            assert_eq!(found.as_deref(), wanted, "{known}");
        }
    }
}
