//! A seed: metadata and user data in a directory of the host, to try firstlight with no cloud.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use contract::datasource::{Datasource, Detection, Found, SourceContext, SourceError};
use contract::instance::InstanceMetadata;

use crate::layout::{self, Files};

/// Of cloud-init's sources OpenStack's alone give it, and neither EC2's nor `NoCloud`. A seed has it
/// so that vendor data of such a cloud can be tried.
const VENDOR_DATA2: &str = "vendor-data2";

/// The data source of `--seed DIR`: `NoCloud`'s layout in a directory of the host, whatever root
/// is worked on.
#[derive(Debug, Clone)]
pub struct Seed {
    dir: PathBuf,
}

impl Seed {
    /// The seed in `dir`: `meta-data`, and optionally `user-data`, `vendor-data` and `vendor-data2`.
    #[must_use]
    pub const fn new(dir: PathBuf) -> Self {
        Self { dir }
    }
}

impl Datasource for Seed {
    fn name(&self) -> &'static str {
        "Seed"
    }

    fn detect(&self, _: &SourceContext<'_>) -> Detection {
        let file = self.dir.join(layout::META_DATA);
        if file.exists() {
            Detection::Yes(format!("{} is there", file.display()))
        } else {
            Detection::No(format!("there is no {}", file.display()))
        }
    }

    fn fetch(&self, _: &SourceContext<'_>) -> Result<Found, SourceError> {
        let mut found = layout::fetch(&self.dir, &HostFiles, "seed")?;
        let errors = &mut found.errors;
        found.vendor_data.second = layout::data(&self.dir, VENDOR_DATA2, &HostFiles, errors)?;
        Ok(found)
    }
}

/// Reads a file of the host as the `meta-data` of a seed, and what was odd in it.
///
/// # Errors
/// When it is not there, cannot be read, or is not a YAML or JSON mapping.
pub fn metadata_file(path: &Path) -> Result<(InstanceMetadata, Vec<String>), SourceError> {
    layout::metadata_file(path, &HostFiles, "file")
}

struct HostFiles;

impl Files for HostFiles {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Option<Vec<u8>>> {
        // A pipe would keep us waiting, and a directory opens well and fails to read.
        let meta = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        if !meta.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, config};

    use super::*;

    #[test]
    fn a_directory_of_the_host_is_read_and_what_is_no_file_in_it_refused() {
        let name = format!("firstlight-seed-{}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(dir.join("user-data")).unwrap();
        let (probe, config) = (FakeMachine::default(), config(""));
        let ctx = SourceContext {
            probe: &probe,
            config: &config,
        };
        let seed = Seed::new(dir.clone());

        assert!(matches!(seed.detect(&ctx), Detection::No(_)));
        assert!(matches!(seed.fetch(&ctx), Err(SourceError::Missing { .. })));

        fs::write(dir.join("meta-data"), "instance-id: i-one\n").unwrap();
        assert!(matches!(seed.detect(&ctx), Detection::Yes(_)));
        let error = seed.fetch(&ctx).unwrap_err();
        assert!(error.to_string().ends_with("/user-data"), "{error}");

        fs::remove_dir(dir.join("user-data")).unwrap();
        fs::write(dir.join("user-data"), "bucket=acme-site").unwrap();
        fs::write(dir.join("vendor-data2"), "#cloud-config").unwrap();
        let found = seed.fetch(&ctx).unwrap();
        assert_eq!(found.metadata.instance_id.as_str(), "i-one");
        assert_eq!(found.metadata.platform, "seed");
        assert_eq!(found.user_data.bytes(), b"bucket=acme-site");
        let second = found.vendor_data.second.unwrap();
        assert_eq!(second.bytes(), b"#cloud-config");
        fs::remove_dir_all(dir).unwrap();
    }
}
