//! The one runtime of the process, and the only place that blocks on it.

use std::io;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

use crate::http::{Client, HttpError, Limits, Request, Response};

/// The network, for code that is not async: a runtime on the calling thread, made at first use,
/// and a client that keeps its connections.
///
/// Its methods block; they must not be called from async code.
#[derive(Default)]
pub struct Net {
    runtime: OnceLock<Runtime>,
    client: Client,
}

impl Net {
    /// Costs nothing until it is used.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `future` to its end on this thread.
    ///
    /// # Errors
    /// The runtime could not be made.
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output, HttpError> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime.block_on(future));
        }
        let made = Builder::new_current_thread().enable_all().build();
        let made = made.map_err(HttpError::Runtime)?;
        Ok(self.runtime.get_or_init(|| made).block_on(future))
    }

    /// The client, for async code.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Asks, and takes the whole answer, whatever its status.
    ///
    /// # Errors
    /// As [`Client::fetch`].
    pub fn fetch(&self, request: &Request, limits: &Limits) -> Result<Response, HttpError> {
        self.block_on(self.client.fetch(request, limits))?
    }

    /// Asks, and hands a successful answer's body to `sink`.
    ///
    /// # Errors
    /// As [`Client::download`].
    pub fn download(
        &self,
        request: &Request,
        limits: &Limits,
        sink: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Response, HttpError> {
        self.block_on(self.client.download(request, limits, sink))?
    }
}
