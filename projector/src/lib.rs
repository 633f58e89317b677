//! Follows the log: keeps the read models in Postgres and Redis, and answers facts with commands
//! through reactors. It appends nothing itself, and any number of it share the work.

mod assignment;
mod catch_up;
mod error;
mod feeding;
mod follower;
mod reactor;
mod ring;
mod source;
mod subscriber;
mod worker;
mod workers;

pub mod cli;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::PgPool;
use tidemark_event_store::{Leases, Log, TimedPool};
use tidemark_platform::config::required;
use tidemark_platform::ids::new_id;
use tidemark_platform::ops::{Readiness, ReadinessFlag};
use tidemark_platform::{Config, config, database, ops, server};
use tidemark_read_models::redis::Documents;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use catch_up::catch_up;
pub use error::Error;

use crate::assignment::Assignments;
use crate::reactor::sender::Sender;
use crate::ring::Ring;
use crate::source::Source;
use crate::workers::Stores;

/// Runs a projector until `shutdown`, and gives its work back to others then. The listener serves
/// `/livez`, `/readyz` and `/metrics`.
///
/// # Errors
/// If the configuration cannot be run with, or the listener breaks. What others break, such as
/// Postgres, Redis and Kafka, is waited for.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let url = required(&config.database.project_url, "database.project_url")?;
    let rows = database::pool(&config.database, url)?;
    let rows = TimedPool::new(rows, config.database.response_timeout());
    let prompt = prompt_pool(&config, url)?;
    let ring = Arc::new(Ring::new(
        config.projection.ring_events_max,
        config.projection.ring_bytes_max,
    ));
    let sender = Sender::new(&config, prompt.clone())?;
    let stores = Stores {
        pool: rows.clone(),
        documents: documents(&config.redis)?,
        shards: workers::configured_shards(&config.projection)?,
        config: config.clone(),
    };
    let started = ReadinessFlag::default();
    let readiness = readiness(&prompt, &started);

    let stop = shutdown.child_token();
    // Where this future is dropped, nothing of the projector goes on.
    let following = follow(stores, prompt.clone(), Arc::clone(&ring), stop.clone());
    let following = AbortOnDropHandle::new(tokio::spawn(following));
    let feeding = AbortOnDropHandle::new(tokio::spawn({
        let (config, log, stop) = (config.clone(), Log::new(prompt.clone()), stop.clone());
        async move { feeding::feed(&config, log, &ring, &started, &stop).await }
    }));
    let sending = AbortOnDropHandle::new(tokio::spawn(sender.run(stop.clone())));
    let served = server::serve(
        listener,
        ops::router(readiness, &config.http),
        &config.http,
        shutdown,
    )
    .await;
    // A server that broke takes the others with it.
    stop.cancel();
    let (fed, followed, sent) = tokio::join!(feeding, following, sending);
    tokio::join!(rows.close(), prompt.close());
    served?;
    Ok(fed.and(followed).and(sent)?)
}

/// A pool of its own for what must go on in time however busy the read models are.
fn prompt_pool(config: &Config, url: &str) -> sqlx::Result<TimedPool> {
    let settings = config::Database {
        max_connections: config.projection.prompt_connections,
        ..config.database.clone()
    };
    let pool = database::pool(&settings, url)?;
    Ok(TimedPool::new(pool, settings.response_timeout()))
}

/// Shares everything that follows the log with the other projectors, once Postgres says what that is.
async fn follow(stores: Stores, prompt: TimedPool, ring: Arc<Ring>, stop: CancellationToken) {
    let settings = stores.config.projection.clone();
    let retry = Duration::from_millis(settings.retry_ms);
    let duties = async {
        loop {
            match workers::all(&stores).await {
                Ok(duties) => break duties,
                Err(error) => tracing::warn!(%error, "the shards of read models are not known"),
            }
            tokio::time::sleep(retry).await;
        }
    };
    let Some(duties) = stop.run_until_cancelled(duties).await else {
        return;
    };
    let holder = new_id();
    let ttl = Duration::from_millis(settings.lease_ms);
    let log = Log::new(stores.pool);
    let assignments = Assignments {
        leases: Leases::new(prompt.clone(), holder, ttl),
        pool: prompt,
        holder,
        duties,
        source: Source { ring, log },
        settings,
    };
    assignments.run(stop).await;
}

fn documents(settings: &config::Redis) -> Result<Option<Documents>, Error> {
    let url = settings.url.expose_secret();
    if url.is_empty() {
        return Ok(None);
    }
    let timeout = Duration::from_millis(settings.response_timeout_ms);
    Ok(Some(Documents::new(url, &settings.key_prefix, timeout)?))
}

fn readiness(pool: &PgPool, feed_started: &ReadinessFlag) -> Readiness {
    let pool = PgPool::clone(pool);
    Readiness::new()
        .check("database", move || {
            let pool = pool.clone();
            async move { sqlx::query("select 1").execute(&pool).await.map(drop) }
        })
        .flag("feed", feed_started)
}
