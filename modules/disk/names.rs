//! Disks by the names that people and clouds give them.
//!
//! On instances of the Nitro system a volume that was attached as `/dev/sdf` is called `nvme1n1`, or
//! whichever number comes. The name that it was attached under is told by the volume itself, to who
//! may send it commands (`Identify Controller`), and by links that udev(7) makes where the image has
//! rules for it; a volume's id is its serial number. So an id is always found, and a name by its link
//! or, if only one disk can be meant, by the metadata.
//!
//! Source: EC2 User Guide, "Map Amazon EBS volumes to NVMe device names" and "Device names for
//! volumes on Amazon EC2 instances"; cloud-init, `cloudinit/sources/DataSourceEc2.py`
//! (`device_name_to_device`) and `cloudinit/sources/__init__.py` (`_remap_device`).

use std::path::Path;

use contract::instance::InstanceMetadata;
use contract::machine::Probe;
use contract::module::Context;
use contract::place::Place;
use contract::plan::Problem;
use contract::yaml::{Mapping, Value};

use super::text;
use crate::files;

/// What the controller of a volume says that it is.
const EBS: &str = "Amazon Elastic Block Store";
const INSTANCE_STORE: &str = "Amazon EC2 NVMe Instance Storage";
/// What kernels call `sdf`.
const PREFIXES: [&str; 4] = ["sd", "xvd", "vd", "vtb"];

/// Who knows what a name means.
pub(crate) struct Names<'a> {
    probe: &'a dyn Probe,
    instance: &'a InstanceMetadata,
    aliases: Option<&'a Mapping>,
}

/// Why a name is no disk's.
pub(crate) struct Unknown {
    /// The volumes that may be meant, by their ids.
    volumes: Vec<String>,
}

impl Unknown {
    /// Whether it may be one of several disks.
    pub(crate) const fn is_unclear(&self) -> bool {
        !self.volumes.is_empty()
    }

    /// What to say of it, which is about the machine. `key` is what the name is given to, and `place` where
    /// it stands.
    pub(crate) fn problem(&self, key: &str, name: &str, place: &Place) -> Problem {
        let name = shown(name);
        let problem = |message: String| Problem::error(Some(place.clone()), message).of_machine();
        if self.volumes.is_empty() {
            let message = format!("{key}: there is no device `{name}`");
            let hint =
                "`lsblk` shows what there is; a volume of EBS can be named by its id, `vol-...`";
            return problem(message).hint(hint);
        }
        let message = format!("{key}: which volume `{name}` is cannot be told on this instance");
        let volumes = self.volumes.join("`, `");
        problem(message).hint(format!("write the volume's id: `{volumes}`"))
    }
}

