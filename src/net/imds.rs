//! The instance metadata service of EC2, version 2 of its protocol only.
//!
//! Source: EC2 User Guide, "Use the Instance Metadata Service to access instance metadata".

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use contract::secret::Secret;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::budget::{Budget, Next};
use crate::http::{Client, HttpError, Limits, Method, Request, Response, StatusCode, Url};

/// The service's link-local addresses; IPv6 answers on Nitro instances only.
pub const ENDPOINTS: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];

/// How long a token lives, in seconds: longer than any boot reads, shorter than the six hours allowed.
const TOKEN_SECONDS: u16 = 300;
const TOKEN_TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN: &str = "x-aws-ec2-metadata-token";
/// A token as the service makes them has 56 bytes.
const MAX_TOKEN: u64 = 1024;
/// User data has 16 KiB at most before base64; other items are far shorter.
const MAX_ITEM: u64 = 64 * 1024;
/// Requests under way at once: the service limits an interface to 1024 packets per second.
const PARALLEL: usize = 6;
/// How long the first address has before the next is tried as well.
const STAGGER: Duration = Duration::from_millis(150);

/// Why the service gave no answer to use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImdsError {
    /// 403 to the request for a token.
    #[error("IMDS is disabled for this instance")]
    Disabled,
    /// The budget is over. The source is the last failure.
    #[error("the instance metadata service did not answer within {} s", budget.as_secs_f32())]
    Deadline {
        /// The budget.
        budget: Duration,
        /// The last failure.
        source: Box<Self>,
    },
    /// A status that an answer to this request should not have.
    #[error("{item} was answered with status {status}")]
    Status {
        /// What was asked for.
        item: String,
        /// The status code.
        status: StatusCode,
        /// What the service asked to wait.
        retry_after: Option<Duration>,
    },
    /// 401, with a token that had just been made.
    #[error("{item} was refused with a new token")]
    Unauthorized {
        /// What was asked for.
        item: String,
    },
    /// An answer that cannot be meant.
    #[error("{item} {reason}")]
    Answer {
        /// What was asked for.
        item: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No answer.
    #[error("cannot read {item}")]
    Http {
        /// What was asked for.
        item: String,
        /// Why.
        source: HttpError,
    },
}

impl ImdsError {
    /// Whether the same may succeed later.
    fn is_transient(&self) -> bool {
        match self {
            Self::Http { source, .. } => source.is_transient(),
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            _ => false,
        }
    }
}

/// Where the service is, and how long to wait for it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its addresses, the preferred one first.
    pub endpoints: Vec<Url>,
    /// The budget of one reading, everything together.
    pub max_wait: Duration,
    /// The budget of one request.
    pub timeout: Duration,
}

/// A conversation with the service: the address that answered, and a token.
pub struct Imds {
    client: Client,
    settings: Settings,
    session: Mutex<Option<Session>>,
}

#[derive(Clone)]
struct Session {
    endpoint: Url,
    token: Secret<String>,
}

impl Imds {
    /// Sends nothing until something is asked for.
    #[must_use]
    pub fn new(client: Client, settings: Settings) -> Self {
        Self {
            client,
            settings,
            session: Mutex::new(None),
        }
    }

