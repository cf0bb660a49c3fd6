//! Where an instance's metadata and user data come from.

use std::io;
use std::path::PathBuf;

use crate::config::Config;
use crate::error::ErrorClass;
use crate::instance::InstanceMetadata;
use crate::machine::Probe;
use crate::name::BadName;
use crate::plan::Problem;
use crate::user_data::{UserData, VendorData};

/// What a data source may know before the instance is known.
pub struct SourceContext<'a> {
    /// The machine's eyes.
    pub probe: &'a dyn Probe,
    /// The image's configuration: its `datasource` key has a mapping for each data source.
    pub config: &'a Config,
}

/// A place that tells who this machine is.
pub trait Datasource: Sync {
    /// As cloud-init's `datasource_list` spells it: `Ec2`, `NoCloud`.
    fn name(&self) -> &'static str;

    /// Whether this is its machine: milliseconds, no packet.
    fn detect(&self, ctx: &SourceContext<'_>) -> Detection;

    /// What of the image, and not of its hardware, names it as this machine's: where something does,
    /// a container is configured as well.
    fn named(&self, _: &SourceContext<'_>) -> Option<String> {
        None
    }

    /// Everything that the boot needs. May wait for the network, never beyond its budget.
    ///
    /// # Errors
    /// When the source is there and does not answer as it should.
    fn fetch(&self, ctx: &SourceContext<'_>) -> Result<Found, SourceError>;
}

/// Whether a data source is responsible for this machine, with the evidence, for `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detection {
    /// It is.
    Yes(String),
    /// It is not.
    No(String),
}

/// What a data source gave.
#[derive(Debug, Clone)]
pub struct Found {
    /// Who this machine is.
    pub metadata: InstanceMetadata,
    /// What its owner said at launch; empty if nothing.
    pub user_data: UserData,
    /// What the cloud's vendor said.
    pub vendor_data: VendorData,
    /// What was odd and could be got over: never secret.
    pub warnings: Vec<String>,
    /// What could not be had and will be missed, such as the launch keys, and what to do: the
    /// status is error. Never secret.
    pub errors: Vec<String>,
}

impl Found {
    /// What was odd, and what could not be had.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let warnings = self.warnings.iter();
        let warnings = warnings.map(|warning| Problem::warning(None, warning));
        let errors = self.errors.iter();
        let errors = errors.map(|error| Problem::error(None, error));
        warnings.chain(errors).collect()
    }
}

/// Why a data source did not answer as it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file that must be there is not.
    #[error("there is no {} ({hint})", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What to do about it.
        hint: &'static str,
    },
    /// What is written in a file cannot be used.
    #[error("{0}")]
    Written(Problem),
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Its own settings in the image's configuration are wrong.
    #[error("{0}")]
    Settings(String),
    /// The metadata service is switched off for this instance.
    #[error(
        "IMDS is disabled for this instance; switch it on with `aws ec2 modify-instance-metadata-options --http-endpoint enabled`"
    )]
    Disabled,
    /// It did not answer in time.
    #[error("{what} did not answer within {seconds} s")]
    Deadline {
        /// `the instance metadata service`.
        what: &'static str,
        /// The budget, in seconds.
        seconds: u64,
        /// The last thing that went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It answered something that cannot be.
    #[error("{item} {reason}")]
    Answer {
        /// The item asked for: `meta-data/instance-id`.
        item: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// It answered more than it may.
    #[error("{item} is larger than {} KiB", limit >> 10)]
    TooLarge {
        /// The item asked for.
        item: String,
        /// In bytes.
        limit: usize,
    },
    /// A request failed for good.
    #[error("cannot get {item}")]
    Fetch {
        /// The item asked for.
        item: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A name that the source gave cannot be used.
    #[error("{item} cannot be used")]
    Name {
        /// The item it stood in.
        item: String,
        /// What is wrong with it.
        source: BadName,
    },
}

impl SourceError {
    /// Who can mend it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Missing { .. } | Self::Written(_) | Self::Settings(_) | Self::Disabled => {
                ErrorClass::Config
            }
            Self::Read { .. } => ErrorClass::Machine,
            Self::Deadline { .. }
            | Self::Answer { .. }
            | Self::TooLarge { .. }
            | Self::Fetch { .. }
            | Self::Name { .. } => ErrorClass::Transient,
        }
    }
}
