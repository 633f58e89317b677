//! The one place where tests wait: until a condition holds, or until everything has followed the log.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::App;

/// The time between two attempts.
const POLL: Duration = Duration::from_millis(10);
/// Long enough for work that takes milliseconds on an idle machine with a fast disk, and for the takeover of a lease.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// Calls `attempt` until it returns something, and returns that.
///
/// # Panics
/// If that takes too long. `what` says what the test waits for.
#[track_caller]
pub fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut attempt: impl FnMut() -> F,
) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let started = Instant::now();
        loop {
            if let Some(found) = attempt().await {
                return found;
            }
            assert!(
                started.elapsed() < DEADLINE,
                "timed out while waiting for {what} ({caller})"
            );
            tokio::time::sleep(POLL).await;
        }
    }
}

impl App {
    /// Waits until the relay, all read models and all reactors have followed the log to its end and no
    /// command is due any more, including everything that is appended meanwhile. Effects may wait for a destination.
    #[track_caller]
    pub fn settle(&self) -> impl Future<Output = ()> {
        eventually("everything to follow the log", || async {
            let behind = self.behind().await;
            behind.is_empty().then_some(())
        })
    }

    /// The names of those that have not followed the log to its end yet.
    async fn behind(&self) -> Vec<String> {
        sqlx::query_scalar(
            "
            select 'relay'
              from relay_progress, log_head
             where $1
               and relay_progress.position < log_head.position
             union all
            select read_model
              from checkpoints, log_head
             where $2
               and checkpoints.position < log_head.position
             union all
            select name
              from reactors, log_head
             where $2
               and reactors.position < log_head.position
             union all
            select path
              from reactor_actions
             where $2
               and done_at is null
               and due_at <= clock_timestamp()
               and (effect is null or path <> '')
            ",
        )
        .bind(self.relay)
        .bind(self.projector.load(Ordering::Relaxed))
        .fetch_all(&self.database.pool)
        .await
        .unwrap()
    }
}
