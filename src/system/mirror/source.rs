//! Where a mirror's content comes from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::effect::{MirrorSpec, Origin};
use contract::error::EffectError;
use contract::machine::Probe;
use net::s3::{Location, Object, S3Error};

use super::{Item, directory, key, sums};
use crate::host::Host;
use crate::staged::{self, Staged};

/// A list of checksums is never larger.
const SUMS_MAX: u64 = 32 * 1024 * 1024;
/// A list of checksums is waited for no longer.
const SUMS_BUDGET: Duration = Duration::from_mins(10);

/// An origin that can be asked.
pub(super) struct Source<'a> {
    host: &'a Host,
    spec: &'a MirrorSpec,
    kind: Kind,
}

enum Kind {
    Directory(PathBuf),
    Bucket { at: Location, prefix: String },
}

/// A file that has come, and the SHA-256 that the origin keeps of it, in base64.
pub(super) type Fetched = (Staged, Option<String>);

impl<'a> Source<'a> {
    pub(super) fn of(host: &'a Host, spec: &'a MirrorSpec) -> Self {
        let kind = match &spec.origin {
            Origin::Directory(path) => Kind::Directory(path.clone()),
            Origin::S3 {
                bucket,
                prefix,
                endpoint,
                region,
                domain,
                anonymous,
            } => Kind::Bucket {
                at: Location {
                    bucket: bucket.clone(),
                    endpoint: endpoint.clone(),
                    region: region.clone(),
                    domain: domain.clone(),
                    anonymous: *anonymous,
                },
                prefix: prefix.clone(),
            },
        };
        Self { host, spec, kind }
    }

    /// Its files, sorted by path. A name that cannot be a path below the destination refuses all.
    pub(super) fn list(&self, probe: &dyn Probe) -> Result<Vec<Item>, EffectError> {
        let mut items = match &self.kind {
            Kind::Directory(top) => directory::list(self.host, probe, top)?,
            Kind::Bucket { at, prefix } => {
                let objects = self.host.s3.list(at, prefix);
                let objects = objects.map_err(|error| self.cannot_fetch(error))?;
                objects
                    .into_iter()
                    .filter_map(|object| self.item(object, prefix).transpose())
                    .collect::<Result<Vec<_>, _>>()?
            }
        };
        items.sort_by(|one, other| one.path.cmp(&other.path));
        self.no_file_is_a_directory(&items)?;
        Ok(items)
    }

    fn item(&self, object: Object, prefix: &str) -> Result<Option<Item>, EffectError> {
        let Some(path) = object.key.strip_prefix(prefix) else {
            let key = object.key.escape_debug();
            let reason = format!("{} lists `{key}`, which is not in it", self.spec.origin);
            return Err(super::refused(&self.spec.dest, reason));
        };
        // Consoles make such an object for each folder; it holds nothing.
        if object.size == 0 && (path.is_empty() || path.ends_with('/')) {
            return Ok(None);
        }
        if let Some(fault) = key::fault(path) {
            let reason = format!(
                "{}: the key `{}` has {fault}, and cannot be a path below it",
                self.spec.origin,
                object.key.escape_debug()
            );
            return Err(super::refused(&self.spec.dest, reason));
        }
        Ok(Some(Item {
            path: path.to_owned(),
            tag: object.etag,
            size: object.size,
        }))
    }

    /// `a` and `a/b` are both keys of a bucket, and cannot both be files.
    fn no_file_is_a_directory(&self, items: &[Item]) -> Result<(), EffectError> {
        let paths: BTreeSet<&str> = items.iter().map(|item| item.path.as_str()).collect();
        let both = items.iter().find_map(|item| {
            let mut above = Path::new(&item.path).ancestors().skip(1);
            above.find_map(|above| paths.get(above.to_str()?).copied())
        });
        match both {
            None => Ok(()),
            Some(path) => {
                let reason = format!(
                    "{} has `{path}` both as a file and as a folder",
                    self.spec.origin
                );
                Err(super::refused(&self.spec.dest, reason))
            }
        }
    }

    /// Writes files beside their places, each whole, in the order of `items`.
    pub(super) fn fetch(&self, items: &[&Item]) -> Vec<Result<Fetched, EffectError>> {
        match &self.kind {
            Kind::Directory(top) => items
                .iter()
                .map(|item| self.copy(&top.join(&item.path), item))
                .collect(),
            Kind::Bucket { at, prefix } => self.download(at, prefix, items),
        }
    }

    fn stage(&self, item: &Item) -> Result<Staged, EffectError> {
        Staged::create(self.host, &self.spec.dest.join(&item.path))
    }

    fn copy(&self, from: &Path, item: &Item) -> Result<Fetched, EffectError> {
        let mut staged = self.stage(item)?;
        let file = staged::open(self.host, from).map_err(|e| directory::cannot_read(from, e))?;
        let copied = staged.copy(file);
        copied.map_err(|source| EffectError::Write {
            path: staged.path().to_owned(),
            source,
        })?;
        Ok((staged, None))
    }

    fn download(
        &self,
        at: &Location,
        prefix: &str,
        items: &[&Item],
    ) -> Vec<Result<Fetched, EffectError>> {
        let mut wanted = Vec::new();
        for item in items {
            let object = Object {
                key: format!("{prefix}{}", item.path),
                size: item.size,
                etag: item.tag.clone(),
            };
            match self.stage(item) {
                Ok(staged) => wanted.push((object, staged)),
                // What cannot be written is not fetched; nor is what would come after it.
                Err(error) => {
                    let mut got = self.downloaded(at, wanted);
                    got.push(Err(error));
                    return got;
                }
            }
        }
        self.downloaded(at, wanted)
    }

    fn downloaded(
        &self,
        at: &Location,
        wanted: Vec<(Object, Staged)>,
    ) -> Vec<Result<Fetched, EffectError>> {
        let got = self.host.s3.download(at, wanted).into_iter();
        got.map(|(staged, got)| match got {
            Ok(got) => Ok((staged, got.sha256)),
            Err(S3Error::Sink { source, .. }) => Err(EffectError::Write {
                path: staged.path().to_owned(),
                source,
            }),
            Err(error) => Err(self.cannot_fetch(error)),
        })
        .collect()
    }

    /// The text of the list of checksums.
    pub(super) fn sums(&self) -> Result<Vec<u8>, EffectError> {
        match &self.kind {
            Kind::Directory(top) => {
                let path = top.join(sums::NAME);
                let read = self.host.read_up_to(&path, SUMS_MAX);
                read.map_err(|source| directory::cannot_read(&path, source))
            }
            Kind::Bucket { at, prefix } => {
                let key = format!("{prefix}{}", sums::NAME);
                let text = self.host.s3.get(at, &key, SUMS_MAX, SUMS_BUDGET);
                text.map(contract::secret::Secret::into_inner)
                    .map_err(|error| self.cannot_fetch(error))
            }
        }
    }

    fn cannot_fetch(&self, error: S3Error) -> EffectError {
        EffectError::Fetch {
            what: self.spec.origin.to_string(),
            transient: error.is_transient(),
            source: Box::new(error),
        }
    }
}
