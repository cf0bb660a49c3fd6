//! A small HTTP/1.1 client: few connections, every limit explicit.
//!
//! It follows no redirect by itself and uses no proxy: a metadata service that answers with
//! another address is not one, and credentials go nowhere but where they were meant for.

mod connect;
mod error;
mod reply;
mod tls;
mod url;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::secret::Secret;
use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
pub(crate) use hyper::{Method, StatusCode};
use tokio::time::{Instant, timeout, timeout_at};

pub(crate) use error::HttpError;
pub(crate) use reply::{Reply, retry_after};
pub(crate) use url::Url;

use tls::Tls;

/// Connections kept open after their answer.
const MAX_IDLE: usize = 16;
/// A kept connection older than this is not used again: the server may just be closing it.
const MAX_IDLE_AGE: Duration = Duration::from_secs(4);

/// How long and how much, for one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// To have a connection, TLS included.
    pub(crate) connect: Duration,
    /// From the request to the answer's headers.
    pub(crate) first_byte: Duration,
    /// Between two pieces of the body.
    pub(crate) idle: Duration,
    /// All of it.
    pub(crate) total: Duration,
    /// The body, in bytes; a longer one is an error, never cut.
    pub(crate) body: u64,
}

/// What is asked. Its headers and its body are never shown, whatever they are.
#[derive(Clone)]
pub(crate) struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({} {})", self.method, self.url)
    }
}

impl Request {
    /// A request without a body.
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// With this body.
    pub(crate) fn body(mut self, bytes: &[u8]) -> Self {
        self.body = Bytes::copy_from_slice(bytes);
        self
    }

    /// With this header as well.
    ///
    /// # Errors
    /// A name or value that HTTP cannot carry.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Result<Self, HttpError> {
        let refused = || HttpError::Header {
            name: name.to_owned(),
        };
        let key: HeaderName = name.parse().map_err(|_| refused())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| refused())?;
        value.set_sensitive(true);
        self.headers.append(key, value);
        Ok(self)
    }

    fn to_hyper(&self) -> Result<hyper::Request<Full<Bytes>>, HttpError> {
        let host = HeaderValue::from_str(&self.url.authority()).map_err(|_| HttpError::Header {
            name: HOST.to_string(),
        })?;
        let target = self.url.target().parse();
        let mut request = hyper::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = target.map_err(|_| url::NotAUrl::Malformed)?;
        let agent = HeaderValue::from_static(concat!("firstlight/", env!("CARGO_PKG_VERSION")));
        let headers = request.headers_mut();
        headers.insert(HOST, host);
        headers.insert(USER_AGENT, agent);
        headers.extend(self.headers.clone());
        Ok(request)
    }
}

/// What was answered, whole.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// User data and credentials come this way.
    pub(crate) body: Secret<Vec<u8>>,
}

pub(crate) type Sender = SendRequest<Full<Bytes>>;

/// Sends requests and keeps connections. Clones share both.
#[derive(Clone, Default)]
pub(crate) struct Client(Arc<Shared>);

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

#[derive(Default)]
struct Shared {
    idle: Mutex<Vec<Kept>>,
    tls: Tls,
}

struct Kept {
    origin: url::Origin,
    since: Instant,
    sender: Sender,
}

impl Client {
    /// Asks, and takes the whole answer, whatever its status.
    ///
    /// # Errors
    /// No answer, or one beyond the limits.
    pub(crate) async fn fetch(
        &self,
        request: &Request,
        limits: &Limits,
    ) -> Result<Response, HttpError> {
        self.open(request, limits).await?.whole().await
    }

    /// Asks, and returns when the headers are there.
    ///
    /// # Errors
    /// No answer within the limits.
    pub(crate) async fn open(
        &self,
        request: &Request,
        limits: &Limits,
    ) -> Result<Reply, HttpError> {
        let deadline = Instant::now() + limits.total;
        if let Some(sender) = self.kept(request.url.origin()) {
            match self.send(sender, request, limits, deadline).await {
                // The server closed a kept connection as we used it: a new one shows the truth.
                Err(HttpError::Transport { .. } | HttpError::Truncated { .. }) => {}
                other => return other,
            }
        }
        let limit = limits.connect.min(limits.total);
        let connected = timeout(limit, connect::connect(&request.url, &self.0.tls)).await;
        let sender = connected.map_err(|_| HttpError::Timeout {
            url: request.url.to_string(),
            phase: "the connection",
            limit,
        })??;
        self.send(sender, request, limits, deadline).await
    }

    async fn send(
        &self,
        mut sender: Sender,
        request: &Request,
        limits: &Limits,
        deadline: Instant,
    ) -> Result<Reply, HttpError> {
        let url = request.url.to_string();
        let failed = |source| error::broken(&url, source);
        let exchange = async {
            sender.ready().await.map_err(failed)?;
            let answer = sender.send_request(request.to_hyper()?).await;
            answer.map_err(failed)
        };
        let until = deadline.min(Instant::now() + limits.first_byte);
        let Ok(answer) = timeout_at(until, exchange).await else {
            return Err(HttpError::Timeout {
                url,
                phase: "the answer",
                limit: limits.first_byte.min(limits.total),
            });
        };
        let (head, body) = answer?.into_parts();
        if body.size_hint().lower() > limits.body {
            return Err(HttpError::TooLarge {
                url,
                limit: limits.body,
            });
        }
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            url: request.url.clone(),
            body,
            taken: 0,
            limits: *limits,
            deadline,
            sender: Some(sender),
            client: self.clone(),
        })
    }

    fn kept(&self, origin: &url::Origin) -> Option<Sender> {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| !kept.sender.is_closed() && kept.since.elapsed() < MAX_IDLE_AGE);
        let position = idle.iter().position(|kept| kept.origin == *origin)?;
        Some(idle.swap_remove(position).sender)
    }

    /// Keeps a connection whose answer has come whole.
    fn keep(&self, origin: url::Origin, sender: Sender) {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE && !sender.is_closed() {
            idle.push(Kept {
                origin,
                since: Instant::now(),
                sender,
            });
        }
    }
}
