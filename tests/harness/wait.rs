//! Waiting, in the one place where tests wait: for what was begun to be finished, with a deadline.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::App;

/// Between two looks.
const POLL: Duration = Duration::from_millis(10);
/// For what takes milliseconds on a machine that does nothing else, and a takeover of leases.
const DEADLINE: Duration = Duration::from_secs(30);

/// Looks until there is something, and gives it.
///
/// # Panics
/// If there is nothing for too long; `what` says what was waited for.
#[track_caller]
pub fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let started = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(
                started.elapsed() < DEADLINE,
                "waited in vain for {what} ({caller})"
            );
            tokio::time::sleep(POLL).await;
        }
    }
}

impl App {
    /// Waits until the relay and the projector have followed the log to its end, and no reactor owes
    /// anything that is due. What they append meanwhile is followed too.
    #[track_caller]
    pub fn settle(&self) -> impl Future<Output = ()> {
        eventually("everything to follow the log", || async {
            let behind = self.behind().await;
            behind.is_empty().then_some(())
        })
    }

    /// What is not at the head of the log yet.
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
            ",
        )
        .bind(self.relay)
        .bind(self.projector.load(Ordering::Relaxed))
        .fetch_all(&self.database.pool)
        .await
        .unwrap()
    }
}
