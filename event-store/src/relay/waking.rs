//! Waking the relay that leads when another process has appended something.

use std::convert::Infallible;
use std::pin::pin;

use sqlx::PgPool;
use tokio::sync::Notify;

use super::Relay;
use crate::TimedPool;
use crate::notifications::{Notifications, notify};

/// The channel of Postgres on which processes notify the relay.
const CHANNEL: &str = "appended";

/// Until `end`, has the relay that leads, in whatever process, look for new events whenever `appended` is notified. If that
/// fails, the relay finds them at its next look.
pub async fn wake_leader(pool: &TimedPool, appended: &Notify, end: impl Future<Output = ()>) {
    let mut end = pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return,
            () = appended.notified() => {}
        }
        let notifying = notify(pool, CHANNEL, "");
        if let Err(error) = pool.with_timeout(notifying).await {
            tracing::debug!(%error, "the relay was not woken");
        }
    }
}

impl Relay {
    /// Looks for new events whenever another process has appended something.
    pub(super) async fn be_woken(&self) -> Infallible {
        let notifications = Notifications {
            pool: PgPool::clone(&self.pool),
            channel: CHANNEL,
            silence_max: self.settings.lease,
        };
        notifications.receive(|_| self.appended.notify_one()).await
    }
}
