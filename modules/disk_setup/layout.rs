//! Partitions as `disk_setup` describes them, and as sfdisk(8) wants to hear it.
//!
//! Source: cloud-init, `cloudinit/config/cc_disk_setup.py` (`get_partition_layout`,
//! `check_partition_layout`).

use contract::plan::Problem;
use contract::yaml::{Kind, Value};

use crate::decimal::Decimal;
use crate::disk::table::{GUARD, LBA, Label, Table};
use crate::fields::wrong;

/// An MBR has no room for more.
const MBR_PARTS: usize = 4;
/// What tools make room for.
const GPT_PARTS: usize = 128;

/// Types by the codes that sgdisk(8) has for them, and by the words that sfdisk(8) has.
#[rustfmt::skip]
const CODES: &[(&str, &str, &str)] = &[
    ("0700", "",         "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"),
    ("8200", "swap",     "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"),
    ("8300", "linux",    "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
    ("8301", "",         "8DA63339-0007-60C0-C436-083AC8230908"),
    ("8302", "home",     "933AC7E1-2EB4-4F13-B844-0E14E2AEF915"),
    ("8303", "",         "44479540-F297-41B2-9AF7-D131D5F0458A"),
    ("8304", "",         "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"),
    ("8305", "",         "B921B045-1DF0-41C3-AF44-4C6F280D3FAE"),
    ("8306", "srv",      "3B8F8425-20E0-4F3B-907F-1A25A76F98E8"),
    ("8308", "",         "7FFEC5C9-2D00-49B7-8941-3EA10A5586B7"),
    ("8309", "",         "CA7D7CCB-63ED-4C53-861C-1742536059CC"),
    ("8310", "var",      "4D21B016-B534-45C2-A9FB-5C16E091FD2D"),
    ("8E00", "lvm",      "E6D6D379-F507-44C2-A23C-238F2A3DF928"),
    ("A504", "",         "516E7CB6-6ECF-11D6-8FF8-00022D09712B"),
    ("BF00", "",         "6A85CF4D-1DD2-11B2-99A6-080020736631"),
    ("BF01", "",         "6A898CC3-1DD2-11B2-99A6-080020736631"),
    ("EA00", "xbootldr", "BC13C2FF-59E6-4262-A352-B275FD6F7172"),
    ("EF00", "uefi",     "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"),
    ("EF02", "",         "21686148-6449-6E6F-744E-656564454649"),
    ("FD00", "raid",     "A19D880F-05FC-4D3B-A006-743F0F84911E"),
];

/// What shall be on a disk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// It is left alone.
    AsItIs,
    /// No table, and nothing else either.
    Nothing,
    /// Partitions, whichever: one, if there is none.
    Any,
    /// These partitions.
    Parts(Vec<Part>),
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Its share of the disk in per cent; `None` is the rest.
    share: Option<Decimal>,
    /// Its type, as the table has it; `None` is what the table's maker takes.
    kind: Option<String>,
}

impl Layout {
    /// Reads a `layout`. `path` is where it stands.
    pub(super) fn read(given: &Value, label: Label, path: &str) -> Result<Self, Problem> {
        match &given.kind {
            Kind::Null | Kind::Bool(false) => Ok(Self::AsItIs),
            Kind::Bool(true) => Ok(Self::Any),
            Kind::String(word) if word.is_empty() => Ok(Self::AsItIs),
            Kind::String(word) if word.eq_ignore_ascii_case("remove") => Ok(Self::Nothing),
            Kind::List(entries) if entries.is_empty() => Ok(Self::AsItIs),
            Kind::List(entries) => parts(given, entries, label, path).map(Self::Parts),
            _ => {
                let wanted = "true, false, `remove`, or a list of shares in per cent";
                Err(wrong(path, given, wanted))
            }
        }
    }
}

fn parts(given: &Value, entries: &[Value], label: Label, path: &str) -> Result<Vec<Part>, Problem> {
    let most = match label {
        Label::Mbr => MBR_PARTS,
        Label::Gpt => GPT_PARTS,
    };
    if entries.len() > most {
        let message = format!("{path}: expected at most {most} partitions");
        let problem = Problem::error(Some(given.place.clone()), message);
        return Err(match label {
            Label::Mbr => problem.hint("write `table_type: gpt` for more"),
            Label::Gpt => problem,
        });
    }
    let mut parts = Vec::new();
    let mut sum = 0;
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let wanted = "a share in per cent, or a list of a share and a type";
        let (share, kind) = match entry.as_list() {
            None => (entry, None),
            Some([share, kind]) => (share, Some(kind)),
            Some(_) => return Err(wrong(&path, entry, wanted)),
        };
        let read = share.to_text().and_then(|text| Decimal::parse(text.trim()));
        let read = read.ok_or_else(|| wrong(&path, share, wanted))?;
        let kind = kind.map(|kind| type_of(kind, label, &path)).transpose()?;
        // The last one takes what is left, whatever it says.
        let is_last = index + 1 == entries.len();
        if !is_last {
            sum += read.of(1_000_000, 1).unwrap_or(u64::MAX / 1000);
        }
        parts.push(Part {
            share: (!is_last).then_some(read),
            kind,
        });
    }
    if sum >= 100_000_000 {
        let message = format!("{path}: the shares leave no room for the last partition");
        return Err(Problem::error(Some(given.place.clone()), message));
    }
    Ok(parts)
}

