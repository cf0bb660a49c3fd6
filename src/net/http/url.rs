//! An address of http or https, split as a request needs it.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;

/// An absolute `http://` or `https://` address without user name or password.
///
/// Displayed without its query string, which may hold a signature or a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    origin: Origin,
    path: String,
    query: Option<Query>,
}

/// Scheme, host and port: what one connection is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    tls: bool,
    host: String,
    port: u16,
}

#[derive(Clone, PartialEq, Eq)]
struct Query(String);

/// Why a text is no address to fetch from. The text itself is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum NotAUrl {
    /// It does not parse as a URI (RFC 3986).
    #[error("not a url")]
    Malformed,
    /// Another scheme than http and https, or none.
    #[error("not an http:// or https:// address")]
    Scheme,
    /// `user:password@` stands before the host.
    #[error("an address with a user name or password is not supported")]
    UserInfo,
}

impl Url {
    /// The host as it stands in the address; an IPv6 address without its brackets.
    pub(crate) fn host(&self) -> &str {
        &self.origin.host
    }

    /// The port, written or implied by the scheme.
    pub(crate) fn port(&self) -> u16 {
        self.origin.port
    }

    fn query(&self) -> Option<&str> {
        self.query.as_ref().map(|query| query.0.as_str())
    }

    /// Whether the address is fetched over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.origin.tls
    }

    /// The value of the `Host` header: the host, with the port where it is not the scheme's own.
    pub(crate) fn authority(&self) -> String {
        self.origin.authority()
    }

    /// The same origin with another path, written as a request line needs it, and query string.
    pub(crate) fn at(&self, path: &str, query: &str) -> Self {
        Self {
            origin: self.origin.clone(),
            path: path.to_owned(),
            query: Some(query)
                .filter(|query| !query.is_empty())
                .map(|query| Query(query.to_owned())),
        }
    }

    /// Where a `Location` header leads to from here: an address, or a path on the same host
    /// (RFC 9110, 10.2.2). Other relative forms are not taken.
    pub(crate) fn join(&self, location: &str) -> Result<Self, NotAUrl> {
        match location.split_once('/') {
            Some(("", rest)) if !rest.starts_with('/') => {
                format!("{}{location}", self.origin).parse()
            }
            _ => location.parse(),
        }
    }

    /// Whether scheme, host and port are the same.
    pub(crate) fn is_same_origin(&self, other: &Self) -> bool {
        self.origin == other.origin
    }

    /// Whether nothing but the origin is said.
    pub(crate) fn is_bare(&self) -> bool {
        self.path == "/" && self.query.is_none()
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What stands in the request line.
    pub(super) fn target(&self) -> String {
        match self.query() {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

impl Origin {
    fn authority(&self) -> String {
        let v6 = self.host.contains(':');
        let host = if v6 {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == default_port(self.tls) {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl FromStr for Url {
    type Err = NotAUrl;

    fn from_str(text: &str) -> Result<Self, NotAUrl> {
        let scheme = text.split("://").next().unwrap_or_default();
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(NotAUrl::Scheme),
        };
        let uri: Uri = text.parse().map_err(|_| NotAUrl::Malformed)?;
        let authority = uri.authority().ok_or(NotAUrl::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(NotAUrl::UserInfo);
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(NotAUrl::Malformed);
        }
        // `port_u16` says nothing of a port that is no number.
        let port = match authority.as_str().rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => {
                port.parse().map_err(|_| NotAUrl::Malformed)?
            }
            _ => default_port(tls),
        };
        let path = if uri.path().is_empty() {
            "/"
        } else {
            uri.path()
        }
        .to_owned();
        let query = uri.query().map(|query| Query(query.to_owned()));
        Ok(Self {
            origin: Origin { tls, host, port },
            path,
            query,
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_split_into_what_a_request_needs() {
        #[rustfmt::skip]
        let table = [
            // address                             host               port   Host header             request line
            ("http://169.254.169.254",             "169.254.169.254", 80,    "169.254.169.254",      "/"),
            ("http://[fd00:ec2::254]/latest/",     "fd00:ec2::254",   80,    "[fd00:ec2::254]",      "/latest/"),
            ("http://[::1]:8333/b?list-type=2",    "::1",             8333,  "[::1]:8333",           "/b?list-type=2"),
            ("https://s3.eu-central-1.amazonaws.com/b/a%20b", "s3.eu-central-1.amazonaws.com", 443,
                                                   "s3.eu-central-1.amazonaws.com",                  "/b/a%20b"),
            ("https://example.org:443/x#part",     "example.org",     443,   "example.org",          "/x"),
        ];
        for (text, host, port, authority, target) in table {
            let url: Url = text.parse().unwrap();
            assert_eq!((url.host(), url.port()), (host, port), "{text}");
            assert_eq!(
                (url.authority().as_str(), url.target().as_str()),
                (authority, target)
            );
        }
    }

    #[test]
    fn what_cannot_be_fetched_is_refused_by_reason() {
        let table = [
            ("s3://bucket/key", NotAUrl::Scheme),
            ("file:///etc/passwd", NotAUrl::Scheme),
            ("/latest/meta-data", NotAUrl::Scheme),
            ("http://user:pw@example.org/", NotAUrl::UserInfo),
            ("http://exa mple.org/", NotAUrl::Malformed),
            ("http://example.org:99999/", NotAUrl::Malformed),
            ("", NotAUrl::Scheme),
        ];
        for (text, reason) in table {
            assert_eq!(text.parse::<Url>(), Err(reason), "{text}");
        }
    }

    #[test]
    fn the_query_string_is_never_shown() {
        let url: Url = "https://b.s3.amazonaws.com/k?X-Amz-Signature=abc"
            .parse()
            .unwrap();
        assert_eq!(url.to_string(), "https://b.s3.amazonaws.com/k");
        assert!(!format!("{url:?}").contains("abc"));
    }
}
