//! `NoCloud`'s layout of a directory: `meta-data`, `user-data`, `vendor-data`.
//!
//! Source: cloud-init, `cloudinit/sources/DataSourceNoCloud.py`. What differs: `user-data` may be
//! absent, and `meta-data` may have EC2's further names (`ami-launch-index`, `placement`).

use std::io;
use std::net::IpAddr;
use std::path::Path;

use contract::datasource::{Found, SourceError};
use contract::instance::{InstanceMetadata, LaunchIndex};
use contract::name::{AuthorizedKey, InstanceId};
use contract::place::Place;
use contract::plan::Problem;
use contract::user_data::{UserData, VendorData};
use contract::yaml::{self, Kind, Limits, Value};
use serde_json::json;

use crate::fields;

/// The file that makes a directory a seed.
pub(crate) const META_DATA: &str = "meta-data";

const META_DATA_LIMIT: usize = 1 << 20;
const USER_DATA_LIMIT: usize = 64 << 10;

/// The id of an instance whose metadata has none, as with cloud-init.
const DEFAULT_ID: &str = "nocloud";

/// How the files of a seed are reached.
pub(crate) trait Files {
    /// A whole file, or somewhat more than `limit` bytes of it; `None` if there is none.
    fn read(&self, path: &Path, limit: usize) -> io::Result<Option<Vec<u8>>>;
}

/// Reads the seed in `dir`.
pub(crate) fn fetch(dir: &Path, files: &dyn Files, platform: &str) -> Result<Found, SourceError> {
    let mut errors = Vec::new();
    let (metadata, warnings) = metadata_file(&dir.join(META_DATA), files, platform)?;
    let user_data = data(dir, "user-data", files, &mut errors)?.unwrap_or_default();
    let vendor_data = VendorData {
        first: data(dir, "vendor-data", files, &mut errors)?,
        second: None,
    };
    Ok(Found {
        metadata,
        user_data,
        vendor_data,
        warnings,
        errors,
    })
}

/// A file of the seed in `dir` that holds user or vendor data; one that is too large is told of in
/// `errors`, and is as if it were not there: the machine must become itself without it too, that is
/// how one logs in.
pub(crate) fn data(
    dir: &Path,
    file: &str,
    files: &dyn Files,
    errors: &mut Vec<String>,
) -> Result<Option<UserData>, SourceError> {
    let path = dir.join(file);
    Ok(match read(files, &path, USER_DATA_LIMIT)? {
        Some(Content::Whole(bytes)) => Some(UserData::new(bytes)),
        Some(Content::TooLarge) => {
            errors.push(fields::without_user_data(&SourceError::TooLarge {
                item: name(&path),
                limit: USER_DATA_LIMIT,
            }));
            None
        }
        None => None,
    })
}

/// Reads a seed's `meta-data`, and what was odd in it.
pub(crate) fn metadata_file(
    path: &Path,
    files: &dyn Files,
    platform: &str,
) -> Result<(InstanceMetadata, Vec<String>), SourceError> {
    let mut warnings = Vec::new();
    match read(files, path, META_DATA_LIMIT)? {
        Some(Content::Whole(bytes)) => {
            let metadata = metadata(path, &bytes, platform, &mut warnings)?;
            Ok((metadata, warnings))
        }
        Some(Content::TooLarge) => {
            let message = format!("is larger than {} MiB", META_DATA_LIMIT >> 20);
            Err(written(Place::whole(name(path)), message))
        }
        None => Err(SourceError::Missing {
            path: path.to_owned(),
            hint: "write one with at least `instance-id: i-1` in it",
        }),
    }
}

enum Content {
    Whole(Vec<u8>),
    TooLarge,
}