/// A type as the table has it.
fn type_of(given: &Value, label: Label, path: &str) -> Result<String, Problem> {
    let text = given.to_text().unwrap_or_default();
    let known = match label {
        Label::Mbr => mbr_type(&text),
        Label::Gpt => gpt_type(&text),
    };
    known.ok_or_else(|| {
        let message = format!("{path}: that is no type of a partition that is known");
        let hint = match label {
            Label::Mbr => {
                "write its number in hexadecimal, such as 83 for Linux or 82 for swap space"
            }
            Label::Gpt => "write a code of sgdisk, such as 8300 for Linux, or the type's GUID",
        };
        Problem::error(Some(given.place.clone()), message).hint(hint)
    })
}

/// `83` is hexadecimal, though YAML reads a number.
fn mbr_type(text: &str) -> Option<String> {
    let of_word = |word: &str| match word {
        "linux" | "L" => Some("83"),
        "swap" | "S" => Some("82"),
        "lvm" | "V" => Some("8e"),
        "raid" | "R" => Some("fd"),
        "uefi" | "U" => Some("ef"),
        _ => None,
    };
    if let Some(kind) = of_word(text) {
        return Some(kind.to_owned());
    }
    let digits = text.trim_start_matches("0x");
    let number = u8::from_str_radix(digits, 16).ok()?;
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_plain && number != 0).then(|| format!("{number:02x}"))
}

/// `82` is `8200`, as sgdisk(8) is told it.
fn gpt_type(text: &str) -> Option<String> {
    let code = format!("{text:0<4}").to_ascii_uppercase();
    let is_it = |(known, word, guid): &&(&str, &str, &str)| {
        code == *known || code == *guid || !word.is_empty() && text.eq_ignore_ascii_case(word)
    };
    if let Some((_, _, guid)) = CODES.iter().find(is_it) {
        return Some((*guid).to_owned());
    }
    let lengths: Vec<usize> = code.split('-').map(str::len).collect();
    let is_hex = |c: char| c == '-' || c.is_ascii_hexdigit();
    (lengths == [8, 4, 4, 4, 12] && code.chars().all(is_hex)).then_some(code)
}

/// The type that a partition of an MBR has in a GPT, as sgdisk(8) has it.
fn type_in_gpt(kind: &str) -> String {
    // FAT and NTFS.
    let is_basic = matches!(kind, "01" | "04" | "06" | "07" | "0b" | "0c" | "0e");
    let code = if is_basic { "07" } else { kind };
    gpt_type(code).unwrap_or_else(|| kind.to_owned())
}

/// What a type is called in a table that says none.
const fn usual(label: Label) -> &'static str {
    match label {
        Label::Mbr => "83",
        Label::Gpt => "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
    }
}

impl Layout {
    /// Whether a table has these partitions already: as many, of the types that are said, as the tool
    /// for tables of the kind `label` lists them. Which kind the table itself is does not count.
    pub(super) fn is_so(&self, table: &Table, label: Label) -> bool {
        if label == Label::Mbr && !table.is_seen {
            return *self == Self::AsItIs;
        }
        // sgdisk(8) makes a GPT of an MBR in its memory.
        let types: Vec<String> = match (label, table.label) {
            (Label::Gpt, Label::Mbr) => {
                let is_listed = |kind: &&String| *kind != LBA && *kind != GUARD;
                let types = table.types.iter().filter(is_listed);
                types.map(|kind| type_in_gpt(kind)).collect()
            }
            _ => table.types.clone(),
        };
        let is_in_gpt = (label, table.label) == (Label::Mbr, Label::Gpt);
        let fits = |(part, there): (&Part, &String)| {
            part.kind
                .as_ref()
                .is_none_or(|kind| kind == there || is_in_gpt && type_in_gpt(kind) == *there)
        };
        match self {
            Self::AsItIs => true,
            Self::Nothing => false,
            Self::Any => !types.is_empty(),
            Self::Parts(parts) => types.len() == parts.len() && parts.iter().zip(&types).all(fits),
        }
    }

    /// The partitions that are to be made.
    pub(super) fn parts(&self) -> Vec<Part> {
        match self {
            Self::AsItIs | Self::Nothing => Vec::new(),
            Self::Any => vec![Part {
                share: None,
                kind: None,
            }],
            Self::Parts(parts) => parts.clone(),
        }
    }
}

/// The script that makes sfdisk(8) put these partitions on a disk of so many sectors.
pub(super) fn script(label: Label, sectors: u64, parts: &[Part]) -> String {
    let mut script = format!("label: {}\n", label.name());
    for part in parts {
        let share = part.share.and_then(|share| share.of(sectors, 100));
        if let Some(size) = share {
            script += &format!("size={size}, ");
        }
        let kind = part.kind.as_deref().unwrap_or_else(|| usual(label));
        script += &format!("type={kind}\n");
    }
    script
}
