//! What faults wait for afterwards, and how long that may take.

use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::sync::OnceCell;
use tokio::time::sleep;

use super::Injection;
use crate::stack::Stack;
use crate::wait::wait_until;

/// The bounds are those of a release build. A debug build is given this many times as much.
pub(super) const SLOWNESS: u64 = if cfg!(debug_assertions) { 3 } else { 1 };
/// Until an API is ready again after it was killed.
pub(super) const API_READY: Duration = Duration::from_secs(2 * SLOWNESS);
/// Until a relay publishes again after one was killed: the lease must run out, the next relay waits
/// out what the old one may still have in flight, and 2 s more.
pub(super) const RELAY_RESUMES: Duration = Duration::from_secs(8 * SLOWNESS);
/// Until read models are followed again after a projector was killed.
pub(super) const PROJECTOR_RESUMES: Duration = Duration::from_secs(5 * SLOWNESS);
/// Until commands are accepted again after Postgres is ready.
pub(super) const COMMANDS_RESUME: Duration = Duration::from_secs(5 * SLOWNESS);
/// Until what has resumed reaches the head of the log.
const CATCH_UP: Duration = Duration::from_secs(10 * SLOWNESS);

/// How long a transaction may be idle. One that is idle for longer was forgotten.
const IDLE_MAX: &str = "1 second";
/// Longer than that, so that every forgotten transaction shows.
const IDLE_WATCH: Duration = Duration::from_millis(2_500);

/// How many times slower queries may be while Redis is away or of no use.
const SLOWER: u32 = 5;
/// Queries that were faster than this are taken to have been this slow.
const P99_MIN: Duration = Duration::from_millis(50 * SLOWNESS);

const HEAD: &str = "select position from log_head";

impl Injection {
    /// Waits until a command is accepted and a query answered that are sent from now on.
    pub(super) async fn wait_for_service(&self) -> Duration {
        let (commands, queries) = futures::join!(
            self.load.wait_for_accepted_command(),
            self.load.wait_for_answered_query()
        );
        commands.max(queries)
    }

    /// Waits until a command is accepted that is sent from now on, and fails if that takes longer
    /// than `bound`.
    pub(super) async fn wait_for_commands(&self, bound: Duration) -> Duration {
        let took = self.load.wait_for_accepted_command().await;
        assert!(
            took < bound,
            "commands were accepted only after {took:?}, not within {bound:?}"
        );
        took
    }

    /// Waits until the relay publishes again, within `bound`, and has published what is in the log
    /// now.
    pub(super) async fn wait_for_relay(&self, bound: Duration) -> Duration {
        let sql = "select position from relay_progress";
        self.wait_for_position("the relay", sql, bound).await
    }

    /// Waits until the read models are followed again, within `bound`, and have applied what is in
    /// the log now.
    pub(super) async fn wait_for_read_models(&self, bound: Duration) -> Duration {
        let sql = "select min(position) from checkpoints";
        self.wait_for_position("the slowest read model", sql, bound)
            .await
    }

    /// Waits until a position moves, within `bound`, and then until it has reached the head that
    /// the log had at first.
    async fn wait_for_position(&self, what: &str, sql: &'static str, bound: Duration) -> Duration {
        let pool = &self.stack.pool;
        let (first, head) = (OnceCell::new(), OnceCell::new());
        let look = || async {
            let now = number(pool, sql).await?;
            let head = head.get_or_try_init(|| async { number(pool, HEAD).await.ok_or(()) });
            let head = *head.await.ok()?;
            let first = *first.get_or_init(|| async { now }).await;
            Some((first, now, head))
        };
        let resumed = wait_until(&format!("{what} moves"), || async {
            look()
                .await
                .is_some_and(|(first, now, head)| now > first || now >= head)
        })
        .await;
        assert!(
            resumed < bound,
            "{what} moved only after {resumed:?}, not within {bound:?}"
        );
        let caught_up = wait_until(&format!("{what} reaches the head of the log"), || async {
            look().await.is_some_and(|(_, now, head)| now >= head)
        })
        .await;
        assert!(
            caught_up < CATCH_UP,
            "{what} reached the head of the log only {caught_up:?} after it moved, not within \
             {CATCH_UP:?}"
        );
        resumed + caught_up
    }
}

/// Reads a number, unless Postgres is away.
async fn number(pool: &PgPool, sql: &'static str) -> Option<i64> {
    let found = sqlx::query_scalar(sql).fetch_one(pool).await;
    found.ok().flatten()
}

/// Fails if 99 of 100 queries took much longer than before.
pub(super) fn assert_fast_queries(before: Duration, meanwhile: Duration) {
    assert!(
        meanwhile <= before.max(P99_MIN) * SLOWER,
        "99 of 100 queries took up to {meanwhile:?}, and {before:?} before"
    );
}

/// Waits until the relay has published all that is in the log now, however long that takes.
pub(super) async fn wait_until_published(stack: &Stack) -> Duration {
    let head = stack.head().await;
    wait_until("the relay reaches the head of the log", || async {
        let published: i64 = sqlx::query_scalar("select position from relay_progress")
            .fetch_one(&stack.pool)
            .await
            .unwrap_or_default();
        published >= head
    })
    .await
}

/// Watches for a while that no connection is idle in a transaction that nobody will end.
pub(super) async fn assert_no_forgotten_transaction(stack: &Stack) {
    let started = Instant::now();
    while started.elapsed() < IDLE_WATCH {
        let forgotten: Vec<String> = sqlx::query_scalar(
            "
            select format('%s since %s: %s', usename, state_change, query)
              from pg_stat_activity
             where state like 'idle in transaction%'
               and state_change < clock_timestamp() - $1::interval
            ",
        )
        .bind(IDLE_MAX)
        .fetch_all(&stack.pool)
        .await
        .unwrap();
        assert!(
            forgotten.is_empty(),
            "idle in a transaction for more than {IDLE_MAX}: {forgotten:?}"
        );
        sleep(Duration::from_millis(100)).await;
    }
}
