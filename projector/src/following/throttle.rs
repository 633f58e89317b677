//! Bounds how fast the log is applied while a generation is built.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The bound on a subscriber since it started.
#[derive(Debug)]
pub(super) struct Throttle {
    events_per_second: u32,
    started_at: Instant,
    started_from: i64,
}

impl Throttle {
    /// A bound on what follows this position from now on.
    pub(super) fn new(events_per_second: u32, position: i64) -> Self {
        Self {
            events_per_second,
            started_at: Instant::now(),
            started_from: position,
        }
    }

    /// Waits until the log may be applied beyond this position.
    pub(super) async fn wait(&self, position: i64) {
        let applied = u32::try_from(position - self.started_from).unwrap_or(u32::MAX);
        let takes = Duration::from_secs(1) * applied / self.events_per_second;
        sleep_until(self.started_at + takes).await;
    }
}
