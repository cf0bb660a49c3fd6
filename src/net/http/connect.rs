//! From an address to a connection that HTTP is spoken on.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::Sender;
use super::error::{self, HttpError};
use super::tls::{Tls, TlsError};
use super::url::Url;
use crate::io::Io;

/// An answer's headers, in bytes; more is refused.
const MAX_HEAD: usize = 64 * 1024;

/// A new connection to the host of `url`, with TLS where the address says https.
pub(super) async fn connect(url: &Url, tls: &Tls) -> Result<Sender, HttpError> {
    let origin = url.origin().to_string();
    let stream = dial(url).await?;
    if !url.is_https() {
        return speak(stream, &origin).await;
    }
    match tls.connect(url.host(), stream).await {
        Ok(stream) => speak(stream, &origin).await,
        // Without an error of TLS in it, the connection itself broke.
        Err(TlsError::Handshake(source)) if source.get_ref().is_none() => {
            Err(HttpError::Connect { origin, source })
        }
        Err(source) => Err(HttpError::Tls { origin, source }),
    }
}

async fn dial(url: &Url) -> Result<TcpStream, HttpError> {
    let resolve = |source| HttpError::Resolve {
        host: url.host().to_owned(),
        source,
    };
    let addresses = tokio::net::lookup_host((url.host(), url.port())).await;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses.map_err(resolve)? {
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
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_buf_size(MAX_HEAD);
    let handshake = builder.handshake(Io::new(stream)).await;
    let (sender, connection) = handshake.map_err(|source| error::broken(origin, source))?;
    // Its end is told to the sender, which has the error.
    drop(tokio::spawn(connection));
    Ok(sender)
}
