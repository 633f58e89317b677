//! Connection pools for Postgres. Every connection has the limits of the configuration.

use std::io::ErrorKind;
use std::time::Duration;

use metrics::gauge;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};
use tokio::time::{sleep, timeout};

use crate::config::Database;

/// How often pools are measured.
const MEASURE_INTERVAL: Duration = Duration::from_secs(1);

/// Makes a pool for the role that `url` names. It connects when it is first used, so that a process may
/// start before Postgres does.
///
/// A future that is dropped while it begins a transaction would leave it open on a connection that is lent
/// again. So statements stand alone, and whoever needs a transaction closes the connection if it gives up.
///
/// # Errors
/// If `url` is not a Postgres URL.
pub fn pool(settings: &Database, url: &str) -> sqlx::Result<PgPool> {
    Ok(pool_of(settings, url.parse()?))
}

/// Makes a pool for statements that each connection plans once, whatever their values. Of a frequent value Postgres might
/// read and sort all rows, because it does not see that few of them will be wanted; and to plan the statements that write
/// read models takes longer than to run them.
///
/// # Errors
/// If `url` is not a Postgres URL.
pub fn planned_once_pool(settings: &Database, url: &str) -> sqlx::Result<PgPool> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.options([("plan_cache_mode", "force_generic_plan")]);
    Ok(pool_of(settings, options))
}

/// Measures the pools of a process, by their names, until it is dropped.
pub async fn measure(pools: Vec<(&'static str, PgPool)>) {
    loop {
        for (name, pool) in &pools {
            let gauge =
                |state| gauge!("tidemark_pool_connections", "pool" => *name, "state" => state);
            let (open, idle) = (pool.size(), u32::try_from(pool.num_idle()));
            let idle = idle.unwrap_or(open).min(open);
            gauge("busy").set(open - idle);
            gauge("idle").set(idle);
            gauge!("tidemark_pool_connections_max", "pool" => *name)
                .set(pool.options().get_max_connections());
        }
        sleep(MEASURE_INTERVAL).await;
    }
}

fn pool_of(settings: &Database, options: PgConnectOptions) -> PgPool {
    // Our statements are short, and each of them has an index. Without statistics Postgres may estimate a
    // cost that is far too high, and then spend half a second on every connection compiling a statement;
    // and a plan that it made while a table was empty would scan the whole table for as long as it is kept.
    let plans = [("jit", "off"), ("enable_seqscan", "off")];
    // By this, triggers know that it is no build that leaves the columns of read models to them.
    let columns = [("tidemark.columns", "written")];
    let options = options.options(plans).options(columns).options([
        ("statement_timeout", settings.statement_timeout_ms),
        ("lock_timeout", settings.lock_timeout_ms),
        (
            "idle_in_transaction_session_timeout",
            settings.idle_in_transaction_timeout_ms,
        ),
    ]);
    let release_timeout = Duration::from_millis(settings.statement_timeout_ms);
    PgPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(Duration::from_millis(settings.acquire_timeout_ms))
        .max_lifetime(Duration::from_secs(settings.max_lifetime_s))
        // sqlx pings a connection when it is released. A ping before each use as well would cost a round
        // trip, and a connection that broke in between fails at its first statement anyway.
        .test_before_acquire(false)
        // If the other end has vanished, no answer will ever arrive, and sqlx would wait for it for ever.
        .after_release(move |connection, _| {
            Box::pin(async move {
                let answered = timeout(release_timeout, connection.ping()).await;
                answered.map_err(|_| sqlx::Error::Io(ErrorKind::TimedOut.into()))??;
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}
