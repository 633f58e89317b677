//! Connections to Postgres, with the limits of the configuration on every one of them.

use std::io::ErrorKind;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, PgPool};
use tokio::time::timeout;

use crate::config::Database;

/// A pool for the role that `url` names. It connects when it is first used, so a process may start
/// before Postgres does.
///
/// # Errors
/// If `url` is not a Postgres URL.
pub fn pool(settings: &Database, url: &str) -> sqlx::Result<PgPool> {
    let options: PgConnectOptions = url.parse()?;
    // Our statements are short, and each has its index. Where statistics are missing, an estimate that is
    // far too high would have Postgres compile one for half a second, on every connection; and a plan
    // made when a table was empty would read through all of it for as long as the plan is kept.
    let plans = [("jit", "off"), ("enable_seqscan", "off")];
    let options = options.options(plans).options([
        ("statement_timeout", settings.statement_timeout_ms),
        ("lock_timeout", settings.lock_timeout_ms),
        (
            "idle_in_transaction_session_timeout",
            settings.idle_in_transaction_timeout_ms,
        ),
    ]);
    let patience = Duration::from_millis(settings.statement_timeout_ms);
    let pool = PgPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(Duration::from_millis(settings.acquire_timeout_ms))
        .max_lifetime(Duration::from_secs(settings.max_lifetime_s))
        // sqlx pings on release already; a broken connection shows at the first use.
        .test_before_acquire(false)
        // A future that is dropped while it begins a transaction leaves it open on the connection.
        // Begin first: a rollback alone would warn in the server's log each time.
        .after_release(move |connection, _| {
            Box::pin(async move {
                let tidy = connection.execute(sqlx::raw_sql("begin; rollback"));
                // The other end may have vanished without a word, and took what was asked with it.
                let tidied = timeout(patience, tidy).await;
                tidied.map_err(|_| sqlx::Error::Io(ErrorKind::TimedOut.into()))??;
                Ok(true)
            })
        })
        .connect_lazy_with(options);
    Ok(pool)
}
