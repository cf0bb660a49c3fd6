//! An answer whose body is still to come.

use std::time::Duration;

use contract::secret::Secret;
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use tokio::time::{Instant, timeout_at};

use super::error::{self, HttpError};
use super::url::Url;
use super::{Client, Limits, Response, Sender};

/// Status and headers are there; the body comes piece by piece.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(super) url: Url,
    pub(super) body: Incoming,
    pub(super) taken: u64,
    pub(super) limits: Limits,
    pub(super) deadline: Instant,
    pub(super) sender: Option<Sender>,
    pub(super) client: Client,
}

impl Reply {
    /// A header's value as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The next piece of the body; `None` when all of it has come.
    ///
    /// # Errors
    /// A body that is cut short, too long or too slow.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        loop {
            let until = self.deadline.min(Instant::now() + self.limits.idle);
            let Ok(frame) = timeout_at(until, self.body.frame()).await else {
                return Err(self.late(until));
            };
            match frame {
                None => {
                    if let Some(sender) = self.sender.take() {
                        self.client.keep(self.url.origin().clone(), sender);
                    }
                    return Ok(None);
                }
                Some(Err(source)) => return Err(error::broken(&self.url.to_string(), source)),
                Some(Ok(frame)) => {
                    // Trailers say nothing that is wanted here.
                    let Ok(piece) = frame.into_data() else {
                        continue;
                    };
                    let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
                    self.taken = self.taken.saturating_add(length);
                    if self.taken > self.limits.body {
                        return Err(HttpError::TooLarge {
                            url: self.url.to_string(),
                            limit: self.limits.body,
                        });
                    }
                    return Ok(Some(piece));
                }
            }
        }
    }

    /// The rest of the body, whole.
    ///
    /// # Errors
    /// As [`Reply::chunk`].
    pub(crate) async fn whole(mut self) -> Result<Response, HttpError> {
        let mut body = Vec::new();
        while let Some(piece) = self.chunk().await? {
            body.extend_from_slice(&piece);
        }
        Ok(Response {
            status: self.status,
            headers: self.headers,
            body: Secret::new(body),
        })
    }

    fn late(&self, until: Instant) -> HttpError {
        let (phase, limit) = if until == self.deadline {
            ("the request", self.limits.total)
        } else {
            ("the next piece of the answer", self.limits.idle)
        };
        HttpError::Timeout {
            url: self.url.to_string(),
            phase,
            limit,
        }
    }
}

/// How long the server asks to wait: `Retry-After` in whole seconds (RFC 9110, 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get("retry-after")?.to_str().ok()?;
    Some(Duration::from_secs(seconds.trim().parse().ok()?))
}
