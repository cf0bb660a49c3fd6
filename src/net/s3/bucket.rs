//! Requests to one bucket: signed, sent to the right region, tried again where that helps.

use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

use contract::secret::Secret;
use tokio::time::sleep;

use super::credentials::Keys;
use super::sign::{self, Unsigned};
use super::{Location, OBJECTS_MAX, Object, S3, S3Error, list};
use crate::http::{HttpError, Limits, Method, Reply, Request, StatusCode, Url, retry_after};

/// How often one request is sent at most.
pub(super) const TRIES: u32 = 5;
/// The first pause between two tries; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// Nobody is waited for longer, whatever it asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// A page of a list has 1000 objects with keys of 1 KiB at most, and what XML adds to them.
const PAGE_LIMIT: u64 = 8 * 1024 * 1024;
/// Where S3 answers for buckets of every region, if only to name theirs.
const FIRST_REGION: &str = "us-east-1";

/// How long an answer may take. What is large takes long: only its standstill is limited.
pub(super) const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    first_byte: Duration::from_secs(30),
    idle: Duration::from_secs(30),
    total: Duration::from_secs(6 * 3600),
    body: u64::MAX,
};

/// One bucket, as it is asked.
pub(super) struct Bucket {
    s3: S3,
    at: Location,
    endpoint: Option<Url>,
}

/// What is asked of a bucket.
pub(super) struct Ask<'a> {
    /// For errors: `get s3://bucket/key`.
    pub(super) what: String,
    /// Empty for the bucket itself.
    pub(super) key: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) limits: Limits,
}

/// Why a try gave nothing.
enum Failure {
    Final(S3Error),
    /// Send it again at once, changed by what was learnt; else this is the error.
    Learnt(S3Error),
    Again(S3Error, Option<Duration>),
}

