//! Why a request got no answer.

use std::io;
use std::time::Duration;

use crate::tls::TlsError;
use crate::url::NotAUrl;

/// Why a request got no answer. Addresses are shown without their query string.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The runtime that drives the network could not be made.
    #[error("cannot start the network runtime")]
    Runtime(#[source] io::Error),
    /// The text is no address to fetch from.
    #[error("the address cannot be used")]
    Url(#[from] NotAUrl),
    /// A header that HTTP cannot carry.
    #[error("the value of the header `{name}` cannot be sent")]
    Header {
        /// Its name.
        name: String,
    },
    /// The host has no address.
    #[error("cannot resolve `{host}`")]
    Resolve {
        /// The host.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// No connection.
    #[error("cannot connect to {origin}")]
    Connect {
        /// Scheme, host and port.
        origin: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// No TLS connection.
    #[error("cannot speak tls with {origin}")]
    Tls {
        /// Scheme, host and port.
        origin: String,
        /// What went wrong.
        source: TlsError,
    },
    /// It took too long.
    #[error("{url}: {phase} took longer than {} ms", limit.as_millis())]
    Timeout {
        /// The address.
        url: String,
        /// What was waited for.
        phase: &'static str,
        /// The limit that was passed.
        limit: Duration,
    },
    /// The answer is longer than what is accepted.
    #[error("{url}: the answer is longer than {limit} bytes")]
    TooLarge {
        /// The address.
        url: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The connection ended before the answer did.
    #[error("{url}: the answer was cut short")]
    Truncated {
        /// The address.
        url: String,
    },
    /// The connection broke, or what came is not HTTP.
    #[error("{url}: the connection failed")]
    Transport {
        /// The address.
        url: String,
        /// What hyper said.
        source: hyper::Error,
    },
    /// Whoever takes the bytes could not.
    #[error("{url}: the answer could not be stored")]
    Sink {
        /// The address.
        url: String,
        /// What the kernel said.
        source: io::Error,
    },
}

impl HttpError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Resolve { .. }
                | Self::Connect { .. }
                | Self::Timeout { .. }
                | Self::Truncated { .. }
                | Self::Transport { .. }
        )
    }
}
