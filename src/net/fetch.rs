//! Fetches what an address names: `http`, `https`, and `s3` with the role of the instance; and sends
//! forms.

use std::time::Duration;

use contract::error::chain;
use contract::fetch::{Fetch, FetchError, Wanted, shown};
use contract::secret::Secret;
use tokio::time::{Instant, sleep, timeout};

use crate::http::{
    Client, HttpError, Limits, Method, Request, Response, StatusCode, Url, retry_after,
};
use crate::runtime::block_on;
use crate::s3::{Location, S3, S3Error};

/// A chain of redirects that is longer leads nowhere.
const REDIRECTS: usize = 5;
/// Nobody is waited for longer, whatever it asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

const FORM: &str = "application/x-www-form-urlencoded";

/// Whoever fetches over the network. Nothing is sent before it is used.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: Client,
    s3: S3,
    region: Option<String>,
    domain: Option<String>,
}

/// Why a try gave nothing.
enum Failure {
    Final(FetchError),
    Again(FetchError, Option<Duration>),
}

impl Fetcher {
    /// `s3` is for addresses of S3, asked first in `region` (the instance's own) under the DNS
    /// suffix `domain`.
    #[must_use]
    pub fn new(s3: S3, region: Option<String>, domain: Option<String>) -> Self {
        Self {
            client: Client::default(),
            s3,
            region,
            domain,
        }
    }

    fn object(&self, wanted: &Wanted<'_>, address: &str) -> Result<Secret<Vec<u8>>, FetchError> {
        let (bucket, key) = bucket_and_key(wanted.url, address)?;
        let at = Location {
            bucket: bucket.to_owned(),
            region: self.region.clone(),
            domain: self.domain.clone(),
            ..Location::default()
        };
        let limit = u64::try_from(wanted.max_bytes).unwrap_or(u64::MAX);
        let got = self.s3.get(&at, key, limit, wanted.budget());
        got.map_err(|error| match error {
            S3Error::TooLarge { .. } => too_large(wanted),
            other => FetchError::Failed {
                url: shown(wanted.url),
                reason: chain(&other),
            },
        })
    }

    /// Sends a form as `application/x-www-form-urlencoded` over HTTP, until somebody takes it or there
    /// is no try left. What is answered is not looked at, but it counts against the limits.
    ///
    /// # Errors
    /// As [`Fetch::fetch`].
    pub fn post(&self, wanted: &Wanted<'_>, form: &[(String, String)]) -> Result<(), FetchError> {
        self.check(wanted.url)?;
        if wanted.url.starts_with("s3://") {
            return Err(bad(
                wanted.url,
                "forms go to `https://` or `http://`".to_owned(),
            ));
        }
        let form = encoded(form);
        let sent = block_on(self.http(wanted, Some(form.as_bytes())));
        let sent = sent.map_err(|error| FetchError::Failed {
            url: shown(wanted.url),
            reason: error.to_string(),
        });
        sent?.map(drop)
    }

    async fn http(
        &self,
        wanted: &Wanted<'_>,
        form: Option<&[u8]>,
    ) -> Result<Secret<Vec<u8>>, FetchError> {
        let end = Instant::now() + wanted.budget();
        let mut turn = 0;
        loop {
            turn += 1;
            let left = end.saturating_duration_since(Instant::now());
            let tried = timeout(wanted.timeout.min(left), self.attempt(wanted, form)).await;
            let late = || FetchError::Failed {
                url: shown(wanted.url),
                reason: format!("no whole answer within {} s", wanted.timeout.as_secs_f64()),
            };
            let (error, asked) = match tried {
                Ok(Ok(body)) => return Ok(body),
                // Whoever a form is for may not be there yet.
                Ok(Err(Failure::Final(error @ FetchError::Status { .. }))) if form.is_some() => {
                    (error, None)
                }
                Ok(Err(Failure::Final(error))) => return Err(error),
                Ok(Err(Failure::Again(error, asked))) => (error, asked),
                Err(_) => (late(), None),
            };
            let pause = asked.unwrap_or(wanted.pause).min(LONGEST_PAUSE);
            // A server that asks for more time than there is gets none.
            if turn >= wanted.tries || Instant::now() + pause >= end {
                return Err(error);
            }
            sleep(pause).await;
        }
    }