fn read(files: &dyn Files, path: &Path, limit: usize) -> Result<Option<Content>, SourceError> {
    match files.read(path, limit) {
        Ok(None) => Ok(None),
        Ok(Some(bytes)) if bytes.len() > limit => Ok(Some(Content::TooLarge)),
        Ok(Some(bytes)) => Ok(Some(Content::Whole(bytes))),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(Some(Content::TooLarge)),
        Err(source) => Err(SourceError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

fn metadata(
    path: &Path,
    bytes: &[u8],
    platform: &str,
    warnings: &mut Vec<String>,
) -> Result<InstanceMetadata, SourceError> {
    let root = mapping(path, bytes, warnings)?;
    let mut reader = Reader {
        root: &root,
        warnings,
    };

    let id = match reader.text("instance-id")? {
        Some((text, place)) => text
            .trim()
            .parse::<InstanceId>()
            .map_err(|error| written(place.clone(), format!("instance-id: {error}")))?,
        None => DEFAULT_ID.parse().map_err(|source| SourceError::Name {
            item: "instance-id".into(),
            source,
        })?,
    };
    let mut metadata = InstanceMetadata::new(id, platform);
    if let Some((text, place)) = reader.text("local-hostname")? {
        match fields::hostname(&text) {
            Ok(name) => metadata.local_hostname = Some(name),
            Err(error) => reader.warn(place, format_args!("local-hostname: {error}")),
        }
    }
    if let Some((text, place)) = reader.first_text(&["ami-launch-index", "launch-index"])? {
        match text.parse::<LaunchIndex>() {
            Ok(index) => metadata.launch_index = Some(index),
            Err(error) => reader.warn(place, format_args!("launch index: {error}")),
        }
    }
    if let Some((text, place)) = reader.text("local-ipv4")? {
        match text.trim().parse::<IpAddr>() {
            Ok(address) => metadata.addresses.push(address),
            Err(error) => reader.warn(place, format_args!("local-ipv4: {error}")),
        }
    }
    let zones = [
        "availability-zone",
        "availability_zone",
        "placement.availability-zone",
    ];
    metadata.availability_zone = reader.first_text(&zones)?.map(|(text, _)| text);
    metadata.region = reader
        .first_text(&["region", "placement.region"])?
        .map(|(text, _)| text);
    let zone = metadata.availability_zone.as_deref();
    metadata.region = metadata.region.or_else(|| fields::region_of(zone?));
    metadata.partition = reader.text("services.partition")?.map(|(text, _)| text);
    metadata.service_domain = reader.text("services.domain")?.map(|(text, _)| text);
    metadata.reservation_id = reader.text("reservation-id")?.map(|(text, _)| text);
    if let Some(keys) = root.get("public-keys") {
        public_keys(keys, &mut metadata.public_keys, warnings);
    }
    metadata.rest = json!({ META_DATA: root });
    Ok(metadata)
}

/// The mapping that the text is; an empty text is an empty mapping.
fn mapping(path: &Path, bytes: &[u8], warnings: &mut Vec<String>) -> Result<Value, SourceError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        written(end_of(path, good), "not UTF-8 text".to_owned())
    })?;
    let limits = Limits {
        bytes: META_DATA_LIMIT,
        ..Limits::default()
    };
    let document = yaml::parse(text, name(path), &limits).map_err(|error| {
        let mut problem = Problem::error(Some(error.place), error.message);
        problem.hint = error.hint;
        SourceError::Written(problem)
    })?;
    warnings.extend(document.warnings.iter().map(ToString::to_string));
    match document.value.kind {
        Kind::Map(_) | Kind::Null => Ok(document.value),
        other => {
            let message = format!("expected a mapping, found {}", other.name());
            Err(written(document.value.place, message))
        }
    }
}

struct Reader<'a> {
    root: &'a Value,
    warnings: &'a mut Vec<String>,
}

impl<'a> Reader<'a> {
    /// The text at a dotted path, a number taken for its text; null is as if it were not there.
    fn text(&self, path: &str) -> Result<Option<(String, &'a Place)>, SourceError> {
        let found = path
            .split('.')
            .try_fold(self.root, |value, key| value.get(key));
        let Some(value) = found.filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        match value.to_text() {
            Some(text) => Ok(Some((text, &value.place))),
            None => {
                let found = value.kind.name();
                let message = format!("{path}: expected a string, found {found}");
                Err(written(value.place.clone(), message))
            }
        }
    }

    /// The first text that is there.
    fn first_text(&self, paths: &[&str]) -> Result<Option<(String, &'a Place)>, SourceError> {
        for path in paths {
            if let Some(found) = self.text(path)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn warn(&mut self, place: &Place, message: std::fmt::Arguments<'_>) {
        self.warnings
            .push(format!("{place}: {message}; it is ignored"));
    }
}

/// Keys come as a text of lines, as a list of them, or as a mapping from a key's name to either.
fn public_keys(value: &Value, keys: &mut Vec<AuthorizedKey>, warnings: &mut Vec<String>) {
    match &value.kind {
        Kind::Null => {}
        Kind::String(text) => {
            fields::public_keys(
                text,
                &format!("{}: public-keys", value.place),
                keys,
                warnings,
            );
        }
        Kind::List(entries) => entries
            .iter()
            .for_each(|entry| public_keys(entry, keys, warnings)),
        Kind::Map(mapping) => {
            mapping
                .iter()
                .for_each(|(_, entry)| public_keys(entry, keys, warnings));
        }
        other => warnings.push(format!(
            "{}: public-keys: expected a key, found {}; it is ignored",
            value.place,
            other.name()
        )),
    }
}

fn written(place: Place, message: String) -> SourceError {
    SourceError::Written(Problem::error(Some(place), message))
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// The place after the last of these bytes, which are UTF-8.
fn end_of(path: &Path, bytes: &[u8]) -> Place {
    let text = String::from_utf8_lossy(bytes);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let last = text.rsplit('\n').next().unwrap_or("");
    let lines = text.bytes().filter(|byte| *byte == b'\n').count();
    Place::new(
        name(path),
        count(lines + 1),
        count(last.chars().count() + 1),
    )
}

#[cfg(test)]
mod tests;
