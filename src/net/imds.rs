//! The instance metadata service, version 2 only.
//!
//! A session token is asked for first, at all endpoints at once; whoever answers first is used from
//! then on. Items are read concurrently, each on a connection that is kept. No proxy, no redirect.
//! Source: EC2 User Guide, "Use the Instance Metadata Service to access instance metadata".

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::secret::Secret;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, RETRY_AFTER};
use hyper::{Method, Request, StatusCode};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::io::Io;

/// The link-local addresses of the service.
pub const ENDPOINTS: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];

/// How long a session lives: six hours, the longest that IMDS grants.
const TOKEN_SECONDS: &str = "21600";

/// How much later each further endpoint is tried.
const STAGGER: Duration = Duration::from_millis(150);

/// How many items are read at the same time at most.
const CONNECTIONS: usize = 16;

/// An answer may be as large as the largest user data: 64 KiB.
const BODY_LIMIT: usize = 64 * 1024;

/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(5);

/// How soon a connection that could not be made is tried again: at boot the network is about to
/// be there, and a try that fails at once costs nothing.
const RECONNECT: Duration = Duration::from_millis(200);

/// How often one item is asked for at most.
const TRIES: u32 = 6;

/// No pause between two tries is longer, in milliseconds.
const LONGEST_PAUSE: u64 = 5_000;

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

/// What came of asking for one item: `None` if the service has no such item (404).
pub type Answer = Result<Option<Secret<Vec<u8>>>, ImdsError>;

/// How one request ended, short of an answer.
#[derive(Debug)]
enum Failure {
    /// Ask again, after this pause if one was asked for.
    Again(String, Option<Duration>),
    /// The session has ended: a new token, and again.
    Session,
    /// It is of no use.
    Final(ImdsError),
}

/// The service, from the first token on.
#[derive(Debug)]
pub struct Imds {
    runtime: Runtime,
    endpoints: Vec<Endpoint>,
    budget: Duration,
    patience: Duration,
    session: RefCell<Option<Arc<Session>>>,
}

#[derive(Debug, Clone)]
struct Endpoint {
    /// As the Host header says it.
    host: String,
    /// As a socket is connected to it.
    address: String,
}

/// A token at the endpoint that gave it.
#[derive(Debug)]
struct Session {
    endpoint: Endpoint,
    token: Mutex<Secret<String>>,
    deadline: Instant,
    budget: Duration,
    patience: Duration,
}

type Connection = SendRequest<Empty<Bytes>>;

impl Imds {
    /// A client of the service at `urls` (all tried at once). `budget` ends everything together,
    /// `patience` one request.
    ///
    /// # Errors
    /// [`ImdsError::Endpoint`] for an address that is none.
    pub fn new(urls: &[&str], budget: Duration, patience: Duration) -> Result<Self, ImdsError> {
        let endpoints: Result<Vec<Endpoint>, ImdsError> =
            urls.iter().map(|url| Endpoint::parse(url)).collect();
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| ImdsError::Start(error.to_string()))?;
        Ok(Self {
            runtime,
            endpoints: endpoints?,
            budget,
            patience,
            session: RefCell::default(),
        })
    }

    /// Asks for all items at once, each a path below the version such as `meta-data/instance-id`,
    /// and answers in their order.
    pub fn get_all(&self, items: &[String]) -> Vec<Answer> {
        self.runtime.block_on(async {
            match self.session().await {
                Ok(session) => read_all(&session, items).await,
                Err(error) => items.iter().map(|_| Err(error.clone())).collect(),
            }
        })
    }

    async fn session(&self) -> Result<Arc<Session>, ImdsError> {
        if let Some(session) = self.session.borrow().as_ref() {
            return Ok(Arc::clone(session));
        }
        let deadline = Instant::now() + self.budget;
        let mut last = String::from("nothing was asked");
        for turn in 0.. {
            let pause = match self.race(deadline).await {
                Ok((endpoint, token)) => {
                    let (budget, patience) = (self.budget, self.patience);
                    let session = Session {
                        endpoint,
                        token: Mutex::new(token),
                        deadline,
                        budget,
                        patience,
                    };
                    let session = Arc::new(session);
                    *self.session.borrow_mut() = Some(Arc::clone(&session));
                    return Ok(session);
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Session) => None,
                Err(Failure::Again(why, pause)) => {
                    last = why;
                    pause
                }
            };
            if !rest(turn, pause, deadline).await {
                break;
            }
        }
        Err(ImdsError::Deadline {
            seconds: self.budget.as_secs(),
            last,
        })
    }

    /// One token from whichever endpoint gives one first.
    async fn race(&self, deadline: Instant) -> Result<(Endpoint, Secret<String>), Failure> {
        let mut racers = JoinSet::new();
        let mut delay = Duration::ZERO;
        for endpoint in self.endpoints.iter().cloned() {
            let patience = self.patience;
            racers.spawn(async move {
                sleep(delay).await;
                let token = new_token(&endpoint, patience).await?;
                Ok::<_, Failure>((endpoint, token))
            });
            delay += STAGGER;
        }
        let mut failure = Failure::Again("there is no endpoint".into(), None);
        loop {
            let ended = tokio::select! {
                ended = racers.join_next() => ended,
                () = sleep_until(deadline) => return Err(failure),
            };
            match ended {
                Some(Ok(Ok(won))) => return Ok(won),
                // A service that says no is believed, whatever the others do.
                Some(Ok(Err(Failure::Final(error)))) => return Err(Failure::Final(error)),
                Some(Ok(Err(other))) => failure = other,
                Some(Err(error)) => failure = Failure::Again(error.to_string(), None),
                None => return Err(failure),
            }
        }
    }
}

