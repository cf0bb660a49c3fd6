//! What an entry of `mounts` mounts, as fstab(5) wants to hear it.
//!
//! Source: cloud-init, `cloudinit/config/cc_mounts.py` (`sanitize_devname`).

use contract::machine::Probe;

use crate::disk::names::{Names, Unknown};
use crate::disk::{self, kernel_name, part_name};
use crate::disk_setup::Fresh;
use crate::files;

/// Who knows what is there to be mounted.
pub(super) struct Sources<'a> {
    probe: &'a dyn Probe,
    names: &'a Names<'a>,
    fresh: &'a [Fresh],
}

impl<'a> Sources<'a> {
    /// `fresh`: disks whose partitions are about to be made.
    pub(super) const fn new(
        probe: &'a dyn Probe,
        names: &'a Names<'a>,
        fresh: &'a [Fresh],
    ) -> Self {
        Self {
            probe,
            names,
            fresh,
        }
    }

    /// The device that somebody calls `name`: its first partition, if it has one, or the one that a
    /// number behind a dot says. `None` if it is no device, as `server:/path`, `LABEL=data` or `tmpfs`,
    /// or none that is there.
    ///
    /// # Errors
    /// When it may be one of several.
    pub(super) fn of(&self, name: &str) -> Result<Option<String>, Unknown> {
        if name.find(':').is_some_and(|at| at > 0) || name.contains('=') || name.is_empty() {
            return Ok(None);
        }
        let (base, number) = match name.rsplit_once('.') {
            Some((base, number)) => (base, Some(number)),
            None => (name, None),
        };
        let path = match self.names.find(base) {
            Ok(path) => path,
            Err(unknown) if unknown.is_unclear() => return Err(unknown),
            Err(_) => return Ok(None),
        };
        Ok(match number.map(str::parse) {
            None => self.of_path(&path),
            Some(Ok(number)) => self.part(&path, number),
            Some(Err(_)) => None,
        })
    }

    /// The first partition of a device, or the device itself without one.
    pub(super) fn of_path(&self, path: &str) -> Option<String> {
        let name = kernel_name(self.probe, path)?;
        let part = self.part(path, 1);
        part.or_else(|| disk::device(self.probe, &name).map(|_| path.to_owned()))
    }

    fn part(&self, path: &str, number: usize) -> Option<String> {
        let name = kernel_name(self.probe, path)?;
        let part = part_name(&name, number);
        let is_there = |path: &str| files::exists(self.probe, path);
        let will_be = match self.fresh.iter().find(|disk| disk.name == name) {
            Some(disk) => number <= disk.parts,
            None => disk::device(self.probe, &part).is_some(),
        };
        // A link that udev makes of a partition, or will make, beside that of its disk.
        let by_id = format!("{path}-part{number}");
        let link = path.starts_with("/dev/disk/").then_some(by_id);
        let link = link.or_else(|| Some(part_name(path, number)).filter(|link| is_there(link)));
        will_be.then(|| link.unwrap_or_else(|| format!("/dev/{part}")))
    }
}
