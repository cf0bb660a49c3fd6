//! Why a request got no answer.

use std::io;
use std::time::Duration;

use super::tls::TlsError;
use super::url::NotAUrl;

/// Why a request got no answer. Addresses are shown without their query string.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
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
}

impl HttpError {
    /// Whether the same request may succeed later.
    pub(crate) const fn is_transient(&self) -> bool {
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

/// An error of hyper about `url`; a connection that ended too early has a name of its own.
pub(super) fn broken(url: &str, source: hyper::Error) -> HttpError {
    let url = url.to_owned();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&source);
    let mut cut = source.is_incomplete_message();
    while let Some(error) = cause {
        cut |= error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof);
        cause = error.source();
    }
    if cut {
        HttpError::Truncated { url }
    } else {
        HttpError::Transport { url, source }
    }
}