impl Endpoint {
    fn parse(url: &str) -> Result<Self, ImdsError> {
        let wrong = || ImdsError::Endpoint(url.to_owned());
        let host = url
            .strip_prefix("http://")
            .ok_or_else(wrong)?
            .trim_end_matches('/');
        let good = |c: char| c.is_ascii_alphanumeric() || "[]:.-".contains(c);
        if host.is_empty() || !host.chars().all(good) {
            return Err(wrong());
        }
        let has_port = host.rsplit_once(':').is_some_and(|(before, port)| {
            port.parse::<u16>().is_ok() && (!before.contains(':') || before.ends_with(']'))
        });
        let address = if has_port {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        Ok(Self {
            host: host.to_owned(),
            address,
        })
    }
}

/// Reads items on up to [`CONNECTIONS`] connections, each taking the next item when it is free.
async fn read_all(session: &Arc<Session>, items: &[String]) -> Vec<Answer> {
    let queue: VecDeque<(usize, String)> = items.iter().cloned().enumerate().collect();
    let queue = Arc::new(Mutex::new(queue));
    let mut readers = JoinSet::new();
    for _ in 0..items.len().min(CONNECTIONS) {
        let (session, queue) = (Arc::clone(session), Arc::clone(&queue));
        readers.spawn(async move {
            let mut connection = None;
            let mut answers = Vec::new();
            while let Some((at, item)) = next(&queue) {
                answers.push((at, session.read(&mut connection, &item).await));
            }
            answers
        });
    }
    let mut answers: Vec<Answer> = items.iter().map(|item| Err(lost(item))).collect();
    while let Some(read) = readers.join_next().await {
        for (at, answer) in read.unwrap_or_default() {
            if let Some(place) = answers.get_mut(at) {
                *place = answer;
            }
        }
    }
    answers
}

fn next(queue: &Mutex<VecDeque<(usize, String)>>) -> Option<(usize, String)> {
    queue
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pop_front()
}

fn lost(item: &str) -> ImdsError {
    ImdsError::Start(format!("{item} was not asked for"))
}

impl Session {
    async fn read(&self, connection: &mut Option<Connection>, item: &str) -> Answer {
        let mut last = String::new();
        let mut renewed = false;
        for turn in 0..TRIES {
            let pause = match self.ask(connection, item).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Session) if renewed => {
                    return Err(ImdsError::Status {
                        item: item.to_owned(),
                        status: 401,
                    });
                }
                Err(Failure::Session) => {
                    renewed = true;
                    match new_token(&self.endpoint, self.patience).await {
                        Ok(token) => {
                            *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
                            continue;
                        }
                        Err(Failure::Final(error)) => return Err(error),
                        Err(_) => None,
                    }
                }
                Err(Failure::Again(why, pause)) => {
                    *connection = None;
                    last = why;
                    pause
                }
            };
            if !rest(turn, pause, self.deadline).await {
                break;
            }
        }
        Err(ImdsError::Deadline {
            seconds: self.budget.as_secs(),
            last: format!("{item}: {last}"),
        })
    }

    async fn ask(
        &self,
        connection: &mut Option<Connection>,
        item: &str,
    ) -> Result<Option<Secret<Vec<u8>>>, Failure> {
        let token = self
            .token
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .expose()
            .clone();
        let path = format!("/latest/{item}");
        let request = request(
            Method::GET,
            &self.endpoint,
            &path,
            ("x-aws-ec2-metadata-token", &token),
        )?;
        let patience = self
            .patience
            .min(self.deadline.saturating_duration_since(Instant::now()));
        let (status, body) = exchange(&self.endpoint, connection, request, item, patience).await?;
        match status {
            StatusCode::OK => Ok(Some(Secret::new(body))),
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED => Err(Failure::Session),
            other => Err(Failure::Final(ImdsError::Status {
                item: item.to_owned(),
                status: other.as_u16(),
            })),
        }
    }
}

