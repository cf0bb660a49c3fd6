//! Why the metadata service gave no answer.

use std::time::Duration;

/// Why the service gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ImdsError {
    /// It is switched off for this instance: a token was refused with 403.
    #[error("IMDS is disabled")]
    Disabled,
    /// An address that is none.
    #[error("`{0}` is not `http://HOST` or `http://HOST:PORT`")]
    Endpoint(String),
    /// The budget is over.
    #[error("no answer within {seconds} s; at last {last}")]
    Deadline {
        /// The budget.
        seconds: u64,
        /// What went wrong last.
        last: String,
    },
    /// One item was asked for as often as it may be.
    #[error("{item}: no answer in {tries} tries; at last {last}")]
    Tries {
        /// The item asked for.
        item: String,
        /// How often.
        tries: u32,
        /// What went wrong last.
        last: String,
    },
    /// It answered with a status that ends the matter.
    #[error("{item} was answered with status {status}")]
    Status {
        /// The item asked for.
        item: String,
        /// The status.
        status: u16,
    },
    /// An answer was longer than anything that IMDS keeps.
    #[error("{item} is larger than 64 KiB")]
    TooLarge {
        /// The item asked for.
        item: String,
    },
    /// The client could not be made.
    #[error("cannot start the network client: {0}")]
    Start(String),
}

/// How one request ended, short of an answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Ask again, after this pause if one was asked for.
    Again(String, Option<Duration>),
    /// There was no connection: ask again when the network has changed.
    Unreachable(String),
    /// The session has ended: a new token, and again.
    Session,
    /// It is of no use.
    Final(ImdsError),
}