/// A name for a message: without what a terminal would take for more than text.
pub(crate) fn shown(name: &str) -> String {
    name.chars()
        .take(64)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

impl<'a> Names<'a> {
    /// `aliases`: `device_aliases`, a mapping from names to names.
    pub(crate) fn new(ctx: &Context<'a>, aliases: Option<&'a Value>) -> Self {
        Self {
            probe: ctx.probe,
            instance: ctx.instance,
            aliases: aliases.and_then(Value::as_map),
        }
    }

    /// Whether the metadata speaks of disks other than the root disk.
    pub(crate) fn has_told(instance: &InstanceMetadata) -> bool {
        let data = instance.rest.get("meta-data");
        data.is_some_and(|data| data.get("block-device-mapping").is_some())
    }

    /// What somebody calls so in `device_aliases`, else the name itself.
    pub(crate) fn alias(&self, name: &str) -> String {
        let alias = self.aliases.and_then(|all| all.get(name)?.as_str());
        alias.unwrap_or(name).to_owned()
    }

    /// The path of what the metadata calls `name`: `ephemeral0`, `ebs1`, `swap`.
    pub(crate) fn of_metadata(&self, name: &str) -> Option<String> {
        let mapping = self
            .instance
            .rest
            .get("meta-data")?
            .get("block-device-mapping")?;
        let named = |name: &str| mapping.get(name)?.as_str().filter(|name| !name.is_empty());
        // Eucalyptus numbers none.
        let device = named(name).or_else(|| named("ephemeral").filter(|_| name == "ephemeral0"))?;
        let path = absolute(device);
        let found = self.device(&path).ok();
        // An instance may say that it has one, and have none.
        found.or_else(|| (name != "ephemeral0").then_some(path))
    }

    /// The path of what is used though nobody asks for it, `name` being `ephemeral0` or `swap`: what the
    /// metadata calls so, or a disk, and no partition, that `device_aliases` calls so.
    pub(crate) fn unasked(&self, name: &str) -> Option<String> {
        let alias = self.alias(name);
        let is_disk = || alias != name && self.disk_and_number(name).is_none();
        let of_alias = || is_disk().then(|| self.find(name).ok()).flatten();
        self.of_metadata(&alias).or_else(of_alias)
    }

    /// The path of the disk or partition that somebody calls `name`.
    ///
    /// # Errors
    /// When there is none, or which one it is cannot be told.
    pub(crate) fn find(&self, name: &str) -> Result<String, Unknown> {
        // Some leave the number away.
        let name = match self.alias(name).as_str() {
            "ephemeral" => "ephemeral0".to_owned(),
            name => name.to_owned(),
        };
        let nothing = || Unknown {
            volumes: Vec::new(),
        };
        let wanted = name.trim_start_matches("/dev/");
        let told = self.of_metadata(&name);
        if let Some(path) = told.as_ref().filter(|path| self.is_there(path)) {
            return Ok(path.clone());
        }
        if matches!(name.as_str(), "root" | "ami") {
            let root = self.root().map(|disk| absolute(&disk));
            return root.ok_or_else(nothing);
        }
        if told.is_some() {
            return Err(nothing());
        }
        if let Some(volume) = volume_id(wanted) {
            return self.volume(&volume).ok_or_else(nothing);
        }
        if let Some(number) = name.strip_prefix("ephemeral") {
            let stores = self.nvme(INSTANCE_STORE);
            let number: Option<usize> = number.parse().ok();
            let store = number.and_then(|number| stores.into_iter().nth(number));
            let store = store.map(|(disk, serial)| self.lasting(&disk, INSTANCE_STORE, &serial));
            return store.ok_or_else(nothing);
        }
        self.device(&absolute(&name))
    }

    /// The same, of a disk that may be on its way: what is not there is looked for once more when udev(7)
    /// has nothing left to do.
    ///
    /// # Errors
    /// As with [`Self::find`].
    pub(crate) fn find_late(&self, name: &str) -> Result<String, Unknown> {
        match self.find(name) {
            Err(unknown) if !unknown.is_unclear() => {
                self.probe.wait_for_udev(None);
                self.find(name)
            }
            found => found,
        }
    }

    /// What a partition's name says, whether it is there or not: the name of its disk, and its number.
    /// `/dev/sdf1` is number 1 of `/dev/sdf`, and so is `nvme1n1p1` of `nvme1n1`, or `...-part1` of a link.
    pub(crate) fn disk_and_number(&self, name: &str) -> Option<(String, usize)> {
        let name = self.alias(name);
        let disk = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = name.strip_prefix(disk)?.parse().ok()?;
        let of_link = disk.strip_suffix("-part");
        let is_numbered = |disk: &&str| disk.ends_with(|c: char| c.is_ascii_digit());
        let of_numbered = || disk.strip_suffix('p').filter(is_numbered);
        let plain = disk.trim_start_matches("/dev/");
        // `ephemeral1` is no partition.
        let is_lettered = PREFIXES.iter().any(|prefix| {
            let letters = plain.strip_prefix(prefix).unwrap_or_default();
            !letters.is_empty() && letters.bytes().all(|byte| byte.is_ascii_lowercase())
        });
        let disk = of_link
            .or_else(of_numbered)
            .or_else(|| is_lettered.then_some(disk))?;
        Some((disk.to_owned(), number))
    }

    /// A path as it is, or what the kernel calls it here.
    fn device(&self, path: &str) -> Result<String, Unknown> {
        if self.is_there(path) {
            return Ok(path.to_owned());
        }
        let name = path.trim_start_matches("/dev/");
        let rest = || PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix));
        let Some(rest) = rest().filter(|rest| !rest.is_empty() && !rest.contains('/')) else {
            return Err(Unknown {
                volumes: Vec::new(),
            });
        };
        let all = PREFIXES.iter().map(|prefix| format!("/dev/{prefix}{rest}"));
        if let Some(found) = all.into_iter().find(|path| self.is_there(path)) {
            return Ok(found);
        }
        self.attached_as(rest)
    }

    /// The volume that was attached as `/dev/sdREST`, if the metadata speaks of one volume alone, and
    /// there is one alone beside the root disk.
    fn attached_as(&self, rest: &str) -> Result<String, Unknown> {
        let root = self.root();
        let mut volumes = self.nvme(EBS);
        volumes.retain(|(disk, _)| Some(disk) != root.as_ref());
        let mapping = self.instance.rest.get("meta-data");
        let mapping = mapping.and_then(|data| data.get("block-device-mapping")?.as_object());
        let ebs = mapping
            .into_iter()
            .flatten()
            .filter(|(key, _)| key.starts_with("ebs"));
        let names: Vec<&str> = ebs.filter_map(|(_, device)| device.as_str()).collect();
        let is_it = |name: &str| {
            let name = name.trim_start_matches("/dev/");
            PREFIXES
                .iter()
                .any(|prefix| name.strip_prefix(prefix) == Some(rest))
        };
        match (volumes.as_slice(), names.as_slice()) {
            ([(disk, serial)], [name]) if is_it(name) => Ok(self.lasting(disk, EBS, serial)),
            _ => Err(Unknown {
                volumes: volumes.iter().map(|(_, serial)| dashed(serial)).collect(),
            }),
        }
    }

    /// The path of the volume whose serial number is this: `vol0123...`.
    fn volume(&self, serial: &str) -> Option<String> {
        let mut all = self.nvme(EBS).into_iter();
        if let Some((disk, serial)) = all.find(|(_, own)| own == serial) {
            return Some(self.lasting(&disk, EBS, &serial));
        }
        let link = by_id(EBS, serial);
        self.is_there(&link).then_some(link)
    }

    /// A name that is the same at the next boot, if udev(7) has made it.
    fn lasting(&self, disk: &str, model: &str, serial: &str) -> String {
        let link = by_id(model, serial);
        if self.is_there(&link) {
            link
        } else {
            absolute(disk)
        }
    }

    /// The NVMe disks of a model, and their serial numbers, in the order of their numbers.
    fn nvme(&self, model: &str) -> Vec<(String, String)> {
        let all = Path::new("/sys/block");
        let mut names = self.probe.list(all).ok().flatten().unwrap_or_default();
        // A disk with several paths has an entry for each of them, and one device.
        names.retain(|name| name.starts_with("nvme") && self.is_there(&absolute(name)));
        let mut found: Vec<(String, String)> = Vec::new();
        for name in names {
            let device = all.join(&name).join("device");
            let field = |field: &str| text(self.probe, &device.join(field));
            if field("model").is_some_and(|own| own == model) {
                found.push((name, field("serial").unwrap_or_default()));
            }
        }
        found.sort_by_key(|(name, _)| (name.len(), name.clone()));
        found
    }

    /// The disk that the root file system is on.
    fn root(&self) -> Option<String> {
        let root = super::mounted(self.probe, "/")?;
        let device = super::device_of(self.probe, &root)?;
        Some(device.part.map_or(device.name, |part| part.disk))
    }

    fn is_there(&self, path: &str) -> bool {
        files::exists(self.probe, path)
    }
}

/// `vol0123...`, if this is a volume's id, with or without its dash.
fn volume_id(name: &str) -> Option<String> {
    let digits = name.strip_prefix("vol")?;
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    let is_id = digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| format!("vol{}", digits.to_ascii_lowercase()))
}

/// A serial number as people write a volume's id.
fn dashed(serial: &str) -> String {
    match serial.strip_prefix("vol") {
        Some(digits) => format!("vol-{digits}"),
        None => serial.to_owned(),
    }
}

fn by_id(model: &str, serial: &str) -> String {
    format!("/dev/disk/by-id/nvme-{}_{serial}", model.replace(' ', "_"))
}

fn absolute(name: &str) -> String {
    match name.starts_with('/') {
        true => name.to_owned(),
        false => format!("/dev/{name}"),
    }
}

#[cfg(test)]
mod tests;
