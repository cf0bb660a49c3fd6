//! The instance metadata service, version 2 only.
//!
//! A session token is asked for first, at all endpoints at once; whoever answers first is used from
//! then on. Items are read concurrently, each on a connection that is kept. No proxy, no redirect.
//! Source: EC2 User Guide, "Use the Instance Metadata Service to access instance metadata".

mod error;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::error::chain;
use contract::secret::Secret;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use self::error::Failure;
pub use self::error::ImdsError;
use crate::http::{
    Client, HttpError, Limits, Method, Request, Response, StatusCode, Url, retry_after,
};
use crate::route::Routes;
use crate::runtime::block_on;
use crate::s3::sign::encode_path;

/// The link-local addresses of the service.
pub const ENDPOINTS: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];

/// How long a session lives: six hours, the longest that IMDS grants.
const TOKEN_SECONDS: &str = "21600";

/// How much later each further endpoint is tried.
const STAGGER: Duration = Duration::from_millis(150);

/// How many items are read at the same time at most.
const CONNECTIONS: usize = 16;

/// An answer may be as large as the largest user data, in bytes: 64 KiB.
pub const BODY_LIMIT: usize = 64 << 10;

/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(5);

/// How soon a connection that could not be made is tried again although no route or address has
/// changed: the service may be about to start, or this kernel tells of no changes.
const RECONNECT: Duration = Duration::from_secs(1);

/// How often one item is asked for at most.
const TRIES: u32 = 6;

/// No pause between two tries is longer, in milliseconds.
const LONGEST_PAUSE: u64 = 5_000;

/// What came of asking for one item: `None` if the service has no such item (404).
pub type Answer = Result<Option<Secret<Vec<u8>>>, ImdsError>;

/// The service, from the first token on.
#[derive(Debug)]
pub struct Imds {
    client: Client,
    endpoints: Vec<Url>,
    budget: Duration,
    patience: Duration,
    session: Mutex<Option<Arc<Session>>>,
}

/// A token at the endpoint that gave it.
#[derive(Debug)]
struct Session {
    client: Client,
    endpoint: Url,
    token: Mutex<Arc<Token>>,
    /// Held while a new token is asked for, so that several readers at once ask for one.
    renewing: tokio::sync::Mutex<()>,
    deadline: Instant,
    budget: Duration,
    patience: Duration,
}

#[derive(Debug)]
struct Token {
    text: Secret<String>,
    /// Whether something was answered because of it.
    has_worked: AtomicBool,
}

impl Imds {
    /// A client of the service at `urls` (all tried at once). `budget` ends everything together,
    /// `patience` one request.
    ///
    /// # Errors
    /// [`ImdsError::Endpoint`] for an address that is none.
    pub fn new(urls: &[&str], budget: Duration, patience: Duration) -> Result<Self, ImdsError> {
        let endpoints: Result<Vec<Url>, ImdsError> = urls.iter().map(|url| endpoint(url)).collect();
        Ok(Self {
            client: Client::default(),
            endpoints: endpoints?,
            budget,
            patience,
            session: Mutex::default(),
        })
    }

    /// Asks for all items at once, each a path below the version such as `meta-data/instance-id`,
    /// and answers in their order.
    pub fn get_all(&self, items: &[String]) -> Vec<Answer> {
        let answers = block_on(async {
            match self.session().await {
                Ok(session) => read_all(&session, items).await,
                Err(error) => items.iter().map(|_| Err(error.clone())).collect(),
            }
        });
        answers.unwrap_or_else(|error| {
            let error = ImdsError::Start(error.to_string());
            items.iter().map(|_| Err(error.clone())).collect()
        })
    }

    /// Asks for one item.
    pub(crate) async fn get(&self, item: &str) -> Answer {
        self.session().await?.read(item).await
    }

