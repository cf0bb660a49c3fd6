//! Files in memory, for programs that are asked something.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// A file in memory that holds that.
pub(crate) fn text(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create(c"firstlight", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// A file in memory of so many zeros, which nobody can make longer: whoever writes more fails.
#[derive(Debug)]
pub(crate) struct Blank {
    file: File,
    length: u64,
}

impl Blank {
    pub(crate) fn new(length: u64) -> io::Result<Self> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let file = File::from(memfd_create(c"firstlight", flags)?);
        file.set_len(length)?;
        let seals = SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        Ok(Self { file, length })
    }

    /// For whoever writes to it.
    pub(crate) fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// What was written so far: text does not end with zeros.
    pub(crate) fn said(&self) -> io::Result<Vec<u8>> {
        let mut file = self.file()?;
        file.rewind()?;
        let mut said = Vec::new();
        file.take(self.length).read_to_end(&mut said)?;
        let last = said.iter().rposition(|byte| *byte != 0);
        said.truncate(last.map_or(0, |last| last + 1));
        Ok(said)
    }
}
