//! A pool of connections to Postgres that gives a query up when no answer comes.
//!
//! Postgres ends a slow statement by itself. But if the other end of a connection has vanished, no
//! answer ever comes, and neither sqlx nor the kernel notices. So the client needs a limit too.

use std::io::ErrorKind;
use std::ops::Deref;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::error::DatabaseError;
use tokio::time::timeout;

/// What the client's end of a connection says when the other end is gone.
const CUT: [ErrorKind; 4] = [
    ErrorKind::BrokenPipe,
    ErrorKind::ConnectionAborted,
    ErrorKind::ConnectionReset,
    ErrorKind::UnexpectedEof,
];

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

    /// Awaits a query on this pool that only reads, as [`Self::with_timeout`] does. Connections are lent untested, and one
    /// that was cut since its last query is noticed only now. So the query is sent again on another one, as often as there
    /// may be such connections.
    ///
    /// # Errors
    /// As [`Self::with_timeout`].
    pub async fn read<T, F>(&self, query: impl Fn() -> F) -> sqlx::Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let connections = self.pool.options().get_max_connections();
        self.read_over(connections, query).await
    }

    /// The same for a query on another pool, which has so many connections at most.
    ///
    /// # Errors
    /// As [`Self::with_timeout`].
    pub async fn read_over<T, F>(&self, connections: u32, query: impl Fn() -> F) -> sqlx::Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let answered = async {
            for _ in 0..connections {
                match query().await {
                    Err(error) if is_cut(&error) => {}
                    answer => return answer,
                }
            }
            query().await
        };
        self.with_timeout(answered).await
    }
}

/// Whether the error says that the connection is no more, rather than that it could not be made or gave no answer.
fn is_cut(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Io(error) = error {
        return CUT.contains(&error.kind());
    }
    // An operator, or the crash of another backend, ended the one behind the connection.
    let code = error.as_database_error().and_then(DatabaseError::code);
    matches!(code.as_deref(), Some("57P01" | "57P02"))
}

impl Deref for TimedPool {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        &self.pool
    }
}
