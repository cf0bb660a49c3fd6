//! One request to the metadata service, and its whole answer.

use std::future::Future;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, RETRY_AFTER};
use hyper::{Method, Request, StatusCode};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::error::{Failure, ImdsError};
use crate::io::Io;

/// An answer may be as large as the largest user data: 64 KiB.
const BODY_LIMIT: usize = 64 * 1024;

/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(5);

/// How soon a connection that could not be made is tried again: at boot the network is about to
/// be there, and a try that fails at once costs nothing.
const RECONNECT: Duration = Duration::from_millis(200);

/// A connection that is kept.
pub(super) type Connection = SendRequest<Empty<Bytes>>;

/// Where the service is.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// As the Host header says it.
    pub(super) host: String,
    /// As a socket is connected to it.
    pub(super) address: String,
}

impl Endpoint {
    pub(super) fn parse(url: &str) -> Result<Self, ImdsError> {
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

pub(super) fn request(
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
pub(super) async fn exchange(
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