async fn new_token(endpoint: &Endpoint, patience: Duration) -> Result<Secret<String>, Failure> {
    let header = ("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECONDS);
    let request = request(Method::PUT, endpoint, "/latest/api/token", header)?;
    let (status, body) =
        exchange(endpoint, &mut None, request, "the session token", patience).await?;
    match status {
        StatusCode::OK => {}
        StatusCode::FORBIDDEN => return Err(Failure::Final(ImdsError::Disabled)),
        other => {
            let item = String::from("the session token");
            return Err(Failure::Final(ImdsError::Status {
                item,
                status: other.as_u16(),
            }));
        }
    }
    let token = String::from_utf8(body)
        .ok()
        .map(|token| token.trim().to_owned());
    let good = |token: &String| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    let token = token.filter(good);
    token
        .map(Secret::new)
        .ok_or_else(|| Failure::Again("the token cannot be one".into(), None))
}

fn request(
    method: Method,
    endpoint: &Endpoint,
    path: &str,
    header: (&str, &str),
) -> Result<Request<Empty<Bytes>>, Failure> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, &endpoint.host)
        .header(header.0, header.1);
    request.body(Empty::new()).map_err(|_| {
        Failure::Final(ImdsError::Status {
            item: path.trim_start_matches("/latest/").to_owned(),
            status: 0,
        })
    })
}

/// Sends a request and reads the whole answer. A throttled or failing service is asked again.
async fn exchange(
    endpoint: &Endpoint,
    connection: &mut Option<Connection>,
    request: Request<Empty<Bytes>>,
    item: &str,
    patience: Duration,
) -> Result<(StatusCode, Vec<u8>), Failure> {
    let again = |what: &str, why: String| Failure::Again(format!("{what}: {why}"), None);
    let mut open = match connection.take().filter(|open| !open.is_closed()) {
        Some(open) => open,
        None => within(CONNECT.min(patience), "connect", connect(endpoint)).await?,
    };
    within(patience, "answer", async {
        open.ready()
            .await
            .map_err(|error| again("connection", error.to_string()))?;
        let answer = open
            .send_request(request)
            .await
            .map_err(|error| again("request", error.to_string()))?;
        let status = answer.status();
        let wait = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = Limited::new(answer.into_body(), BODY_LIMIT).collect().await;
        let body = match body {
            Ok(body) => body.to_bytes().to_vec(),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                return Err(Failure::Final(ImdsError::TooLarge {
                    item: item.to_owned(),
                }));
            }
            Err(error) => return Err(again("body", error.to_string())),
        };
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            let why = format!("status {}", status.as_u16());
            return Err(Failure::Again(why, wait.map(Duration::from_secs)));
        }
        *connection = Some(open);
        Ok((status, body))
    })
    .await
}

async fn connect(endpoint: &Endpoint) -> Result<Connection, Failure> {
    let again = |why: String| Failure::Again(format!("connect: {why}"), Some(RECONNECT));
    let stream = TcpStream::connect(&endpoint.address)
        .await
        .map_err(|error| again(error.to_string()))?;
    let _ = stream.set_nodelay(true);
    let (open, driver) = http1::handshake(Io::new(stream))
        .await
        .map_err(|error| again(error.to_string()))?;
    // Its errors come back through the requests.
    tokio::spawn(async move { drop(driver.await) });
    Ok(open)
}

async fn within<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(Failure::Again(
            format!("{what}: nothing within {} s", limit.as_secs_f64()),
            None,
        )),
    }
}

/// Waits before the next try: as long as was asked for, else 0.1 s doubling to 5 s. False if the
/// deadline comes first.
async fn rest(turn: u32, asked: Option<Duration>, deadline: Instant) -> bool {
    let pause = asked.unwrap_or_else(|| pause(turn));
    let now = Instant::now();
    if now + pause >= deadline {
        return false;
    }
    sleep(pause).await;
    true
}

fn pause(turn: u32) -> Duration {
    let doubled = 100_u64.saturating_mul(2_u64.saturating_pow(turn.min(10)));
    Duration::from_millis(doubled.min(LONGEST_PAUSE))
}

#[cfg(test)]
#[path = "imds/tests.rs"]
mod tests;
