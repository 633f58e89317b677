//! Waking senders in other processes: what performs effects may run apart from the reactors that ask for them.

use std::convert::Infallible;
use std::time::Duration;

use sqlx::PgPool;
use tidemark_event_store::{Notifications, TimedPool, notify};
use tokio::sync::watch;

/// The channel of Postgres on which reactors notify processes that perform effects.
const CHANNEL: &str = "actions";

/// Notifies other processes whenever reactors of this one have stored actions. If that fails, senders find these at their
/// next look.
pub(crate) async fn wake_others(pool: TimedPool, mut stored: watch::Receiver<()>) {
    while stored.changed().await.is_ok() {
        if let Err(error) = pool.with_timeout(notify(&pool, CHANNEL, "")).await {
            tracing::debug!(%error, "the processes that perform effects were not woken");
        }
    }
}

/// Changes `stored` whenever reactors of another process have stored actions.
pub(crate) async fn be_woken(
    pool: PgPool,
    silence_max: Duration,
    stored: watch::Sender<()>,
) -> Infallible {
    let notifications = Notifications {
        pool,
        channel: CHANNEL,
        silence_max,
    };
    notifications.receive(|_| stored.send_replace(())).await
}
