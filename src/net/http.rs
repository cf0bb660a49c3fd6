//! A small HTTP/1.1 client: one origin, few connections, every limit explicit.
//!
//! It follows no redirect and uses no proxy: a metadata service that answers with another address
//! is not one, and credentials go nowhere but where they were meant for.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::secret::Secret;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
pub use hyper::header::HeaderMap;
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
pub use hyper::{Method, StatusCode};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

pub use crate::error::HttpError;
use crate::io::Io;
use crate::tls::{Tls, TlsError};
pub use crate::url::{NotAUrl, Url};

/// An answer's headers, in bytes; more is refused.
const MAX_HEAD: usize = 64 * 1024;
/// Connections kept open after their answer.
const MAX_IDLE: usize = 8;
/// A kept connection older than this is not used again: the server may just be closing it.
const MAX_IDLE_AGE: Duration = Duration::from_secs(4);

/// How long and how much, for one request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// To have a connection, TLS included.
    pub connect: Duration,
    /// From the request to the answer's headers.
    pub first_byte: Duration,
    /// Between two pieces of the body.
    pub idle: Duration,
    /// All of it.
    pub total: Duration,
    /// The body, in bytes; a longer one is an error, never cut.
    pub body: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(20),
            idle: Duration::from_secs(20),
            total: Duration::from_secs(60),
            body: 1024 * 1024,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Secret<Bytes>,
}