impl Bucket {
    pub(super) fn of(s3: &S3, at: &Location) -> Result<Self, S3Error> {
        let parse = |text: &String| {
            let url: Option<Url> = text.trim_end_matches('/').parse().ok();
            url.filter(Url::is_bare)
                .ok_or_else(|| S3Error::Endpoint(contract::fetch::shown(text)))
        };
        Ok(Self {
            s3: s3.clone(),
            at: at.clone(),
            endpoint: at.endpoint.as_ref().map(parse).transpose()?,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.at.bucket
    }

    /// All objects below `prefix`, page by page.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<Object>, S3Error> {
        let what = || format!("list s3://{}/{prefix}", self.at.bucket);
        let mut objects = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut query = vec![("list-type", "2"), ("prefix", prefix)];
            query.extend(next.as_deref().map(|next| ("continuation-token", next)));
            let ask = Ask {
                what: what(),
                key: "",
                query: &query,
                headers: Vec::new(),
                limits: Limits {
                    total: Duration::from_secs(60),
                    body: PAGE_LIMIT,
                    ..LIMITS
                },
            };
            let body = self.whole(&ask).await?;
            let page = list::page(body.expose()).map_err(|source| S3Error::Answer {
                what: what(),
                source,
            })?;
            // A list that does not go on would be asked for without end.
            if page.objects.is_empty() && page.next.is_some() && page.next == next {
                break;
            }
            objects.extend(page.objects);
            if objects.len() > OBJECTS_MAX {
                return Err(S3Error::TooMany {
                    bucket: self.at.bucket.clone(),
                    prefix: prefix.to_owned(),
                    most: OBJECTS_MAX,
                });
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        Ok(objects)
    }

    /// One object of at most `limit` bytes.
    pub(super) async fn get(&self, key: &str, limit: u64) -> Result<Secret<Vec<u8>>, S3Error> {
        let ask = Ask {
            what: format!("get s3://{}/{key}", self.at.bucket),
            key,
            query: &[],
            headers: Vec::new(),
            limits: Limits {
                body: limit,
                ..LIMITS
            },
        };
        self.whole(&ask).await
    }

    /// The whole body of a successful answer; one that breaks off is asked for again.
    async fn whole(&self, ask: &Ask<'_>) -> Result<Secret<Vec<u8>>, S3Error> {
        let mut turn = 0;
        loop {
            turn += 1;
            let error = match self.send(ask).await?.whole().await {
                Ok(answer) => return Ok(answer.body),
                Err(error) => self.network(ask, error),
            };
            if turn == TRIES || !error.is_transient() {
                return Err(error);
            }
            sleep(pause(turn, None)).await;
        }
    }

    /// Sends until there is a successful answer, whose body is still to come.
    pub(super) async fn send(&self, ask: &Ask<'_>) -> Result<Reply, S3Error> {
        let mut turn = 0;
        let mut keys = None;
        let mut learnt = 0;
        loop {
            match self.attempt(ask, &mut keys).await {
                Ok(reply) => return Ok(reply),
                Err(Failure::Final(error)) => return Err(error),
                // The region, then newer credentials: there is nothing else to learn.
                Err(Failure::Learnt(_)) if learnt < 3 => learnt += 1,
                Err(Failure::Learnt(error)) => return Err(error),
                Err(Failure::Again(error, asked)) => {
                    turn += 1;
                    if turn == TRIES {
                        return Err(error);
                    }
                    sleep(pause(turn, asked)).await;
                }
            }
        }
    }

    async fn attempt(&self, ask: &Ask<'_>, keys: &mut Option<Keys>) -> Result<Reply, Failure> {
        let region = self.region();
        if keys.is_none() && !self.at.anonymous {
            let found = self.s3.credentials.keys(None).await;
            *keys = Some(found.map_err(Failure::Final)?);
        }
        let request = self.request(ask, &region, keys.as_ref());
        let request = request.map_err(|error| Failure::Final(self.network(ask, error)))?;
        let reply = match self.s3.client.open(&request, &ask.limits).await {
            Ok(reply) if reply.status.is_success() => return Ok(reply),
            Ok(reply) => reply,
            Err(error) => {
                let transient = error.is_transient();
                let error = self.network(ask, error);
                return Err(if transient {
                    Failure::Again(error, None)
                } else {
                    Failure::Final(error)
                });
            }
        };
        self.refused(ask, reply, &region, keys).await
    }

    fn request(
        &self,
        ask: &Ask<'_>,
        region: &str,
        keys: Option<&Keys>,
    ) -> Result<Request, HttpError> {
        let (base, path) = self.address(ask.key, region)?;
        let query = sign::encode_query(ask.query);
        let mut headers = ask.headers.clone();
        if let Some(keys) = keys {
            let unsigned = Unsigned {
                method: "GET",
                host: &base.authority(),
                path: &path,
                query: &query,
                headers: &ask.headers,
                body: b"",
            };
            let signing = sign::Keys {
                id: keys.id.expose(),
                secret: keys.secret.expose(),
                token: keys.token.as_ref().map(|token| token.expose().as_str()),
            };
            headers.extend(sign::sign(&unsigned, &signing, region, SystemTime::now()));
        }
        let request = Request::new(Method::GET, base.at(&path, &query));
        headers.iter().try_fold(request, |request, (name, value)| {
            request.header(name, value)
        })
    }

    /// The host to ask and the path on it.
    fn address(&self, key: &str, region: &str) -> Result<(Url, String), HttpError> {
        let bucket = &self.at.bucket;
        let in_path = || sign::encode_path(&format!("/{bucket}/{key}"));
        if let Some(endpoint) = &self.endpoint {
            return Ok((endpoint.clone(), in_path()));
        }
        let domain = match &self.at.domain {
            Some(domain) => domain.as_str(),
            None if region.starts_with("cn-") => "amazonaws.com.cn",
            None => "amazonaws.com",
        };
        // A dot in the name does not fit into the certificate of the wildcard.
        if bucket.contains('.') {
            return Ok((format!("https://s3.{region}.{domain}").parse()?, in_path()));
        }
        let host = format!("https://{bucket}.s3.{region}.{domain}");
        Ok((host.parse()?, sign::encode_path(&format!("/{key}"))))
    }

    /// What an answer means that is no success.
    async fn refused(
        &self,
        ask: &Ask<'_>,
        reply: Reply,
        region: &str,
        keys: &mut Option<Keys>,
    ) -> Result<Reply, Failure> {
        let status = reply.status;
        let named = reply.header("x-amz-bucket-region").map(str::to_owned);
        let wait = retry_after(&reply.headers);
        // An error without its body is still known by its status.
        let refusal = match reply.whole().await {
            Ok(answer) => list::refusal(answer.body.expose()),
            Err(_) => list::Refusal::default(),
        };
        let other = named.or(refusal.region).filter(|other| other != region);
        let code = refusal.code;
        let plain = || S3Error::Status {
            what: ask.what.clone(),
            status: status.as_u16(),
            code: code.clone(),
        };
        if let Some(other) = other.filter(|other| is_region(other)) {
            self.learn(other);
            return Err(Failure::Learnt(plain()));
        }
        if matches!(
            code.as_str(),
            "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired"
        ) && let Some(ended) = keys.take()
        {
            let newer = self.s3.credentials.keys(Some(&ended)).await;
            let newer = newer.map_err(Failure::Final)?;
            let learnt = newer != ended;
            *keys = Some(newer);
            if learnt {
                return Err(Failure::Learnt(plain()));
            }
        }
        let is_object = !ask.key.is_empty();
        let bucket = self.at.bucket.clone();
        let key = ask.key.to_owned();
        Err(match (status, code.as_str()) {
            (_, "RequestTimeTooSkewed") => Failure::Final(S3Error::Clock),
            (StatusCode::NOT_FOUND, "NoSuchKey") => {
                Failure::Final(S3Error::NoSuchKey { bucket, key })
            }
            (StatusCode::NOT_FOUND, "NoSuchBucket") => {
                Failure::Final(S3Error::NoSuchBucket { bucket })
            }
            (StatusCode::NOT_FOUND, _) if is_object => {
                Failure::Final(S3Error::NoSuchKey { bucket, key })
            }
            (StatusCode::PRECONDITION_FAILED, _) => Failure::Final(S3Error::Changed { key }),
            (StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED, _) => {
                Failure::Final(S3Error::Denied {
                    what: ask.what.clone(),
                    code,
                    hint: if self.at.anonymous {
                        "not everybody may: leave `anonymous` out"
                    } else if is_object {
                        "let the role's policy allow s3:GetObject"
                    } else {
                        "let the role's policy allow s3:ListBucket"
                    },
                })
            }
            _ => {
                let again = status.is_server_error()
                    || status == StatusCode::TOO_MANY_REQUESTS
                    || matches!(code.as_str(), "SlowDown" | "RequestTimeout");
                if again {
                    Failure::Again(plain(), wait)
                } else {
                    Failure::Final(plain())
                }
            }
        })
    }

    fn network(&self, ask: &Ask<'_>, error: HttpError) -> S3Error {
        match error {
            HttpError::TooLarge { limit, .. } if !ask.key.is_empty() => S3Error::TooLarge {
                key: ask.key.to_owned(),
                limit,
            },
            other => S3Error::Network {
                what: ask.what.clone(),
                source: Box::new(other),
            },
        }
    }

    /// The region that S3 named, else the one that the location names.
    fn region(&self) -> String {
        let regions = self
            .s3
            .regions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = regions
            .iter()
            .find(|(bucket, _)| *bucket == self.at.bucket)
            .map(|(_, region)| region.clone());
        known
            .or_else(|| self.at.region.clone())
            .unwrap_or_else(|| FIRST_REGION.to_owned())
    }

    fn learn(&self, region: String) {
        let mut regions = self
            .s3
            .regions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        regions.retain(|(bucket, _)| *bucket != self.at.bucket);
        regions.push((self.at.bucket.clone(), region));
    }
}

/// A region's name goes into a host name, so it is looked at first: credentials are sent there.
fn is_region(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The pause before the next try: what was asked for, within reason, else doubling.
pub(super) fn pause(turn: u32, asked: Option<Duration>) -> Duration {
    let own = PAUSE.saturating_mul(2_u32.saturating_pow(turn.min(10)));
    asked.unwrap_or(own).min(LONGEST_PAUSE)
}