    async fn session(&self) -> Result<Arc<Session>, ImdsError> {
        if let Some(session) = lock(&self.session).as_ref() {
            return Ok(Arc::clone(session));
        }
        let deadline = Instant::now() + self.budget;
        let mut last = String::from("nothing was asked");
        for turn in 0.. {
            let pause = match self.race(deadline).await {
                Ok((endpoint, token)) => {
                    let (budget, patience) = (self.budget, self.patience);
                    let session = Session {
                        client: self.client.clone(),
                        endpoint,
                        token: Mutex::new(Token::new(token)),
                        renewing: tokio::sync::Mutex::default(),
                        deadline,
                        budget,
                        patience,
                    };
                    let session = Arc::new(session);
                    *lock(&self.session) = Some(Arc::clone(&session));
                    return Ok(session);
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Session) => None,
                Err(Failure::Unreachable(why)) => {
                    last = why;
                    Some(RECONNECT)
                }
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
    async fn race(&self, deadline: Instant) -> Result<(Url, Secret<String>), Failure> {
        let mut racers = JoinSet::new();
        let mut delay = Duration::ZERO;
        for endpoint in self.endpoints.iter().cloned() {
            let (client, patience) = (self.client.clone(), self.patience);
            racers.spawn(async move {
                sleep(delay).await;
                let mut turn = 0;
                let mut network = Network::default();
                // Each on its own: an address without a route must not hold up the other one.
                loop {
                    let failure = match new_token(&client, &endpoint, patience).await {
                        Ok(token) => return Ok((endpoint, token)),
                        Err(failure) => failure,
                    };
                    let goes_on = match &failure {
                        Failure::Again(_, pause) => rest(turn, *pause, deadline).await,
                        Failure::Unreachable(_) => network.change(deadline).await,
                        Failure::Session | Failure::Final(_) => false,
                    };
                    if !goes_on {
                        return Err(failure);
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
            let mut answers = Vec::new();
            while let Some((at, item)) = next(&queue) {
                answers.push((at, session.read(&item).await));
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
    lock(queue).pop_front()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lost(item: &str) -> ImdsError {
    ImdsError::Start(format!("{item} was not asked for"))
}

impl Token {
    fn new(text: Secret<String>) -> Arc<Self> {
        Arc::new(Self {
            text,
            has_worked: AtomicBool::new(false),
        })
    }
}

impl Session {
    async fn read(&self, item: &str) -> Answer {
        let mut last = String::new();
        let mut refused = false;
        let mut turn = 0;
        while turn < TRIES {
            let token = Arc::clone(&lock(&self.token));
            let mut tried = self.ask(item, &token).await;
            if matches!(tried, Err(Failure::Session)) {
                match self.renew(&token).await {
                    // A token that has served its time costs no try; of others a second one is
                    // enough to know that this service takes none.
                    Ok(()) if token.has_worked.load(Ordering::Relaxed) => continue,
                    Ok(()) if !refused => {
                        refused = true;
                        continue;
                    }
                    Ok(()) => tried = Err(Failure::Final(refusal(item, 401))),
                    Err(error) => tried = Err(error),
                }
            }
            let pause = match tried {
                Ok(answer) => {
                    token.has_worked.store(true, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Session) => None,
                Err(Failure::Unreachable(why)) => {
                    last = why;
                    Some(RECONNECT)
                }
                Err(Failure::Again(why, pause)) => {
                    last = why;
                    pause
                }
            };
            turn += 1;
            if turn < TRIES && !rest(turn - 1, pause, self.deadline).await {
                return Err(ImdsError::Deadline {
                    seconds: self.budget.as_secs(),
                    last: format!("{item}: {last}"),
                });
            }
        }
        Err(ImdsError::Tries {
            item: item.to_owned(),
            tries: TRIES,
            last,
        })
    }

    /// Puts another token in the place of `ended`, unless somebody else just did.
    async fn renew(&self, ended: &Arc<Token>) -> Result<(), Failure> {
        let _alone = self.renewing.lock().await;
        if Arc::ptr_eq(&lock(&self.token), ended) {
            let token = new_token(&self.client, &self.endpoint, self.patience).await?;
            *lock(&self.token) = Token::new(token);
        }
        Ok(())
    }

    async fn ask(&self, item: &str, token: &Token) -> Result<Option<Secret<Vec<u8>>>, Failure> {
        let patience = self
            .patience
            .min(self.deadline.saturating_duration_since(Instant::now()));
        let request = Request::new(
            Method::GET,
            self.endpoint
                .at(&encode_path(&format!("/latest/{item}")), ""),
        )
        .header("x-aws-ec2-metadata-token", token.text.expose());
        let answer = exchange(&self.client, request, item, patience).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.body)),
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED => Err(Failure::Session),
            other => Err(Failure::Final(refusal(item, other.as_u16()))),
        }
    }
}

fn refusal(item: &str, status: u16) -> ImdsError {
    ImdsError::Status {
        item: item.to_owned(),
        status,
    }
}

/// The address of a service: plain http, and nothing but a host and a port.
fn endpoint(text: &str) -> Result<Url, ImdsError> {
    let url: Option<Url> = text.parse().ok();
    url.filter(|url| !url.is_https() && url.is_bare())
        .ok_or_else(|| ImdsError::Endpoint(text.to_owned()))
}

async fn new_token(
    client: &Client,
    endpoint: &Url,
    patience: Duration,
) -> Result<Secret<String>, Failure> {
    const ITEM: &str = "the session token";
    let request = Request::new(Method::PUT, endpoint.at("/latest/api/token", ""))
        .header("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECONDS);
    let answer = exchange(client, request, ITEM, patience).await?;
    match answer.status {
        StatusCode::OK => {}
        StatusCode::FORBIDDEN => return Err(Failure::Final(ImdsError::Disabled)),
        other => return Err(Failure::Final(refusal(ITEM, other.as_u16()))),
    }
    let token = String::from_utf8(answer.body.into_inner())
        .ok()
        .map(|token| token.trim().to_owned());
    let good = |token: &String| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    let token = token.filter(good);
    token
        .map(Secret::new)
        .ok_or_else(|| Failure::Again("the token cannot be one".into(), None))
}

/// Sends a request and reads the whole answer. A throttled or failing service is asked again.
async fn exchange(
    client: &Client,
    request: Result<Request, HttpError>,
    item: &str,
    patience: Duration,
) -> Result<Response, Failure> {
    let limits = Limits {
        connect: CONNECT.min(patience),
        first_byte: patience,
        idle: patience,
        total: patience,
        body: u64::try_from(BODY_LIMIT).unwrap_or(u64::MAX),
    };
    let unfit = |error: HttpError| Failure::Final(ImdsError::Start(chain(&error)));
    match client.fetch(&request.map_err(unfit)?, &limits).await {
        Ok(answer)
            if answer.status == StatusCode::TOO_MANY_REQUESTS
                || answer.status.is_server_error() =>
        {
            let why = format!("status {}", answer.status.as_u16());
            Err(Failure::Again(why, retry_after(&answer.headers)))
        }
        Ok(answer) => Ok(answer),
        Err(HttpError::TooLarge { .. }) => Err(Failure::Final(ImdsError::TooLarge {
            item: item.to_owned(),
        })),
        Err(error @ HttpError::Connect { .. }) => Err(Failure::Unreachable(chain(&error))),
        Err(error) => Err(Failure::Again(chain(&error), None)),
    }
}

/// What a try that found no connection waits for.
#[derive(Default)]
enum Network {
    /// Nothing has been waited for.
    #[default]
    Untried,
    /// Changes are told.
    Watched(Routes),
    /// This kernel tells of none.
    Unwatched,
}

impl Network {
    /// Waits until another try may find a connection; false if the deadline comes first.
    async fn change(&mut self, deadline: Instant) -> bool {
        match self {
            Self::Untried => {
                *self = Routes::watch().map_or(Self::Unwatched, Self::Watched);
                // It may have changed between the try and now, which nobody will tell.
                Instant::now() < deadline
            }
            Self::Watched(routes) => tokio::select! {
                told = routes.changed() => {
                    if told.is_err() {
                        *self = Self::Unwatched;
                    }
                    Instant::now() < deadline
                }
                goes_on = rest(0, Some(RECONNECT), deadline) => goes_on,
            },
            Self::Unwatched => rest(0, Some(RECONNECT), deadline).await,
        }
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
