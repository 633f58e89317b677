//! A pool of connections to Postgres that gives a query up when no answer comes.
//!
//! Postgres ends a slow statement by itself. But if the other end of a connection has vanished, no
//! answer ever comes, and neither sqlx nor the kernel notices. So the client needs a limit too.

use std::io::ErrorKind;
use std::ops::Deref;
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::timeout;

/// Connections to Postgres, and how long an answer may take.
#[derive(Clone, Debug)]
pub struct TimedPool {
    pool: PgPool,
    response_timeout: Duration,
}

impl TimedPool {
    /// A pool on which [`Self::with_timeout`] waits for `response_timeout`, which must be longer than
    /// Postgres lets a statement run.
    #[must_use]
    pub const fn new(pool: PgPool, response_timeout: Duration) -> Self {
        Self {
            pool,
            response_timeout,
        }
    }

    /// Awaits `query` for as long as an answer may take. A query that is given up is dropped, and its
    /// connection is closed.
    ///
    /// # Errors
    /// The error of the query, or [`ErrorKind::TimedOut`] if there was no answer in time.
    pub async fn with_timeout<T, E: From<sqlx::Error>>(
        &self,
        query: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match timeout(self.response_timeout, query).await {
            Ok(answer) => answer,
            Err(_) => Err(sqlx::Error::Io(ErrorKind::TimedOut.into()).into()),
        }
    }
}

impl Deref for TimedPool {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        &self.pool
    }
}
