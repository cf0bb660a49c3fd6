//! Why S3 gave nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::imds::ImdsError;

use super::list::BadXml;

/// Why S3 gave nothing. No message holds a header, a query string or a credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum S3Error {
    /// The configuration names an endpoint that is none.
    #[error("`{0}` is not `https://HOST` or `http://HOST:PORT`")]
    Endpoint(String),
    /// There is no bucket of this name.
    #[error("there is no bucket `{bucket}`")]
    NoSuchBucket {
        /// Its name.
        bucket: String,
    },
    /// There is no object of this key.
    #[error("bucket `{bucket}` has no object `{key}`")]
    NoSuchKey {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// The credentials do not allow it.
    #[error("{what}: access denied ({code}); {hint}")]
    Denied {
        /// `list s3://bucket/prefix`
        what: String,
        /// S3's name of the error: `AccessDenied`.
        code: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// The object is not the one that was listed.
    #[error("object `{key}` changed while it was read")]
    Changed {
        /// Its key.
        key: String,
    },
    /// The machine's clock is wrong, so that no signature is accepted.
    #[error("S3 refuses signatures of this machine's clock, which is more than 15 minutes wrong")]
    Clock,
    /// Another answer that is no success.
    #[error("{what} was answered with status {status} {code}")]
    Status {
        /// `get s3://bucket/key`
        what: String,
        /// The HTTP status.
        status: u16,
        /// S3's name of the error, empty if it gave none.
        code: String,
    },
    /// There was no whole answer.
    #[error("{what}")]
    Network {
        /// `list s3://bucket/prefix`
        what: String,
        /// What went wrong at the last try.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The budget is over.
    #[error("{what}: no whole answer within {} s", budget.as_secs_f64())]
    Deadline {
        /// `get s3://bucket/key`
        what: String,
        /// The budget.
        budget: Duration,
    },
    /// The answer is not what S3 answers.
    #[error("{what}")]
    Answer {
        /// `list s3://bucket/prefix`
        what: String,
        /// What is wrong with it.
        source: BadXml,
    },
    /// More objects than can be kept.
    #[error("s3://{bucket}/{prefix} has more than {most} objects")]
    TooMany {
        /// The bucket.
        bucket: String,
        /// The prefix.
        prefix: String,
        /// The limit.
        most: usize,
    },
    /// An object that is larger than what may be taken.
    #[error("object `{key}` is larger than {limit} bytes")]
    TooLarge {
        /// Its key.
        key: String,
        /// The limit.
        limit: u64,
    },
    /// This machine has no metadata service that is known to be its own.
    #[error(
        "there are no credentials: this machine is not known to be an EC2 instance (say `anonymous: true` for what everybody may read)"
    )]
    NoSource,
    /// The instance has no role.
    #[error(
        "there are no credentials: this instance has no role (attach an instance profile, or say `anonymous: true` for what everybody may read)"
    )]
    NoRole,
    /// The metadata service gave no credentials.
    #[error("cannot get the role's credentials")]
    Imds(#[source] ImdsError),
    /// What the metadata service gave are no credentials.
    #[error("the metadata service's answer about the role `{role}` are no credentials: {reason}")]
    BadCredentials {
        /// The role.
        role: String,
        /// What is wrong: never a value.
        reason: String,
    },
    /// Whoever takes the bytes could not.
    #[error("cannot store object `{key}`")]
    Sink {
        /// Its key.
        key: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The runtime that drives the network could not be made.
    #[error("cannot start the network runtime")]
    Runtime(#[source] io::Error),
    /// The same for several objects.
    #[error(transparent)]
    Shared(Arc<S3Error>),
}

impl S3Error {
    /// Whether the same may succeed later, with nothing changed by anybody.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Network { .. }
            | Self::Deadline { .. }
            | Self::Changed { .. }
            | Self::Imds(_)
            | Self::Runtime(_) => true,
            Self::Status { status, .. } => *status >= 500 || *status == 429,
            Self::Shared(error) => error.is_transient(),
            _ => false,
        }
    }
}