impl Request {
    /// A request without a body.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Secret::default(),
        }
    }

    /// A GET.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = Secret::new(body.into());
        self
    }

    /// With this header as well. Its value is never shown, whatever it is.
    ///
    /// # Errors
    /// A name or value that HTTP cannot carry.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, HttpError> {
        let refused = || HttpError::Header {
            name: name.to_owned(),
        };
        let key: HeaderName = name.parse().map_err(|_| refused())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| refused())?;
        value.set_sensitive(true);
        self.headers.append(key, value);
        Ok(self)
    }

    /// Where it goes.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    fn to_hyper(&self) -> Result<hyper::Request<Full<Bytes>>, HttpError> {
        let host = HeaderValue::from_str(&self.url.authority()).map_err(|_| HttpError::Header {
            name: HOST.to_string(),
        })?;
        let target = self.url.target().parse().map_err(|_| NotAUrl::Malformed)?;
        let mut request = hyper::Request::new(Full::new(self.body.expose().clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = target;
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
pub struct Response {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body: user data and credentials come this way.
    pub body: Secret<Vec<u8>>,
}

impl Response {
    /// A header's value as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the server asks to wait: `Retry-After` in whole seconds (RFC 9110, 10.2.3).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.header("retry-after")?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

type Sender = SendRequest<Full<Bytes>>;

/// Sends requests and keeps connections. Clones share both.
#[derive(Clone, Default)]
pub struct Client(Arc<Shared>);

#[derive(Default)]
struct Shared {
    idle: Mutex<Vec<Kept>>,
    tls: Tls,
}

struct Kept {
    origin: String,
    since: Instant,
    sender: Sender,
}

impl Client {
    /// Asks, and takes the whole answer, whatever its status.
    ///
    /// # Errors
    /// No answer, or one beyond the limits.
    pub async fn fetch(&self, request: &Request, limits: &Limits) -> Result<Response, HttpError> {
        let mut body = Vec::new();
        let mut reply = self.open(request, limits).await?;
        while let Some(piece) = reply.chunk().await? {
            body.extend_from_slice(&piece);
        }
        Ok(reply.into_response(body))
    }

    /// Asks, and hands a successful answer's body to `sink` piece by piece; the body of any other
    /// answer is in the response.
    ///
    /// # Errors
    /// No answer, one beyond the limits, or a sink that refused.
    pub async fn download(
        &self,
        request: &Request,
        limits: &Limits,
        mut sink: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Response, HttpError> {
        let mut body = Vec::new();
        let mut reply = self.open(request, limits).await?;
        let wanted = reply.status.is_success();
        while let Some(piece) = reply.chunk().await? {
            if wanted {
                sink(&piece).map_err(|source| HttpError::Sink {
                    url: request.url.to_string(),
                    source,
                })?;
            } else {
                body.extend_from_slice(&piece);
            }
        }
        Ok(reply.into_response(body))
    }

    /// Asks, and returns when the headers are there.
    ///
    /// # Errors
    /// No answer within the limits.
    pub async fn open(&self, request: &Request, limits: &Limits) -> Result<Reply, HttpError> {
        let deadline = Instant::now() + limits.total;
        let origin = request.url.origin().to_string();
        if let Some(sender) = self.kept(&origin) {
            match self.send(sender, request, limits, deadline).await {
                // The server closed a kept connection as we used it: a new one shows the truth.
                Err(HttpError::Transport { .. } | HttpError::Truncated { .. })
                    if request.method.is_safe() => {}
                other => return other,
            }
        }
        let sender = self.connect(request, limits).await?;
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
        let failed = |source| broken(&url, source);
        let exchange = async {
            sender.ready().await.map_err(failed)?;
            let answer = sender.send_request(request.to_hyper()?).await;
            answer.map_err(failed)
        };
        let Ok(answer) = timeout(limits.first_byte.min(limits.total), exchange).await else {
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
            url,
            origin: request.url.origin().to_string(),
            body,
            taken: 0,
            limits: *limits,
            deadline,
            sender: Some(sender),
            client: self.clone(),
        })
    }

    async fn connect(&self, request: &Request, limits: &Limits) -> Result<Sender, HttpError> {
        let limit = limits.connect.min(limits.total);
        match timeout(limit, self.handshake(&request.url)).await {
            Ok(result) => result,
            Err(_) => Err(HttpError::Timeout {
                url: request.url.to_string(),
                phase: "the connection",
                limit,
            }),
        }
    }

    async fn handshake(&self, url: &Url) -> Result<Sender, HttpError> {
        let origin = url.origin().to_string();
        let stream = dial(url).await?;
        if !url.is_https() {
            return speak(stream, &origin).await;
        }
        match self.0.tls.connect(url.host(), stream).await {
            Ok(stream) => speak(stream, &origin).await,
            Err(TlsError::Handshake(source)) if source.get_ref().is_none() => {
                Err(HttpError::Connect { origin, source })
            }
            Err(source) => Err(HttpError::Tls { origin, source }),
        }
    }

    fn kept(&self, origin: &str) -> Option<Sender> {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| !kept.sender.is_closed() && kept.since.elapsed() < MAX_IDLE_AGE);
        let position = idle.iter().position(|kept| kept.origin == origin)?;
        Some(idle.swap_remove(position).sender)
    }

    fn keep(&self, origin: String, sender: Sender) {
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

/// An answer whose body is still to come.
pub struct Reply {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    url: String,
    origin: String,
    body: Incoming,
    taken: u64,
    limits: Limits,
    deadline: Instant,
    sender: Option<Sender>,
    client: Client,
}

impl Reply {
    /// The next piece of the body; `None` when all of it has come.
    ///
    /// # Errors
    /// A body that is cut short, too long or too slow.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        loop {
            let until = self.deadline.min(Instant::now() + self.limits.idle);
            let Ok(frame) = timeout_at(until, self.body.frame()).await else {
                return Err(self.late(until));
            };
            match frame {
                None => {
                    if let Some(sender) = self.sender.take() {
                        self.client.keep(self.origin.clone(), sender);
                    }
                    return Ok(None);
                }
                Some(Err(source)) => return Err(broken(&self.url, source)),
                Some(Ok(frame)) => {
                    let Ok(piece) = frame.into_data() else {
                        continue;
                    };
                    let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
                    self.taken = self.taken.saturating_add(length);
                    if self.taken > self.limits.body {
                        return Err(HttpError::TooLarge {
                            url: self.url.clone(),
                            limit: self.limits.body,
                        });
                    }
                    return Ok(Some(piece));
                }
            }
        }
    }

    fn late(&self, until: Instant) -> HttpError {
        let (phase, limit) = if until == self.deadline {
            ("the request", self.limits.total)
        } else {
            ("the next piece of the answer", self.limits.idle)
        };
        HttpError::Timeout {
            url: self.url.clone(),
            phase,
            limit,
        }
    }

    fn into_response(self, body: Vec<u8>) -> Response {
        Response {
            status: self.status,
            headers: self.headers,
            body: Secret::new(body),
        }
    }
}

async fn dial(url: &Url) -> Result<TcpStream, HttpError> {
    let resolve = |source| HttpError::Resolve {
        host: url.host().to_owned(),
        source,
    };
    let addresses = tokio::net::lookup_host((url.host(), url.port()))
        .await
        .map_err(resolve)?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Only a matter of speed: small requests must not wait for one another.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(HttpError::Connect {
        origin: url.origin().to_string(),
        source: last,
    })
}

async fn speak<S>(stream: S, origin: &str) -> Result<Sender, HttpError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_buf_size(MAX_HEAD);
    let handshake = builder.handshake(Io::new(stream)).await;
    let (sender, connection) = handshake.map_err(|source| broken(origin, source))?;
    // Its end is told to the sender, which has the error.
    drop(tokio::spawn(connection));
    Ok(sender)
}

fn broken(url: &str, source: hyper::Error) -> HttpError {
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
