//! Partition tables, as they stand on a disk.
//!
//! Source: UEFI specification, chapter 5 "GUID Partition Table (GPT) Disk Layout"; util-linux,
//! `libblkid/src/partitions/{dos,gpt}.c`.

use std::io;
use std::path::Path;

use contract::machine::Probe;

use super::{Device, Unclear, le32, sector_size};

/// Where the entries of an MBR are, how long one is, and what the sector ends with.
const MBR_ENTRIES: std::ops::Range<usize> = 446..510;
const MBR_ENTRY: usize = 16;
const MBR_END: [u8; 2] = [0x55, 0xaa];
/// What guards a GPT from those who know only MBRs.
const PROTECTIVE: u8 = 0xee;
/// Tables within a partition.
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
/// More partitions than this in them are a loop.
const LOGICAL_MAX: usize = 128;

const GPT_MARK: &[u8] = b"EFI PART";
/// What tools make; a larger one is none that they made.
const GPT_ENTRIES_MAX: u32 = 1024;
const GPT_ENTRY_MAX: u32 = 4096;

/// The kinds of tables that are known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    /// The one of DOS.
    Mbr,
    /// The one of UEFI.
    Gpt,
}

impl Label {
    /// As sfdisk(8) calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mbr => "dos",
            Self::Gpt => "gpt",
        }
    }
}

/// A partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// Which kind.
    pub(crate) label: Label,
    /// The types of its partitions in their order, those that hold others left out but [`LBA`]: `83`,
    /// or a GUID in capitals. One that is damaged has a type that is none.
    pub(crate) types: Vec<String>,
    /// Whether the kernel takes it for a table, as sfdisk(8) does: a GPT alone is none, without the
    /// MBR that guards it.
    pub(crate) is_seen: bool,
}

/// What holds others and is not called so in the list of sfdisk(8).
pub(crate) const LBA: &str = "0f";
/// What guards a GPT: a partition like others to sfdisk(8) where that GPT is lost, and none to sgdisk(8).
pub(crate) const GUARD: &str = "ee";

/// An entry of an MBR, or of the table at the beginning of a logical partition.
#[derive(Clone, Copy)]
struct Slot {
    kind: u8,
    /// In sectors.
    start: u32,
}

/// Bytes of a disk; `None` if it is shorter.
type Read<'a> = &'a dyn Fn(u64, usize) -> io::Result<Option<Vec<u8>>>;

/// The table on a disk; `None` without one.
///
/// # Errors
/// When the disk cannot be read: it may have any.
pub(crate) fn of(probe: &dyn Probe, disk: &Device) -> Result<Option<Table>, Unclear> {
    let path = Path::new("/dev").join(&disk.name);
    let part = |offset: u64, len: usize| {
        let bytes = probe.read_part(&path, offset, len)?;
        Ok(bytes.filter(|bytes| bytes.len() == len))
    };
    let sector = sector_size(probe, &disk.name);
    let found = found(disk.size, sector, &part);
    found.map_err(|error| Unclear::unreadable(&disk.name, &error))
}

fn found(size: u64, sector: u64, part: Read<'_>) -> io::Result<Option<Table>> {
    let slots = part(0, 512)?.and_then(|first| mbr(&first));
    let used = || slots.iter().flatten();
    let is_guarded = used().any(|slot| slot.kind == PROTECTIVE);
    let plain = |types| Table {
        label: Label::Mbr,
        types,
        is_seen: true,
    };
    if let Some(slots) = slots.as_ref().filter(|all| !all.is_empty() && !is_guarded) {
        return types(slots, sector, part).map(|types| Some(plain(types)));
    }
    let with_guard = |table: Table| Table {
        is_seen: is_guarded,
        ..table
    };
    let header = part(sector, 512)?;
    if let Some(table) = header.and_then(|header| gpt(&header, sector, part)) {
        return Ok(Some(with_guard(table)));
    }
    let Some(last) = size.checked_sub(sector) else {
        return Ok(None);
    };
    // Only the second copy is left.
    let copy = part(last, 512)?.and_then(|header| gpt(&header, sector, part));
    match (copy, slots) {
        (Some(table), _) => Ok(Some(with_guard(table))),
        (None, Some(slots)) => types(&slots, sector, part).map(|types| Some(plain(types))),
        (None, None) => Ok(None),
    }
}

