//! Waiting for a condition, with an end.

use std::time::{Duration, Instant};

/// Longer than anything takes to start, crash recovery included.
const TIMEOUT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// Polls a condition until it holds, and returns how long that took. `what` names in the panic's
/// message what was waited for.
///
/// # Panics
/// If the condition does not hold within a minute.
pub(crate) async fn wait_until<F: Future<Output = bool>>(
    what: &str,
    mut condition: impl FnMut() -> F,
) -> Duration {
    let started = Instant::now();
    while !condition().await {
        assert!(
            started.elapsed() < TIMEOUT,
            "timed out after {TIMEOUT:?}: {what}"
        );
        tokio::time::sleep(POLL).await;
    }
    started.elapsed()
}
