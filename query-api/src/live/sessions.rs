//! Finds out which sessions have ended, so that the live updates of their users end with them. An access token alone is good until
//! it expires; a stream that shows what is one user's own ends sooner than that when the user logs out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use tidemark_event_store::TimedPool;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The most sessions that one statement looks for.
const SESSIONS_MAX: usize = 1_000;

/// The sessions whose end somebody waits for. Clones share them.
#[derive(Clone)]
pub(crate) struct Sessions {
    pool: TimedPool,
    /// The pause between two looks.
    pause: Duration,
    /// Each session, with whether it has ended.
    followed: Arc<Mutex<HashMap<Uuid, watch::Sender<bool>>>>,
}

impl Sessions {
    /// Nobody waits yet, and the log is looked at only while [`Sessions::run`] runs.
    pub(crate) fn new(pool: TimedPool, pause: Duration) -> Self {
        Self {
            pool,
            pause,
            followed: Arc::default(),
        }
    }

    /// Whether this session has ended, as far as is known from now on.
    pub(crate) fn follow(&self, session_id: Uuid) -> watch::Receiver<bool> {
        self.lock().entry(session_id).or_default().subscribe()
    }

    /// Looks until `stop` is cancelled.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        stop.run_until_cancelled(self.look_for_ever()).await;
    }

    async fn look_for_ever(&self) {
        let mut ticks = interval_at(Instant::now() + self.pause, self.pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for sessions in self.followed().chunks(SESSIONS_MAX) {
                match self.pool.read(|| ended(&self.pool, sessions)).await {
                    Ok(ended) => self.tell(&ended),
                    // Each stream ends with its access token at the latest.
                    Err(error) => {
                        tracing::warn!(%error, "cannot look for sessions that have ended");
                    }
                }
            }
        }
    }

    /// The sessions that somebody waits for. Forgets those of which nobody does any more.
    fn followed(&self) -> Vec<Uuid> {
        let mut followed = self.lock();
        followed.retain(|_, ended| ended.receiver_count() > 0);
        followed.keys().copied().collect()
    }

    fn tell(&self, ended: &[Uuid]) {
        let followed = self.lock();
        for session_id in ended {
            if let Some(sender) = followed.get(session_id) {
                sender.send_replace(true);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, watch::Sender<bool>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those of these sessions that have ended: nothing happens in a session after that.
async fn ended(pool: &PgPool, sessions: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"
        select asked.id as "id!"
          from unnest($1::uuid[]) as asked (id)
         cross join lateral (
               select type
                 from events
                where stream_id = asked.id
                order by version desc
                limit 1
         ) as last
         where last.type = 'session.ended'
        "#,
        sessions,
    )
    .fetch_all(pool)
    .await
}
