//! Gets what an address holds: a file of the machine, or something on the network.

use std::path::Path;

use contract::fetch::{Fetch, FetchError, Wanted, shown};
use contract::instance::InstanceMetadata;
use contract::machine::Probe;
use contract::secret::Secret;
use net::s3::S3;
use system::Host;

/// Whoever fetches for this machine.
pub(crate) struct Fetcher<'a> {
    host: &'a Host,
    net: net::fetch::Fetcher,
}

impl<'a> Fetcher<'a> {
    /// `file://` is below the root of `host`, `s3://` is asked with the role of the instance.
    pub(crate) fn new(host: &'a Host, s3: S3, metadata: &InstanceMetadata) -> Self {
        let (region, domain) = (metadata.region.clone(), metadata.service_domain.clone());
        let net = net::fetch::Fetcher::new(s3, region, domain);
        Self { host, net }
    }
}

/// Knows addresses, and fetches none.
pub(crate) struct Addresses;

/// Whether somebody could fetch that; nothing is sent.
fn check(net: &net::fetch::Fetcher, url: &str) -> Result<(), FetchError> {
    match url.strip_prefix("file://") {
        Some(path) if Path::new(path).is_absolute() => Ok(()),
        _ => net.check(url),
    }
}

impl Fetch for Addresses {
    fn check(&self, url: &str) -> Result<(), FetchError> {
        check(&net::fetch::Fetcher::new(S3::new(None), None, None), url)
    }

    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Secret<Vec<u8>>, FetchError> {
        Err(FetchError::Failed {
            url: shown(wanted.url),
            reason: "nothing is fetched here".to_owned(),
        })
    }
}

impl Fetch for Fetcher<'_> {
    fn check(&self, url: &str) -> Result<(), FetchError> {
        check(&self.net, url)
    }

    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Secret<Vec<u8>>, FetchError> {
        let Some(path) = wanted.url.strip_prefix("file://") else {
            return self.net.fetch(wanted);
        };
        let failed = |reason: &str| FetchError::Failed {
            url: shown(wanted.url),
            reason: reason.to_owned(),
        };
        match self.host.read(Path::new(path)) {
            Ok(Some(bytes)) if bytes.len() > wanted.max_bytes => Err(FetchError::TooLarge {
                url: shown(wanted.url),
                limit: wanted.max_bytes,
            }),
            Ok(Some(bytes)) => Ok(Secret::new(bytes)),
            Ok(None) => Err(failed("there is no such file")),
            Err(error) => Err(failed(&error.to_string())),
        }
    }
}
