//! Amazon S3, and stores that speak as it does: lists and objects, asked with the credentials of
//! the instance's role.
//!
//! Source: Amazon S3 API Reference, "ListObjectsV2", "GetObject", "Error responses"; Amazon S3
//! User Guide, "Making requests", "Request redirection".

mod bucket;
mod credentials;
mod download;
mod error;
pub mod list;
pub mod sign;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use contract::secret::Secret;
use tokio::time::timeout;

use crate::http::Client;
use crate::imds::Imds;
use crate::runtime::block_on;
use bucket::Bucket;
use credentials::Credentials;
pub use download::{Got, Sink};
pub use error::S3Error;
pub use list::Object;

/// A list with more objects than this is refused.
pub const OBJECTS_MAX: usize = 100_000;

/// Where a bucket is, and who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// Its name.
    pub bucket: String,
    /// `https://s3.example.com`: a store that speaks S3 and is not AWS.
    pub endpoint: Option<String>,
    /// Where to ask first, such as the instance's own region: S3 tells if it is another one.
    pub region: Option<String>,
    /// The DNS suffix of AWS's services here: `amazonaws.com`.
    pub domain: Option<String>,
    /// Whether to ask without credentials.
    pub anonymous: bool,
}

/// How the instance's metadata service, which hands out the role's credentials, is reached.
#[derive(Debug, Clone)]
pub struct RoleSource {
    /// Addresses, all tried at once.
    pub urls: Vec<String>,
    /// The budget of everything together.
    pub budget: Duration,
    /// The budget of one request.
    pub patience: Duration,
}

/// A client of S3. Nothing is sent, and no TLS is set up, before it is used; clones share
/// connections and credentials.
#[derive(Debug, Clone)]
pub struct S3 {
    client: Client,
    credentials: Arc<Credentials>,
    regions: Arc<Mutex<Vec<(String, String)>>>,
}

impl S3 {
    /// A client with the credentials of the role that `source` knows. `None`: this machine is not
    /// known to have a metadata service, and only what everybody may read can be read.
    #[must_use]
    pub fn new(source: Option<RoleSource>) -> Self {
        Self {
            client: Client::default(),
            credentials: Arc::new(Credentials::new(source)),
            regions: Arc::default(),
        }
    }

    /// The objects whose keys begin with `prefix`, in the order of their keys.
    ///
    /// # Errors
    /// When the bucket cannot be listed, or holds more than [`OBJECTS_MAX`].
    pub fn list(&self, at: &Location, prefix: &str) -> Result<Vec<Object>, S3Error> {
        let bucket = Bucket::of(self, at)?;
        block_on(async { bucket.list(prefix).await }).map_err(S3Error::Runtime)?
    }

    /// Writes objects into their sinks, several at the same time, and gives the sinks back in
    /// their order, each with what became of it. An object that has another entity tag by now is
    /// [`S3Error::Changed`].
    pub fn download<T: Sink + Send + 'static>(
        &self,
        at: &Location,
        wanted: Vec<(Object, T)>,
    ) -> Vec<(T, Result<Got, S3Error>)> {
        match Bucket::of(self, at) {
            Ok(bucket) => download::all(&Arc::new(bucket), wanted),
            Err(error) => {
                let error = Arc::new(error);
                let failed = |sink| (sink, Err(S3Error::Shared(Arc::clone(&error))));
                wanted.into_iter().map(|(_, sink)| failed(sink)).collect()
            }
        }
    }

    /// One object of at most `limit` bytes, whole, with everything that it takes (credentials, the
    /// bucket's region, further tries) within `budget`.
    ///
    /// # Errors
    /// When it cannot be read in time, or is larger.
    pub fn get(
        &self,
        at: &Location,
        key: &str,
        limit: u64,
        budget: Duration,
    ) -> Result<Secret<Vec<u8>>, S3Error> {
        let bucket = Bucket::of(self, at)?;
        let got = block_on(async { timeout(budget, bucket.get(key, limit)).await });
        got.map_err(S3Error::Runtime)?
            .map_err(|_| S3Error::Deadline {
                what: format!("get s3://{}/{key}", at.bucket),
                budget,
            })?
    }
}

impl RoleSource {
    fn service(&self) -> Result<Imds, S3Error> {
        let urls: Vec<&str> = self.urls.iter().map(String::as_str).collect();
        Imds::new(&urls, self.budget, self.patience).map_err(S3Error::Imds)
    }
}

#[cfg(test)]
mod tests;
