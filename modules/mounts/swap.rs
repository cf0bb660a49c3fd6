//! A swap file.
//!
//! Source: cloud-init, `cloudinit/config/cc_mounts.py` (`handle_swapcfg`, `suggested_swapsize`,
//! `create_swapfile`) and `cloudinit/util.py` (`human2bytes`); swapon(8), "Files with holes".

use std::io;
use std::path::Path;
use std::time::Duration;

use contract::effect::{Content, Effect, FileSpec, Mode, Owner, Target, ToolSpec};
use contract::machine::{FileKind, Probe};
use contract::plan::Problem;
use contract::secret::Secret;
use contract::yaml::{Kind, Value};

use crate::decimal::Decimal;
use crate::disk;
use crate::disk::signature;
use crate::fields::wrong;
use crate::files;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// So much of a file is looked at for a signature.
const HEAD: usize = 128 * 1024;
/// So much of it is read at a time when all of it is looked at.
const PART: usize = 1 << 20;
/// Writing gigabytes of zeros takes minutes.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// XFS gives out space without holes since then (linux, `fs/iomap/swapfile.c`).
const XFS_FROM: (u32, u32) = (4, 18);

/// A swap file that shall be there.
pub(super) struct Swap {
    /// Its path.
    pub(super) file: String,
    /// What makes it; nothing if it is there.
    pub(super) effects: Vec<Effect>,
}

impl Swap {
    /// Its line in /etc/fstab.
    pub(super) fn line(&self) -> String {
        format!("{}\tnone\tswap\tsw\t0\t0", self.file)
    }
}

