//! Bytes from elsewhere: what an address that user data or configuration names holds.

use std::time::Duration;

use crate::error::ErrorClass;
use crate::secret::Secret;

/// What to fetch, and within which limits.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// `https://HOST/PATH`, `http://`, `s3://BUCKET/KEY` or `file:///PATH`. Its query string may
    /// be a secret: show it with [`shown`] only.
    pub url: &'a str,
    /// Sent with the request, each a name and a value; over HTTP only.
    pub headers: &'a [(String, Secret<String>)],
    /// A longer answer is an error, never cut off.
    pub max_bytes: usize,
    /// How long one try may take, from its beginning to the last byte.
    pub timeout: Duration,
    /// How many tries there are at most: 1 is no second one.
    pub tries: u32,
    /// The pause between two tries.
    pub pause: Duration,
}

impl Wanted<'_> {
    /// How long all tries together may take, with the pauses between them.
    #[must_use]
    pub fn budget(&self) -> Duration {
        let tries = self.timeout.saturating_mul(self.tries.max(1));
        let pauses = self.pause.saturating_mul(self.tries.saturating_sub(1));
        tries.saturating_add(pauses)
    }
}

/// Whoever can get what an address holds.
pub trait Fetch {
    /// Whether it is an address that could be fetched here; nothing is sent.
    ///
    /// # Errors
    /// [`FetchError::Address`] with what is wrong with it.
    fn check(&self, url: &str) -> Result<(), FetchError>;

    /// The bytes that the address holds. They may be somebody's user data, so they are secret.
    ///
    /// # Errors
    /// After the last try, with what went wrong at it, and no later than [`Wanted::budget`].
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Secret<Vec<u8>>, FetchError>;
}

/// Why an address gave nothing. No message holds a query string, a header or a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// An address that nobody here can fetch.
    #[error("{url}: {reason}")]
    Address {
        /// As it may be shown.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It was answered with a status that is no success.
    #[error("{url} was answered with status {status}")]
    Status {
        /// As it may be shown.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer was too long.
    #[error("{url} holds more than {limit} bytes")]
    TooLarge {
        /// As it may be shown.
        url: String,
        /// The most that was wanted.
        limit: usize,
    },
    /// There was no whole answer.
    #[error("cannot fetch {url}: {reason}")]
    Failed {
        /// As it may be shown.
        url: String,
        /// The chain of causes.
        reason: String,
    },
}

impl FetchError {
    /// Who can mend it.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Address { .. } | Self::TooLarge { .. } => ErrorClass::Config,
            Self::Status { status, .. } if *status < 500 && *status != 429 => ErrorClass::Config,
            Self::Status { .. } | Self::Failed { .. } => ErrorClass::Transient,
        }
    }
}

/// An address without its user name, password, query string and fragment, any of which may be a
/// secret: a presigned one carries its signature there.
#[must_use]
pub fn shown(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let url = url.get(..end).unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_of_an_address_is_shown() {
        #[rustfmt::skip]
        let table = [
            ("https://b.s3.amazonaws.com/k?X-Amz-Signature=abc", "https://b.s3.amazonaws.com/k"),
            ("https://me:pw@example.com/x#frag",                 "https://example.com/x"),
            ("https://a@b@example.com",                          "https://example.com"),
            ("s3://bucket/a/b@c",                                "s3://bucket/a/b@c"),
            ("http://example.com?token=1/2",                     "http://example.com"),
            ("nonsense?x",                                       "nonsense"),
        ];
        for (url, safe) in table {
            assert_eq!(shown(url), safe);
        }
    }
}