fn gpt(header: &[u8], sector: u64, part: Read<'_>) -> Option<Table> {
    if !header.starts_with(GPT_MARK) {
        return None;
    }
    let entries = || {
        let at = u64::from_le_bytes(header.get(72..80)?.try_into().ok()?);
        let count = le32(header, 80).filter(|count| *count <= GPT_ENTRIES_MAX)?;
        let len = le32(header, 84).filter(|len| (128..=GPT_ENTRY_MAX).contains(len))?;
        let all = part(at.checked_mul(sector)?, usize::try_from(count * len).ok()?);
        // Entries that cannot be read are no table without any.
        let all = all.ok().flatten()?;
        let kinds = all.chunks(usize::try_from(len).ok()?).map(guid);
        let used = kinds.map(Option::unwrap_or_default);
        Some(used.filter(|kind| !kind.is_empty()).collect())
    };
    let types = entries().unwrap_or_else(|| damaged().types);
    Some(Table { types, ..damaged() })
}

/// One that somebody had better look at.
fn damaged() -> Table {
    Table {
        label: Label::Gpt,
        types: vec!["damaged".to_owned()],
        is_seen: false,
    }
}

/// The type of an entry, as text; `None` if it is not used.
fn guid(entry: &[u8]) -> Option<String> {
    let bytes: [u8; 16] = entry.get(..16)?.try_into().ok()?;
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let mut text = format!("{d:02X}{c:02X}{b:02X}{a:02X}-{f:02X}{e:02X}-{h:02X}{g:02X}-");
    for (index, byte) in rest.iter().enumerate() {
        let dash = if index == 2 { "-" } else { "" };
        text += &format!("{dash}{byte:02X}");
    }
    (bytes != [0; 16]).then_some(text)
}

/// What is used of an MBR; `None` if it is none.
fn mbr(sector: &[u8]) -> Option<Vec<Slot>> {
    let entries: Vec<&[u8]> = sector.get(MBR_ENTRIES)?.chunks(MBR_ENTRY).collect();
    // The code that boots from FAT or NTFS ends its sector in the same way.
    let is_flag = |entry: &&[u8]| matches!(entry.first(), Some(0 | 0x80));
    let is_boot_sector = sector
        .get(3..8)
        .is_some_and(|name| name == b"NTFS " || name == b"EXFAT")
        || sector.get(0x36..0x3a) == Some(b"FAT1")
        || sector.get(0x52..0x57) == Some(b"FAT32");
    if sector.get(510..512)? != MBR_END || is_boot_sector || !entries.iter().all(is_flag) {
        return None;
    }
    let slot = |entry: &&[u8]| {
        let kind = *entry.get(4)?;
        let start = le32(entry, 8)?;
        Some(Slot { kind, start })
    };
    let slots = entries.iter().filter_map(slot);
    Some(slots.filter(|slot| slot.kind != 0).collect())
}

