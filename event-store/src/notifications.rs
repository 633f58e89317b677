//! Notifications of Postgres, which only make waiting short: whoever waits looks from time to time in any case, because a
//! notification may be lost, and a replica of Postgres sends none.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener};
use tokio::time::{sleep, timeout};

/// Listens to one channel, on a connection of its own.
#[derive(Clone, Debug)]
pub struct Notifications {
    /// What the connection is made like.
    pub pool: PgPool,
    /// The name of the channel.
    pub channel: &'static str,
    /// How long nothing may come before it is asked whether the other end of the connection is still there, and the pause
    /// after a failure.
    pub silence_max: Duration,
}

/// Notifies those who listen to a channel.
///
/// # Errors
/// If Postgres fails.
pub async fn notify(pool: &PgPool, channel: &str, payload: &str) -> sqlx::Result<()> {
    sqlx::query("select pg_notify($1, $2)")
        .bind(channel)
        .bind(payload)
        .execute(pool)
        .await
        .map(drop)
}

impl Notifications {
    /// Gives the payload of each notification to `take`, for ever.
    pub async fn receive(&self, mut take: impl FnMut(&str)) -> Infallible {
        let channel = self.channel;
        let mut is_failing = false;
        loop {
            let Err(error) = self.listen(&mut take, &mut is_failing).await;
            if is_failing {
                tracing::debug!(channel, %error, "notifications still do not reach this process");
            } else {
                tracing::info!(channel, %error, "notifications do not reach this process, which looks by itself");
            }
            is_failing = true;
            sleep(self.silence_max).await;
        }
    }

    /// Listens until that fails. `is_failing` becomes false as soon as it works.
    async fn listen(
        &self,
        take: &mut impl FnMut(&str),
        is_failing: &mut bool,
    ) -> sqlx::Result<Infallible> {
        // A pool of its own, since a listener whose connection is dead gives it back only when the kernel gives up.
        let options = PgConnectOptions::clone(&self.pool.connect_options());
        let pool = self.pool.options().clone().connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool).await?;
        self.in_time(listener.listen(self.channel)).await?;
        if std::mem::take(is_failing) {
            tracing::info!(
                channel = self.channel,
                "notifications reach this process again"
            );
        }
        loop {
            match timeout(self.silence_max, listener.try_recv()).await {
                Ok(Ok(Some(notified))) => take(notified.payload()),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    let ping = sqlx::query("select 1").execute(&mut listener);
                    self.in_time(ping).await?;
                }
            }
        }
    }

    async fn in_time<T>(&self, query: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
        let answered = timeout(self.silence_max, query).await;
        answered.map_err(|_| sqlx::Error::Io(ErrorKind::TimedOut.into()))?
    }
}
