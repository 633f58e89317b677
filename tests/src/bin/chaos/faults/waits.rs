//! What faults wait for, with the bounds of the table.

use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::OnceCell;

use super::Episode;
use crate::stack::until;

/// An API is ready again after it was killed.
pub(crate) const READY: Duration = Duration::from_secs(2);
/// A relay leads again after one was killed: its lease, what the next one waits out, and a little.
pub(crate) const RELAYS: Duration = Duration::from_secs(8);
/// Read models are followed again after a projector was killed.
pub(crate) const PROJECTS: Duration = Duration::from_secs(5);
/// Commands are accepted again after Postgres is ready.
pub(crate) const SERVES: Duration = Duration::from_secs(5);

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

    async fn follows(&self, what: &str, sql: &'static str, bound: Duration) -> Duration {
        let pool = &self.stack.pool;
        let head = OnceCell::new();
        let took = until(what, || async {
            let at_first = || async {
                number(pool, "select position from log_head")
                    .await
                    .ok_or(())
            };
            let Ok(head) = head.get_or_try_init(at_first).await else {
                return false;
            };
            number(pool, sql).await >= Some(*head)
        })
        .await;
        assert!(took < bound, "{what} followed only after {took:?}");
        took
    }
}

/// Nothing while Postgres is away.
async fn number(pool: &PgPool, sql: &'static str) -> Option<i64> {
    let found = sqlx::query_scalar(sql).fetch_one(pool).await;
    found.ok().flatten()
}
