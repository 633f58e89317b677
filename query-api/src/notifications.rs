//! Receives what projectors notify of their writes. It only makes waiting short: whoever waits looks from time to time in
//! any case, because a notification may be lost, and a replica of Postgres sends none.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener};
use tidemark_read_models::notification;
use tidemark_read_models::notification::Advanced;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Listens on a connection of its own.
#[derive(Clone)]
pub(crate) struct Notifications {
    /// A pool of one connection, as it is configured.
    pub(crate) pool: PgPool,
    /// How long nothing may come before it is asked whether the other end of the connection is still there, and the pause
    /// after a failure.
    pub(crate) silence_max: Duration,
}

impl Notifications {
    /// Hands on of which shards it was notified, for ever. Those for which there is no room are lost.
    pub(crate) async fn hand_on(&self, to: mpsc::Sender<Vec<Advanced>>) {
        let mut is_failing = false;
        loop {
            let Err(error) = self.listen(&to, &mut is_failing).await;
            if is_failing {
                tracing::debug!(%error, "projectors still cannot notify this process");
            } else {
                tracing::info!(%error, "projectors cannot notify this process, which looks by itself");
            }
            is_failing = true;
            sleep(self.silence_max).await;
        }
    }

    /// Listens until that fails. `is_failing` becomes false as soon as it works.
    async fn listen(
        &self,
        to: &mpsc::Sender<Vec<Advanced>>,
        is_failing: &mut bool,
    ) -> sqlx::Result<Infallible> {
        // A pool of its own, since a listener whose connection is dead gives it back only when the kernel gives up.
        let options = PgConnectOptions::clone(&self.pool.connect_options());
        let pool = self.pool.options().clone().connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool).await?;
        let listening = timeout(self.silence_max, listener.listen(notification::CHANNEL)).await;
        listening.map_err(|_| sqlx::Error::Io(ErrorKind::TimedOut.into()))??;
        if std::mem::take(is_failing) {
            tracing::info!("projectors notify this process again");
        }
        loop {
            match timeout(self.silence_max, listener.try_recv()).await {
                Ok(Ok(Some(notified))) => {
                    // Those that wait have been overtaken if the channel is full, and the next look tells the rest.
                    let _ = to.try_send(notification::parse(notified.payload()));
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    let ping = sqlx::query("select 1").execute(&mut listener);
                    let answered = timeout(self.silence_max, ping).await;
                    answered.map_err(|_| sqlx::Error::Io(ErrorKind::TimedOut.into()))??;
                }
            }
        }
    }
}
