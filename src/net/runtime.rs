//! The one runtime of this process, made at the first use of the network.

use std::future::Future;
use std::io;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// Runs `future` to its end on this thread. Never to be called from async code.
///
/// # Errors
/// The kernel gives no epoll instance.
pub(crate) fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.block_on(future));
    }
    let made = Builder::new_current_thread().enable_all().build()?;
    Ok(RUNTIME.get_or_init(|| made).block_on(future))
}
