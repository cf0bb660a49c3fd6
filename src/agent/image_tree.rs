//! The tiny image that a seed directory may bring along, for trying firstlight without a machine.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// Whether `target` is absent or an empty directory, so that an image may be laid there.
pub(crate) fn is_vacant(target: &Path) -> bool {
    fs::read_dir(target).map_or(true, |mut entries| entries.next().is_none())
}

/// Copies files, directories and links with their permissions. Anything else is left out.
///
/// # Errors
/// What the kernel said about the first file that could not be copied.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_dir() {
            copy(&source, &target)?;
            let mode = entry.metadata()?.permissions().mode();
            fs::set_permissions(&target, fs::Permissions::from_mode(mode))?;
        } else if kind.is_file() {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}
