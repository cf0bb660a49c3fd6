//! User data in a file, understood as on an instance: no cloud, no root, nothing changed.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use contract::instance::{InstanceMetadata, LaunchIndex};
use contract::plan::Problem;
use contract::user_data::{UserData, VendorData};
use engine::image::Image;
use engine::settings::Settings;
use engine::{Prepared, Surroundings};
use system::Host;

use crate::fetch::Addresses;
use crate::session::Target;

/// More of a file is not read: what is too large for user data is told of anyway.
const MAX_FILE: u64 = 1 << 20;

/// The id of an instance that is only assumed.
const ASSUMED: &str = "i-assumed";

/// A file with user data, and the instance that it is read for.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Offline {
    /// Take the user data from this file instead of from this machine's boot. Image configuration
    /// counts only with a --root.
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    pub(crate) file: Option<PathBuf>,
    /// Read it as the instance with this launch index would.
    #[arg(long, value_name = "N", requires = "file")]
    pub(crate) launch_index: Option<u32>,
    /// Read it as the instance with this metadata would: YAML or JSON, as a seed's meta-data.
    #[arg(long, value_name = "FILE", requires = "file")]
    pub(crate) metadata: Option<PathBuf>,
}

impl Offline {
    /// What the file says to that instance.
    ///
    /// # Errors
    /// When a file cannot be read, or the metadata is none.
    pub(crate) fn prepare(&self, file: &Path, target: &Target) -> anyhow::Result<Prepared> {
        let bytes = read(file)?;
        let (metadata, warnings) = self.metadata()?;
        let image = image(target)?;
        let (settings, mut problems) = Settings::of(&image.config);
        let user_data = UserData::new(bytes);
        let around = Surroundings::known_by(&Addresses);
        let mut prepared = engine::prepare_with(
            &around,
            &image,
            &settings,
            &metadata,
            &user_data,
            &VendorData::default(),
        );
        problems.extend(image.problems);
        problems.extend(warnings.into_iter().map(|odd| Problem::warning(None, odd)));
        problems.append(&mut prepared.problems);
        prepared.problems = problems;
        Ok(prepared)
    }

    fn metadata(&self) -> anyhow::Result<(InstanceMetadata, Vec<String>)> {
        let (mut metadata, warnings) = match &self.metadata {
            Some(path) => datasources::metadata_file(path)?,
            None => (InstanceMetadata::new(ASSUMED.parse()?, "file"), Vec::new()),
        };
        if let Some(index) = self.launch_index {
            metadata.launch_index = Some(LaunchIndex(index));
        }
        Ok((metadata, warnings))
    }
}

/// What an image below a root says; this machine's own does not count.
fn image(target: &Target) -> anyhow::Result<Image> {
    if target.root == Path::new("/") {
        return Ok(Image::default());
    }
    let opened = Host::new(&target.root);
    let host = opened.with_context(|| format!("cannot open {}", target.root.display()))?;
    Ok(engine::image::load(&host))
}

/// A whole file; `-` is the standard input.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(MAX_FILE).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}
