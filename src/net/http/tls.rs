//! TLS for https addresses: rustls over ring, trusting the certificates that the distribution
//! trusts.
//!
//! Reading the distribution's bundle takes tens of milliseconds, so nothing here runs before the
//! first https address: a boot that speaks only to the metadata service never pays for it.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why a TLS connection did not come about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// The machine has no certificate to trust, so no server can be.
    #[error("no certificate authority is installed: install the ca-certificates package")]
    NoRoots,
    /// The provider does not support the protocol versions asked for.
    #[error("cannot set up tls")]
    Setup(#[source] rustls::Error),
    /// The host is not a name that a certificate can carry.
    #[error("`{host}` is not a name that a certificate can carry")]
    Name {
        /// The host of the address.
        host: String,
        /// What is wrong with it.
        source: InvalidDnsNameError,
    },
    /// A certificate that begins later than it is: most often the clock is wrong, not the certificate.
    #[error("by this machine's clock the certificate is not valid yet: is the clock right?")]
    Clock(#[source] io::Error),
    /// The handshake failed: most often a certificate that is not trusted or for another name.
    #[error("tls handshake failed")]
    Handshake(#[source] io::Error),
}

/// The TLS configuration of one client, made at the first https address and kept.
#[derive(Default)]
pub(super) struct Tls(OnceLock<Arc<ClientConfig>>);

impl Tls {
    /// Speaks TLS over `stream` with the server that must prove to be `host`.
    pub(super) async fn connect<S>(&self, host: &str, stream: S) -> Result<TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(|source| TlsError::Name {
            host: host.to_owned(),
            source,
        })?;
        let connector = TlsConnector::from(self.config()?);
        connector.connect(name, stream).await.map_err(refused)
    }

    fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        if let Some(config) = self.0.get() {
            return Ok(Arc::clone(config));
        }
        let config = config(rustls_native_certs::load_native_certs().certs)?;
        Ok(Arc::clone(self.0.get_or_init(|| config)))
    }
}

fn refused(error: io::Error) -> TlsError {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        )) => TlsError::Clock(error),
        _ => TlsError::Handshake(error),
    }
}

/// The one place where the cryptography is chosen.
fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// Certificates that cannot be parsed are left out, as every browser does; none at all is an error.
fn config(certificates: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    let (trusted, _unreadable) = roots.add_parsable_certificates(certificates);
    if trusted == 0 {
        return Err(TlsError::NoRoots);
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_of_the_future_makes_one_look_at_the_clock() {
        #[rustfmt::skip]
        let table = [
            (CertificateError::NotValidYet,     true),
            (CertificateError::Expired,         false),
            (CertificateError::UnknownIssuer,   false),
        ];
        for (error, expected) in table {
            let error = rustls::Error::InvalidCertificate(error);
            let text = refused(io::Error::new(io::ErrorKind::InvalidData, error)).to_string();
            assert_eq!(text.contains("clock"), expected, "{text}");
        }
    }
}
