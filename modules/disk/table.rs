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
    /// The types of its partitions in their order, those that hold others left out: `83`, or a
    /// GUID in capitals. One that is damaged has a type that is none.
    pub(crate) types: Vec<String>,
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
    let header = part(sector, 512)?;
    if let Some(table) = header.and_then(|header| gpt(&header, sector, part)) {
        return Ok(Some(table));
    }
    let Some(last) = size.checked_sub(sector) else {
        return Ok(None);
    };
    // Only the second copy is left.
    if part(last, 8)?.is_some_and(|mark| mark == GPT_MARK) {
        return Ok(Some(damaged()));
    }
    Ok(part(0, 512)?.and_then(|sector| mbr(&sector)))
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
    let label = Label::Gpt;
    Some(Table { label, types })
}

/// One that somebody had better look at.
fn damaged() -> Table {
    Table {
        label: Label::Gpt,
        types: vec!["damaged".to_owned()],
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

fn mbr(sector: &[u8]) -> Option<Table> {
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
    let types = entries.iter().filter_map(|entry| entry.get(4).copied());
    let used: Vec<u8> = types.filter(|kind| *kind != 0).collect();
    if used.contains(&PROTECTIVE) {
        return Some(damaged());
    }
    let plain = used.iter().filter(|kind| !EXTENDED.contains(kind));
    Some(Table {
        label: Label::Mbr,
        types: plain.map(|kind| format!("{kind:02x}")).collect(),
    })
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
        let cases: [(&[Change], Found); 10] = [
            (&[],                                                   None),
            (&[END],                                                Some((Label::Mbr, &[]))),
            (&[END, (450, &[0x83]), (466, &[0x8e])],                Some((Label::Mbr, &["83", "8e"]))),
            (&[END, (450, &[0x05]), (466, &[0x82])],                Some((Label::Mbr, &["82"]))),
            // Code of a boot loader in their place.
            (&[END, (446, &[0x33]), (450, &[0x83])],                None),
            (&[END, (0x52, b"FAT32   ")],                           None),
            (&[END, PMBR, HEADER, ENTRIES],                         Some((Label::Gpt, &[]))),
            (&[END, PMBR, HEADER, ENTRIES, (1152, &LINUX)],         Some((Label::Gpt, &[GUID]))),
            (&[END, PMBR, HEADER, HUGE],                            Some((Label::Gpt, &["damaged"]))),
            (&[(64 * 1024 - 512, GPT_MARK)],                        Some((Label::Gpt, &["damaged"]))),
        ];
        for (changes, wanted) in cases {
            let found = table(changes);
            let found = found.map(|found| (found.label, found.types));
            let wanted = wanted
                .map(|(label, types)| (label, types.iter().map(ToString::to_string).collect()));
            assert_eq!(found, wanted, "{changes:?}");
        }
    }
}