/// Reads `swap`. `None`: none is wanted, or none can be.
pub(super) fn read(given: &Value, probe: &dyn Probe, problems: &mut Vec<Problem>) -> Option<Swap> {
    match wanted(given, probe) {
        Ok(swap) => swap,
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

enum Size {
    Auto,
    Bytes(u64),
}

fn wanted(given: &Value, probe: &dyn Probe) -> Result<Option<Swap>, Problem> {
    if given.as_map().is_none() {
        return Err(wrong("swap", given, "a mapping with a `size`"));
    }
    let field = |name: &str| given.get(name).filter(|value| !value.is_null());
    let size = match field("size") {
        None => return Ok(None),
        Some(value) => size(value, "swap.size", true)?,
    };
    let most = match field("maxsize").map(|value| size_of(value, "swap.maxsize")) {
        None => None,
        Some(most) => Some(most?),
    };
    let file = match field("filename") {
        None => "/swap.img".to_owned(),
        Some(value) if value.as_str() == Some("") => return Ok(None),
        Some(value) => {
            let is_path = |path: &&str| {
                path.starts_with('/')
                    && !path.ends_with('/')
                    && !path.contains(|c: char| c.is_whitespace() || c.is_control())
            };
            let path = value.as_str().filter(is_path);
            let expected = || wrong("swap.filename", value, "an absolute path without blanks");
            path.ok_or_else(expected)?.to_owned()
        }
    };
    if matches!(size, Size::Bytes(0)) {
        return Ok(None);
    }
    let path = Path::new(&file);
    let dir = path.parent().unwrap_or(Path::new("/"));
    let stays = |why: &str| {
        let place = &field("filename").unwrap_or(given).place;
        let message = format!("swap: {file} {why}, and stays as it is");
        let problem = Problem::error(Some(place.clone()), message).of_machine();
        problem.hint("write another `filename`, or remove that file")
    };
    let unseen = |error: io::Error| stays(&format!("cannot be looked at: {error}"));
    let there = probe.kind(path).map_err(unseen)?;
    if let Some(kind) = there {
        if disk::swaps(probe).contains(&file) {
            return Ok(Some(Swap {
                file,
                effects: Vec::new(),
            }));
        }
        if kind != FileKind::File {
            return Err(stays("is there and is no file"));
        }
        let head = probe.read_part(path, 0, HEAD).map_err(unseen)?;
        let found = signature::of(&head.unwrap_or_default());
        if found.is_some_and(|found| found.kind == "swap") {
            return Ok(Some(Swap {
                file,
                effects: Vec::new(),
            }));
        }
        // One that was begun, and never ended, holds nothing.
        if !is_blank(probe, path).map_err(unseen)? {
            return Err(stays("is there and is no swap file"));
        }
    }
    let free = free(probe, dir);
    let bytes = match size {
        Size::Bytes(bytes) => bytes,
        Size::Auto => {
            let Some(memory) = memory(probe) else {
                let message =
                    "swap.size: how much memory there is cannot be read, so there is no swap file";
                let place = &field("size").unwrap_or(given).place;
                return Err(Problem::warning(Some(place.clone()), message).of_machine());
            };
            suggested(memory, free, most)
        }
    };
    let mebibytes = bytes / MIB;
    if mebibytes == 0 {
        return match size {
            Size::Auto => Ok(None),
            Size::Bytes(_) => {
                let value = field("size").unwrap_or(given);
                let message = "swap.size: expected at least 1 MiB";
                Err(Problem::error(Some(value.place.clone()), message))
            }
        };
    }
    if free.is_some_and(|free| free < bytes) {
        let free = free.unwrap_or_default() / MIB;
        let message = format!("swap: {file} needs {mebibytes} MiB, and {free} MiB are free there");
        let place = &field("size").unwrap_or(given).place;
        return Err(Problem::error(Some(place.clone()), message).of_machine());
    }
    let effects = made(&file, mebibytes, dir, probe);
    Ok(Some(Swap { file, effects }))
}

/// Whether there is nothing in a file but zeros, to its end.
fn is_blank(probe: &dyn Probe, path: &Path) -> io::Result<bool> {
    let mut offset = 0;
    loop {
        let part = probe.read_part(path, offset, PART)?.unwrap_or_default();
        if part.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        match u64::try_from(part.len()) {
            Ok(read) if read > 0 => offset += read,
            _ => return Ok(true),
        }
    }
}

/// The file has its mode before there is anything in it.
fn made(file: &str, mebibytes: u64, dir: &Path, probe: &dyn Probe) -> Vec<Effect> {
    let mut effects = Vec::new();
    if let Ok(None) = probe.kind(dir) {
        effects.push(Effect::directory(dir.to_owned(), Mode::PUBLIC_DIR));
    }
    effects.push(Effect::File(FileSpec {
        at: Target::from(file),
        content: Content::Secret(Secret::default()),
        mode: Mode::PRIVATE,
        owner: Owner::Root,
    }));
    let tool = |what: String, argv: &[&str]| {
        let mut spec = ToolSpec::new(what, argv.iter().copied());
        spec.timeout = TIMEOUT;
        Effect::tool(spec)
    };
    let kind = disk::mounted_above(probe, dir)
        .map(|there| there.kind)
        .unwrap_or_default();
    if kind == "btrfs" {
        effects.push(tool(
            format!("{file} written in its place"),
            &["chattr", "+C", file],
        ));
    }
    let what = format!("{file} of {mebibytes} MiB");
    let count = format!("count={mebibytes}");
    let (size, of) = (format!("{mebibytes}M"), format!("of={file}"));
    effects.push(match has_space_without_holes(&kind, probe) {
        true => tool(what, &["fallocate", "-l", &size, file]),
        false => tool(what, &["dd", "if=/dev/zero", &of, "bs=1M", &count]),
    });
    effects.push(tool(format!("swap space in {file}"), &["mkswap", file]));
    effects
}

/// Whether fallocate(2) gives a file that may be swap space; where that is not known, zeros are
/// written.
fn has_space_without_holes(kind: &str, probe: &dyn Probe) -> bool {
    match kind {
        "ext4" | "btrfs" => true,
        "xfs" => kernel(probe).is_some_and(|kernel| kernel >= XFS_FROM),
        _ => false,
    }
}

fn kernel(probe: &dyn Probe) -> Option<(u32, u32)> {
    let release = files::text(probe, "/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The bytes that are free where a directory is, or will be.
fn free(probe: &dyn Probe, dir: &Path) -> Option<u64> {
    dir.ancestors()
        .find_map(|dir| probe.free(dir).ok().flatten())
}

/// In bytes.
fn memory(probe: &dyn Probe) -> Option<u64> {
    let told = files::text(probe, "/proc/meminfo")?;
    let total = told
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = total.trim().trim_end_matches("kB").trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// As much as the memory up to 4 GiB, 4 GiB up to 16 GiB, then its square root; at most a quarter of
/// what is free, or `most`.
fn suggested(memory: u64, free: Option<u64>, most: Option<u64>) -> u64 {
    let twice = memory.saturating_mul(2);
    let limit = match (free, most) {
        (None, most) => most.unwrap_or(twice),
        (Some(free), None) => twice.min(free / 4),
        (Some(free), Some(most)) => most.min(free / 10 * 9),
    };
    let least = if memory < 4 * GIB {
        memory
    } else if memory < 16 * GIB {
        4 * GIB
    } else {
        rounded_root(memory) * GIB
    };
    least.min(limit)
}

/// The square root of a size in GiB, rounded.
fn rounded_root(memory: u64) -> u64 {
    let root = (memory / GIB).isqrt();
    // (root + 1/2)^2, four times
    let half = u128::from(4 * root * root + 4 * root + 1) * u128::from(GIB);
    root + u64::from(4 * u128::from(memory) > half)
}

fn size(value: &Value, path: &str, may_be_auto: bool) -> Result<Size, Problem> {
    let text = value.as_str().map(str::trim);
    if may_be_auto && text.is_some_and(|text| text.eq_ignore_ascii_case("auto")) {
        return Ok(Size::Auto);
    }
    let bytes = match (&value.kind, text) {
        (Kind::Int(number), _) => u64::try_from(number.value).ok(),
        (_, Some(text)) => bytes(text),
        _ => None,
    };
    let wanted = match may_be_auto {
        true => "`auto`, or a number of bytes with or without a unit, such as `2G`",
        false => "a number of bytes with or without a unit, such as `2G`",
    };
    let message = format!("{path}: expected {wanted}");
    let expected = || Problem::error(Some(value.place.clone()), message);
    bytes.map(Size::Bytes).ok_or_else(expected)
}

fn size_of(value: &Value, path: &str) -> Result<u64, Problem> {
    match size(value, path, false)? {
        Size::Bytes(bytes) => Ok(bytes),
        Size::Auto => Ok(u64::MAX),
    }
}

/// `10M`, `10MB` and `10MiB` are the same.
fn bytes(text: &str) -> Option<u64> {
    let bare = text
        .strip_suffix("iB")
        .or_else(|| text.strip_suffix('B'))
        .unwrap_or(text);
    let unit = |unit: char| match unit {
        'K' => Some(1 << 10),
        'M' => Some(MIB),
        'G' => Some(GIB),
        'T' => Some(1 << 40),
        _ => None,
    };
    let (number, unit) = match bare.chars().last().and_then(unit) {
        Some(unit) => (bare.get(..bare.len() - 1)?, unit),
        None => (bare, 1),
    };
    Decimal::parse(number.trim())?.of(unit, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_cloud_init_reads_them() {
        #[rustfmt::skip]
        let table = [
            ("1024",    Some(1024)),
            ("10M",     Some(10 << 20)),
            ("10MB",    Some(10 << 20)),
            ("10 MiB",  Some(10 << 20)),
            ("1.5G",    Some(3 << 29)),
            ("2T",      Some(2 << 40)),
            ("1K",      Some(1024)),
            ("10m",     None),
            ("-1G",     None),
            ("G",       None),
            ("",        None),
            ("99999999T", None),
        ];
        for (text, wanted) in table {
            assert_eq!(bytes(text), wanted, "{text}");
        }
    }

    #[test]
    fn the_size_that_fits_the_memory_is_that_of_cloud_init() {
        #[rustfmt::skip]
        let table = [
            // memory       free            most            size
            (GIB,           Some(100 * GIB), None,           GIB),
            (GIB,           Some(2 * GIB),   None,           GIB / 2),
            (GIB,           None,            None,           GIB),
            (GIB,           Some(100 * GIB), Some(GIB / 2),  GIB / 2),
            (8 * GIB,       Some(100 * GIB), None,           4 * GIB),
            (8 * GIB,       Some(10 * GIB),  Some(20 * GIB), 4 * GIB),
            (64 * GIB,      Some(100 * GIB), None,           8 * GIB),
            (61 * GIB,      Some(100 * GIB), None,           8 * GIB),
            (56 * GIB,      Some(100 * GIB), None,           7 * GIB),
            (16 * GIB,      Some(100 * GIB), None,           4 * GIB),
            (16 * GIB,      Some(0),         None,           0),
        ];
        for (memory, free, most, wanted) in table {
            assert_eq!(
                suggested(memory, free, most),
                wanted,
                "{memory} {free:?} {most:?}"
            );
        }
    }
}
