//! What faults wait for, with the bounds of the table.

use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::OnceCell;

use super::Episode;
use crate::stack::until;

/// The bounds of the table are those of a release build: a debug build is given so many times as much.
pub(crate) const ALLOWANCE: u64 = if cfg!(debug_assertions) { 3 } else { 1 };
/// An API is ready again after it was killed.
pub(crate) const READY: Duration = Duration::from_secs(2 * ALLOWANCE);
/// A relay leads again after one was killed: its lease, what the next one waits out, and a little.
pub(crate) const RELAYS: Duration = Duration::from_secs(8 * ALLOWANCE);
/// Read models are followed again after a projector was killed.
pub(crate) const PROJECTS: Duration = Duration::from_secs(5 * ALLOWANCE);
/// Commands are accepted again after Postgres is ready.
pub(crate) const SERVES: Duration = Duration::from_secs(5 * ALLOWANCE);
/// What went on has reached the head of the log.
const CATCHES_UP: Duration = Duration::from_secs(10 * ALLOWANCE);

const HEAD: &str = "select position from log_head";

impl Episode {
    /// Waits until the relay has confirmed what is in the log now.
    pub(crate) async fn relays(&self, bound: Duration) -> Duration {
        let sql = "select position from relay_progress";
        self.follows("the relay", sql, bound).await
    }

    /// Waits until every read model has applied what is in the log now.
    pub(crate) async fn projects(&self, bound: Duration) -> Duration {
        let sql = "select min(position) from checkpoints";
        self.follows("the projector", sql, bound).await
    }

    /// Waits until a command is accepted that is sent from now on.
    pub(crate) async fn accepts(&self, bound: Duration) -> Duration {
        let took = self.load.accepts().await;
        assert!(took < bound, "commands were accepted only after {took:?}");
        took
    }

    /// Waits until a position moves, within the bound, and then until it has reached what is now the
    /// head of the log.
    async fn follows(&self, what: &str, sql: &'static str, bound: Duration) -> Duration {
        let pool = &self.stack.pool;
        let (at_first, head) = (OnceCell::new(), OnceCell::new());
        let look = || async {
            let now = number(pool, sql).await?;
            let head = head.get_or_try_init(|| async { number(pool, HEAD).await.ok_or(()) });
            let head = *head.await.ok()?;
            let first = *at_first.get_or_init(|| async { now }).await;
            Some((first, now, head))
        };
        let resumed = until(what, || async {
            look()
                .await
                .is_some_and(|(first, now, head)| now > first || now >= head)
        })
        .await;
        assert!(resumed < bound, "{what} went on only after {resumed:?}");
        let caught_up = until(what, || async {
            look().await.is_some_and(|(_, now, head)| now >= head)
        })
        .await;
        assert!(
            caught_up < CATCHES_UP,
            "{what} caught up only after {caught_up:?}"
        );
        resumed + caught_up
    }
}

/// Nothing while Postgres is away.
async fn number(pool: &PgPool, sql: &'static str) -> Option<i64> {
    let found = sqlx::query_scalar(sql).fetch_one(pool).await;
    found.ok().flatten()
}
