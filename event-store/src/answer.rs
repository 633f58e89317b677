//! A Postgres that has gone without a word: a connection whose other end has vanished says nothing for
//! ever, and neither sqlx nor the kernel asks.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::time::timeout;

/// Longer than Postgres lets any statement take (`database.statement_timeout_ms`).
const SILENCE: Duration = Duration::from_secs(10);

/// What Postgres answers. Whoever was asked and says nothing for longer than it may take is dropped,
/// and with it the connection.
///
/// # Errors
/// Its own, or that it does not answer.
pub async fn answered<T, E: From<sqlx::Error>>(
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match timeout(SILENCE, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(sqlx::Error::Io(ErrorKind::TimedOut.into()).into()),
    }
}