    async fn attempt(
        &self,
        wanted: &Wanted<'_>,
        mut form: Option<&[u8]>,
    ) -> Result<Secret<Vec<u8>>, Failure> {
        let address = |reason: String| {
            Failure::Final(FetchError::Address {
                url: shown(wanted.url),
                reason,
            })
        };
        let mut url: Url = wanted.url.parse().map_err(|error| address(chain(&error)))?;
        let mut headers = wanted.headers;
        let deadline = Instant::now() + wanted.timeout;
        for _ in 0..=REDIRECTS {
            let mut request = match form {
                Some(form) => Request::new(Method::POST, url.clone()).body(form),
                None => Request::new(Method::GET, url.clone()),
            };
            if form.is_some() {
                let with = request.header("content-type", FORM);
                request = with.map_err(|error| address(chain(&error)))?;
            }
            for (name, value) in headers {
                let with = request.header(name, value.expose());
                request = with.map_err(|error| address(chain(&error)))?;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.client.fetch(&request, &limits(wanted, left)).await;
            let answer = answer.map_err(|error| failure(wanted, &error))?;
            let Some(next) = redirect(&answer) else {
                return body(wanted, answer);
            };
            let next = url
                .join(&next)
                .map_err(|error| address(format!("redirected: {error}")))?;
            if url.is_https() && !next.is_https() {
                return Err(address("it redirects from https to http".to_owned()));
            }
            // What was meant for one server is not for another one.
            if !next.is_same_origin(&url) {
                headers = &[];
            }
            // Only these say that the same is to be done elsewhere (RFC 9110, 15.4).
            if ![307, 308].contains(&answer.status.as_u16()) {
                form = None;
            }
            url = next;
        }
        Err(address(format!("it redirects more than {REDIRECTS} times")))
    }
}

impl Fetch for Fetcher {
    fn check(&self, url: &str) -> Result<(), FetchError> {
        match url.split_once("://") {
            Some(("http" | "https", _)) => match url.parse::<Url>() {
                Ok(_) => Ok(()),
                Err(error) => Err(bad(url, chain(&error))),
            },
            Some(("s3", rest)) => bucket_and_key(url, rest).map(drop),
            _ => Err(unknown(url)),
        }
    }

    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Secret<Vec<u8>>, FetchError> {
        match wanted.url.split_once("://") {
            Some(("http" | "https", _)) => {
                block_on(self.http(wanted, None)).map_err(|error| FetchError::Failed {
                    url: shown(wanted.url),
                    reason: error.to_string(),
                })?
            }
            Some(("s3", rest)) => self.object(wanted, rest),
            _ => Err(unknown(wanted.url)),
        }
    }
}

/// A form's fields as its media type has them (<https://url.spec.whatwg.org/#urlencoded-serializing>).
fn encoded(form: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, value) in form {
        if !text.is_empty() {
            text.push('&');
        }
        for (before, word) in [("", name), ("=", value)] {
            text.push_str(before);
            for byte in word.bytes() {
                match byte {
                    b' ' => text.push('+'),
                    b'*' | b'-' | b'.' | b'_' => text.push(char::from(byte)),
                    byte if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
                    byte => text.push_str(&format!("%{byte:02X}")),
                }
            }
        }
    }
    text
}

/// What `s3://` in `url` is followed by.
fn bucket_and_key<'a>(url: &str, address: &'a str) -> Result<(&'a str, &'a str), FetchError> {
    let parts = address.split_once('/');
    let named = |(bucket, key): &(&str, &str)| !bucket.is_empty() && !key.is_empty();
    parts
        .filter(named)
        .ok_or_else(|| bad(url, "expected `s3://BUCKET/KEY`".to_owned()))
}

fn unknown(url: &str) -> FetchError {
    let reason = "expected an address of `https://`, `http://` or `s3://`";
    bad(url, reason.to_owned())
}

fn bad(url: &str, reason: String) -> FetchError {
    let url = shown(url);
    FetchError::Address { url, reason }
}

fn limits(wanted: &Wanted<'_>, left: Duration) -> Limits {
    Limits {
        connect: left,
        first_byte: left,
        idle: left,
        total: left,
        body: u64::try_from(wanted.max_bytes).unwrap_or(u64::MAX),
    }
}

/// Where an answer sends one to.
fn redirect(answer: &Response) -> Option<String> {
    let moved = [301, 302, 303, 307, 308].contains(&answer.status.as_u16());
    let location = answer.headers.get("location").filter(|_| moved)?;
    location.to_str().ok().map(str::to_owned)
}

fn body(wanted: &Wanted<'_>, answer: Response) -> Result<Secret<Vec<u8>>, Failure> {
    let status = answer.status;
    if status.is_success() {
        return Ok(answer.body);
    }
    let error = FetchError::Status {
        url: shown(wanted.url),
        status: status.as_u16(),
    };
    let again = status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    Err(if again {
        Failure::Again(error, retry_after(&answer.headers))
    } else {
        Failure::Final(error)
    })
}

fn failure(wanted: &Wanted<'_>, error: &HttpError) -> Failure {
    if matches!(error, HttpError::TooLarge { .. }) {
        return Failure::Final(too_large(wanted));
    }
    let failed = FetchError::Failed {
        url: shown(wanted.url),
        reason: chain(error),
    };
    if error.is_transient() {
        Failure::Again(failed, None)
    } else {
        Failure::Final(failed)
    }
}

fn too_large(wanted: &Wanted<'_>) -> FetchError {
    FetchError::TooLarge {
        url: shown(wanted.url),
        limit: wanted.max_bytes,
    }
}

#[cfg(test)]
mod tests;
