//! Work that blocks while it waits for brokers.

use tokio::task::spawn_blocking;

use super::error::Error;

/// Runs the work on a thread that may block.
pub(super) async fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    // The task is lost only when the runtime ends, and then nobody uses the result.
    spawn_blocking(work).await.unwrap_or(Err(Error::Ending))
}