    /// One item, by its path below the version: `meta-data/instance-id`. `None`: there is none (404).
    ///
    /// # Errors
    /// See [`ImdsError`].
    pub async fn get(&self, item: &str) -> Result<Option<Secret<Vec<u8>>>, ImdsError> {
        let mut budget = self.budget();
        let deadline = budget.left(Instant::now());
        loop {
            let error = match self.try_get(item, &budget).await {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            if !error.is_transient() {
                return Err(error);
            }
            let asked = match &error {
                ImdsError::Status { retry_after, .. } => *retry_after,
                _ => None,
            };
            match budget.after_failure(Instant::now(), asked) {
                Next::Wait(pause) => tokio::time::sleep(pause).await,
                Next::GiveUp => {
                    return Err(ImdsError::Deadline {
                        budget: deadline,
                        source: Box::new(error),
                    });
                }
            }
        }
    }

    /// All items, several at once, answered in their order.
    ///
    /// The first one that fails for all the same reason (no service, no token) is asked once only.
    pub async fn get_all(
        self: &std::sync::Arc<Self>,
        items: &[String],
    ) -> Vec<Result<Option<Secret<Vec<u8>>>, ImdsError>> {
        let mut answers: Vec<_> = items.iter().map(|_| None).collect();
        let mut waiting = items.iter().cloned().enumerate();
        let mut running = JoinSet::new();
        loop {
            while running.len() < PARALLEL {
                let Some((index, item)) = waiting.next() else {
                    break;
                };
                let imds = std::sync::Arc::clone(self);
                running.spawn(async move { (index, imds.get(&item).await) });
            }
            let Some(done) = running.join_next().await else {
                break;
            };
            if let Ok((index, answer)) = done
                && let Some(place) = answers.get_mut(index)
            {
                *place = Some(answer);
            }
        }
        let lost = |item: &String| ImdsError::Answer {
            item: item.clone(),
            reason: "was not asked for",
        };
        let pairs = answers.into_iter().zip(items);
        pairs
            .map(|(answer, item)| answer.unwrap_or_else(|| Err(lost(item))))
            .collect()
    }

    fn budget(&self) -> Budget {
        let seed = RandomState::new().build_hasher().finish();
        Budget::new(self.settings.max_wait, Instant::now(), seed)
    }

    fn limits(&self, budget: &Budget, body: u64) -> Limits {
        let each = self.settings.timeout.min(budget.left(Instant::now()));
        Limits {
            connect: each,
            first_byte: each,
            idle: each,
            total: each,
            body,
        }
    }

    /// One try. A token that has expired is renewed once.
    async fn try_get(
        &self,
        item: &str,
        budget: &Budget,
    ) -> Result<Option<Secret<Vec<u8>>>, ImdsError> {
        let session = self.session(None, budget).await?;
        let mut response = self.ask(&session, item, budget).await?;
        if response.status == StatusCode::UNAUTHORIZED {
            let session = self.session(Some(&session.token), budget).await?;
            response = self.ask(&session, item, budget).await?;
        }
        match response.status {
            StatusCode::OK => plausible(item, response).map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED => Err(ImdsError::Unauthorized { item: item.into() }),
            _ => Err(unexpected(item, &response)),
        }
    }

    async fn ask(
        &self,
        session: &Session,
        item: &str,
        budget: &Budget,
    ) -> Result<Response, ImdsError> {
        let failed = |source| ImdsError::Http {
            item: item.into(),
            source,
        };
        // `latest` and no dated version: an item newer than the instance is then a 404 as any
        // missing item is, where an unknown version would make every item one.
        let url = below(&session.endpoint, item).map_err(failed)?;
        let request = Request::get(url).header(TOKEN, session.token.expose());
        let limits = self.limits(budget, MAX_ITEM);
        let request = request.map_err(failed)?;
        self.client.fetch(&request, &limits).await.map_err(failed)
    }

    /// The session, made if there is none or if `expired` is still its token.
    async fn session(
        &self,
        expired: Option<&Secret<String>>,
        budget: &Budget,
    ) -> Result<Session, ImdsError> {
        let mut kept = self.session.lock().await;
        if let Some(session) = kept.as_ref()
            && Some(&session.token) != expired
        {
            return Ok(session.clone());
        }
        let endpoints = match kept.take() {
            Some(session) => vec![session.endpoint],
            None => self.settings.endpoints.clone(),
        };
        let session = self.race(endpoints, budget).await?;
        *kept = Some(session.clone());
        Ok(session)
    }

    /// The first address to give a token wins; each has a head start over the next.
    async fn race(&self, endpoints: Vec<Url>, budget: &Budget) -> Result<Session, ImdsError> {
        let limits = self.limits(budget, MAX_TOKEN);
        let mut running = JoinSet::new();
        let mut waiting = endpoints.into_iter();
        let mut last = ImdsError::Answer {
            item: "the instance metadata service".into(),
            reason: "has no address",
        };
        loop {
            if let Some(endpoint) = waiting.next() {
                running.spawn(token(self.client.clone(), endpoint, limits));
            }
            let more = waiting.len() > 0;
            let done = tokio::select! {
                done = running.join_next() => done,
                () = tokio::time::sleep(STAGGER), if more => continue,
            };
            match done {
                Some(Ok(Ok(session))) => return Ok(session),
                Some(Ok(Err(ImdsError::Disabled))) => return Err(ImdsError::Disabled),
                Some(Ok(Err(error))) => last = error,
                Some(Err(_)) => {}
                None if more => {}
                None => return Err(last),
            }
        }
    }
}

/// Asks one address for a token.
async fn token(client: Client, endpoint: Url, limits: Limits) -> Result<Session, ImdsError> {
    let item = format!("a token of {endpoint}");
    let failed = |source| ImdsError::Http {
        item: item.clone(),
        source,
    };
    let url = below(&endpoint, "api/token").map_err(failed)?;
    let request = Request::new(Method::PUT, url).header(TOKEN_TTL, &TOKEN_SECONDS.to_string());
    let request = request.map_err(failed)?;
    let response = client.fetch(&request, &limits).await.map_err(failed)?;
    match response.status {
        StatusCode::OK => {}
        StatusCode::FORBIDDEN => return Err(ImdsError::Disabled),
        _ => return Err(unexpected(&item, &response)),
    }
    let printable = |body: Vec<u8>| {
        let text = String::from_utf8(body).ok()?;
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(text)
    };
    let Some(token) = printable(response.body.into_inner()) else {
        return Err(ImdsError::Answer {
            item,
            reason: "is no token",
        });
    };
    Ok(Session {
        endpoint,
        token: Secret::new(token),
    })
}

fn below(endpoint: &Url, item: &str) -> Result<Url, HttpError> {
    let base = endpoint.path().trim_end_matches('/');
    let authority = endpoint.authority();
    let scheme = if endpoint.is_https() { "https" } else { "http" };
    Ok(format!("{scheme}://{authority}{base}/latest/{item}").parse()?)
}

/// A web page is what a captive portal or a proxy answers to everything. User data may be one.
fn plausible(item: &str, response: Response) -> Result<Secret<Vec<u8>>, ImdsError> {
    let page = response
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("text/html"));
    if page && item != "user-data" {
        return Err(ImdsError::Answer {
            item: item.into(),
            reason: "was answered with a web page: this is not the instance metadata service",
        });
    }
    Ok(response.body)
}

fn unexpected(item: &str, response: &Response) -> ImdsError {
    ImdsError::Status {
        item: item.into(),
        status: response.status,
        retry_after: response.retry_after(),
    }
}
