//! A stream of a child that is kept in memory, for somebody who reads it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process::Stdio;

use nix::sys::memfd::{MFdFlags, memfd_create};

/// As much is read of it, from its end.
const LIMIT: u64 = 16 << 20;

/// How package managers begin a line that says what is wrong.
const ERRORS: [&str; 4] = ["E: ", "Error: ", "ERROR: ", "error: "];

/// Which of its streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Out,
    Err,
}

/// A file in memory (memfd_create(2)) in the place of a stream. A pipe would have to be read while
/// the child lives, and by whoever it leaves behind be kept open.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) which: Which,
    file: File,
}

impl Kept {
    pub(crate) fn new(which: Which) -> io::Result<Self> {
        let fd = memfd_create(c"output", MFdFlags::MFD_CLOEXEC)?;
        Ok(Self {
            which,
            file: File::from(fd),
        })
    }

    /// The same file.
    pub(crate) fn again(&self) -> io::Result<Self> {
        Ok(Self {
            which: self.which,
            file: self.file.try_clone()?,
        })
    }

    /// For the child.
    pub(crate) fn stdio(&self) -> io::Result<Stdio> {
        Ok(self.file.try_clone()?.into())
    }

    /// What was written so far.
    pub(crate) fn text(&self) -> String {
        let len = self.file.metadata().map_or(0, |found| found.len());
        let start = len.saturating_sub(LIMIT);
        let mut bytes = vec![0; usize::try_from(len - start).unwrap_or(0)];
        match self.file.read_exact_at(&mut bytes, start) {
            Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) => String::new(),
        }
    }

    /// The last line that says what is wrong, or else the last one.
    pub(crate) fn last_error(&self) -> Option<String> {
        let said = self.text();
        let lines = said.lines().map(str::trim);
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        let is_error = |line: &&&str| ERRORS.iter().any(|start| line.starts_with(start));
        let line = lines.iter().rfind(is_error).or(lines.last())?;
        Some(line.chars().filter(|c| !c.is_control()).collect())
    }
}
