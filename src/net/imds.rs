//! The instance metadata service, version 2 only.
//!
//! A session token is asked for first, at all endpoints at once; whoever answers first is used from
//! then on. Items are read concurrently, each on a connection that is kept. No proxy, no redirect.
//! Source: EC2 User Guide, "Use the Instance Metadata Service to access instance metadata".

mod error;
mod exchange;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::secret::Secret;
use hyper::{Method, StatusCode};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use self::error::Failure;
pub use self::error::ImdsError;
use self::exchange::{Connection, Endpoint, exchange, request};

/// The link-local addresses of the service.
pub const ENDPOINTS: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];

/// How long a session lives: six hours, the longest that IMDS grants.
const TOKEN_SECONDS: &str = "21600";

/// How much later each further endpoint is tried.
const STAGGER: Duration = Duration::from_millis(150);

/// How many items are read at the same time at most.
const CONNECTIONS: usize = 16;

/// How often one item is asked for at most.
const TRIES: u32 = 6;

/// No pause between two tries is longer, in milliseconds.
const LONGEST_PAUSE: u64 = 5_000;

/// What came of asking for one item: `None` if the service has no such item (404).
pub type Answer = Result<Option<Secret<Vec<u8>>>, ImdsError>;

/// The service, from the first token on.
#[derive(Debug)]
pub struct Imds {
    runtime: Runtime,
    endpoints: Vec<Endpoint>,
    budget: Duration,
    patience: Duration,
    session: RefCell<Option<Arc<Session>>>,
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
                let mut turn = 0;
                // Each on its own: an address without a route must not hold up the other one.
                loop {
                    match new_token(&endpoint, patience).await {
                        Ok(token) => return Ok((endpoint, token)),
                        Err(Failure::Again(why, pause)) => {
                            if !rest(turn, pause, deadline).await {
                                return Err(Failure::Again(why, None));
                            }
                        }
                        Err(other) => return Err(other),
                    }
                    turn += 1;
                }
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