/// The types in an MBR, and then those of its logical partitions: each has a table before it, which
/// says where the next one is.
fn types(slots: &[Slot], sector: u64, part: Read<'_>) -> io::Result<Vec<String>> {
    let extended = |slot: &&Slot| EXTENDED.contains(&slot.kind);
    let name = |slot: &Slot| format!("{:02x}", slot.kind);
    let all = slots.iter().map(|slot| (name(slot), extended(&slot)));
    let told = all.filter(|(name, is_extended)| !is_extended || name == LBA);
    let mut types: Vec<String> = told.map(|(name, _)| name).collect();
    let Some(first) = slots.iter().find(extended).map(|slot| slot.start) else {
        return Ok(types);
    };
    let mut next = Some(first).filter(|start| *start > 0);
    for _ in 0..LOGICAL_MAX {
        let Some(start) = next else { break };
        let Some(slots) = part(u64::from(start) * sector, 512)?.and_then(|bytes| mbr(&bytes))
        else {
            break;
        };
        types.extend(slots.iter().filter(|slot| !extended(slot)).map(name));
        let further = slots.iter().find(extended).map(|slot| slot.start);
        next = further
            .filter(|start| *start > 0)
            .and_then(|start| first.checked_add(start));
    }
    Ok(types)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use contract::testing::FakeMachine;

    use super::*;

    const LINUX: [u8; 16] = [
        0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d,
        0xe4,
    ];

    type Change = (usize, &'static [u8]);
    type Found = Option<(Label, &'static [&'static str])>;

    fn table(changes: &[Change]) -> Option<Table> {
        let mut bytes = vec![0; 64 * 1024];
        for (at, change) in changes {
            bytes[*at..at + change.len()].copy_from_slice(change);
        }
        let disk = Device {
            name: "xvdb".to_owned(),
            size: 64 * 1024,
            part: None,
        };
        let machine = FakeMachine::default();
        let path = PathBuf::from("/dev/xvdb");
        machine.files.borrow_mut().insert(path, bytes);
        of(&machine, &disk).unwrap()
    }

    #[test]
    fn a_table_is_read_as_it_stands_on_the_disk() {
        const END: Change = (510, &MBR_END);
        const PMBR: Change = (450, &[PROTECTIVE]);
        const HEADER: Change = (512, GPT_MARK);
        const ENTRIES: Change = (584, &[2, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 128, 0, 0, 0]);
        const HUGE: Change = (
            584,
            &[2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 128, 0, 0, 0],
        );
        const GUID: &str = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";
        #[rustfmt::skip]
        let cases: [(&[Change], Found); 15] = [
            (&[],                                                   None),
            (&[END],                                                Some((Label::Mbr, &[]))),
            (&[END, (450, &[0x83]), (466, &[0x8e])],                Some((Label::Mbr, &["83", "8e"]))),
            (&[END, (450, &[0x05]), (466, &[0x82])],                Some((Label::Mbr, &["82"]))),
            // Logical partitions, each with a table before it, and one that leads back.
            (&[END, (450, &[0x05]), (454, &[2]), (1534, &MBR_END), (1474, &[0x83])],              Some((Label::Mbr, &["83"]))),
            (&[END, (450, &[0x83]), (466, &[0x0f]), (470, &[2]), (1534, &MBR_END), (1474, &[0x82]), (1490, &[0x05]),
               (1494, &[3]), (3070, &MBR_END), (3010, &[0x8e])],                                  Some((Label::Mbr, &["83", "0f", "82", "8e"]))),
            // Code of a boot loader in their place.
            (&[END, (446, &[0x33]), (450, &[0x83])],                None),
            (&[END, (0x52, b"FAT32   ")],                           None),
            (&[END, PMBR, HEADER, ENTRIES],                         Some((Label::Gpt, &[]))),
            (&[END, PMBR, HEADER, ENTRIES, (1152, &LINUX)],         Some((Label::Gpt, &[GUID]))),
            (&[END, PMBR, HEADER, HUGE],                            Some((Label::Gpt, &["damaged"]))),
            (&[(64 * 1024 - 512, GPT_MARK)],                        Some((Label::Gpt, &["damaged"]))),
            (&[END, PMBR],                                          Some((Label::Mbr, &["ee"]))),
            // The second copy, with its entries before it.
            (&[END, PMBR, (65_024, GPT_MARK), (65_096, &[94, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 128, 0, 0, 0]), (48_128, &LINUX)],
                                                                    Some((Label::Gpt, &[GUID]))),
            // What is left of a GPT under an MBR of today.
            (&[END, (450, &[0x83]), HEADER, ENTRIES],               Some((Label::Mbr, &["83"]))),
        ];
        for (changes, wanted) in cases {
            let found = table(changes);
            let found = found.map(|found| (found.label, found.types));
            let wanted = wanted
                .map(|(label, types)| (label, types.iter().map(ToString::to_string).collect()));
            assert_eq!(found, wanted, "{changes:?}");
        }
        let seen = |changes: &[Change]| table(changes).is_some_and(|found| found.is_seen);
        assert!(seen(&[END, PMBR, HEADER, ENTRIES]));
        assert!(!seen(&[HEADER, ENTRIES]), "no MBR guards it");
    }
}
