//! How a process shows that it lives, so that what it has taken is its own, and how what a process had taken that has died
//! becomes due again.
//!
//! A session of its own holds a lock of Postgres, which ends with the session. If the process is killed, that is at once; if it is
//! only stopped or slow, the session goes on, and so does what it has taken, until the lease ends. If the session breaks off
//! while the process lives, both sides wait: the others until they have missed it for [`Presence::gone_after`], and the process
//! for less, until it breaks off what it does outside. So nobody repeats a call that is under way.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::ErrorKind;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

/// How often a process shows itself in the time after which others take it for dead.
const BEATS: u32 = 5;
/// After so many of them it takes itself for dead: earlier than others, who may be faster.
const BEATS_UNSEEN: u32 = 3;
/// After so many seconds of silence Postgres asks whether the machine of a process is still there, and so many times.
const KEEPALIVES: [(&str, &str); 3] = [
    ("tcp_keepalives_idle", "2"),
    ("tcp_keepalives_interval", "1"),
    ("tcp_keepalives_count", "3"),
];

/// Shows that a process lives, and looks for those that have died.
pub(crate) struct Presence {
    pool: PgPool,
    /// The id of this process.
    id: Uuid,
    /// For how long a process must be missed before what it has taken is due again.
    gone_after: Duration,
    is_seen: watch::Sender<bool>,
    /// Changed when actions have become due again.
    due: watch::Sender<()>,
}

/// What the senders of a process know of its presence.
#[derive(Clone, Debug)]
pub(crate) struct Present {
    /// The id of the process.
    pub(super) id: Uuid,
    is_seen: watch::Receiver<bool>,
}

impl Present {
    /// Waits until others see it.
    pub(super) async fn seen(&self) {
        self.wait_until(true).await;
    }

    /// Waits until others may take it for dead.
    pub(super) async fn unseen(&self) {
        self.wait_until(false).await;
    }

    async fn wait_until(&self, is_seen: bool) {
        let mut changes = self.is_seen.clone();
        if changes.wait_for(|it| *it == is_seen).await.is_err() {
            // Nothing shows the process any more, which ends.
            std::future::pending::<()>().await;
        }
    }
}

impl Presence {
    /// The presence of the process with this id. `due` is changed when actions have become due again.
    pub(crate) fn new(
        pool: PgPool,
        id: Uuid,
        gone_after: Duration,
        due: watch::Sender<()>,
    ) -> (Self, Present) {
        let (is_seen, seen) = watch::channel(false);
        let presence = Self {
            pool,
            id,
            gone_after,
            is_seen,
            due,
        };
        (presence, Present { id, is_seen: seen })
    }

    /// Shows the process for ever.
    pub(crate) async fn run(self) -> Infallible {
        let beat = self.gone_after / BEATS;
        let mut session = None;
        let mut missed = HashMap::new();
        let mut seen_until = Instant::now();
        loop {
            let begun = Instant::now();
            // A process that was stopped for long may still have its session, and asks. One that others do not see does nothing
            // outside, and so has as long as it takes to connect.
            let time_limit = if *self.is_seen.borrow() {
                seen_until.saturating_duration_since(begun).max(beat)
            } else {
                self.gone_after
            };
            let beating = timeout(time_limit, self.beat(&mut session, &mut missed));
            match beating.await.unwrap_or_else(|_| Err(silent())) {
                Ok(()) => {
                    seen_until = begun + beat * BEATS_UNSEEN;
                    self.show(true);
                    sleep(beat).await;
                }
                Err(error) => {
                    session = None;
                    let left = seen_until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        self.show(false);
                        tracing::warn!(%error, "others cannot be shown that this process lives, so it sends nothing");
                    }
                    sleep(if left.is_zero() { beat } else { beat.min(left) }).await;
                }
            }
        }
    }

    fn show(&self, is_seen: bool) {
        if self.is_seen.send_replace(is_seen) != is_seen && is_seen {
            tracing::info!(id = %self.id, "others see that this process sends actions");
        }
    }

    /// Holds the lock, and has what the dead have taken become due.
    async fn beat(
        &self,
        session: &mut Option<PgConnection>,
        missed: &mut HashMap<Uuid, Instant>,
    ) -> sqlx::Result<()> {
        let session = match session {
            Some(session) => session,
            None => session.insert(self.begin().await?),
        };
        // Looking at locks costs as much as everything else that a stack at rest asks in a second.
        let absent = sqlx::query_scalar!(
            r#"
            select absent_senders() as "id!"
             where exists (
                 select
                   from reactor_actions
                  where taken_by is not null
                    and done_at is null
             )
            "#
        );
        let absent = absent.fetch_all(&mut *session).await?;
        missed.retain(|id, _| absent.contains(id));
        let now = Instant::now();
        for id in absent {
            let since = *missed.entry(id).or_insert(now);
            if now - since >= self.gone_after {
                self.give_back(session, id).await?;
            }
        }
        Ok(())
    }

    /// Begins a session that holds the lock. An earlier session of this process may hold it too, as long as Postgres has not
    /// noticed its end.
    async fn begin(&self) -> sqlx::Result<PgConnection> {
        let options = PgConnectOptions::clone(&self.pool.connect_options());
        let mut session = PgConnection::connect_with(&options.options(KEEPALIVES)).await?;
        sqlx::query!("select pg_advisory_lock_shared(sender_lock($1))", self.id)
            .execute(&mut session)
            .await?;
        Ok(session)
    }

    /// Makes what a process has taken due at once, unless it is back.
    async fn give_back(&self, session: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
        let given_back = sqlx::query!(
            r#"
            update reactor_actions
               set next_attempt_at = clock_timestamp(),
                   taken_by = null
             where taken_by = $1
               and done_at is null
               and $1 in (select absent_senders())
            "#,
            id,
        )
        .execute(session)
        .await?;
        let actions = given_back.rows_affected();
        if actions > 0 {
            tracing::info!(
                actions,
                sender = %id,
                "actions are due again, since the process that had taken them is gone"
            );
            self.due.send_replace(());
        }
        Ok(())
    }
}

fn silent() -> sqlx::Error {
    sqlx::Error::Io(ErrorKind::TimedOut.into())
}
