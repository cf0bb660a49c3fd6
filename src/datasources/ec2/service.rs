//! The service over the network.

use contract::datasource::SourceError;
use net::imds::{BODY_LIMIT, Imds, ImdsError};

use super::{Access, Answer, Service};

/// The real one.
pub(super) struct Network(Imds);

impl Network {
    /// A client that has sent nothing yet.
    ///
    /// # Errors
    /// An address in the settings that is none, with its place.
    pub(super) fn new(access: &Access) -> Result<Self, SourceError> {
        let urls = access.urls();
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        let client = Imds::new(&urls, access.max_wait, access.timeout);
        client.map(Self).map_err(|error| match &access.urls {
            Some(urls) => SourceError::Settings(format!("{}: metadata_urls: {error}", urls.place)),
            None => SourceError::Settings(error.to_string()),
        })
    }
}

impl Service for Network {
    fn get_all(&self, items: &[String]) -> Vec<Answer> {
        let answers = self.0.get_all(items).into_iter().zip(items);
        answers
            .map(|(answer, item)| answer.map_err(|error| failure(error, item)))
            .collect()
    }
}

fn failure(error: ImdsError, item: &str) -> SourceError {
    match error {
        ImdsError::Disabled => SourceError::Disabled,
        ImdsError::Deadline { seconds, last } => SourceError::Deadline {
            what: "the instance metadata service",
            seconds,
            source: last.into(),
        },
        ImdsError::TooLarge { item } => SourceError::TooLarge {
            item,
            limit: BODY_LIMIT,
        },
        ImdsError::Status { item, status } => SourceError::Answer {
            item,
            reason: format!("was answered with status {status}"),
        },
        other => SourceError::Fetch {
            item: item.to_owned(),
            source: Box::new(other),
        },
    }
}
