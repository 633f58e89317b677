//! Puts the process together, and takes it apart again: the server drains first, then the executor
//! answers what is left, and last the relay hands over.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use sqlx::PgPool;
use tidemark_event_store::{IdempotencyRecord, Keys, Log, LookupKey, SealError, TimedPool};
use tidemark_platform::auth::{Auth, Issuer, Verifier};
use tidemark_platform::clock::Clock;
use tidemark_platform::config::{Config, required};
use tidemark_platform::ops::Readiness;
use tidemark_platform::{auth, config, database, http, ops, server, telemetry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::Error;
use crate::executor::Executor;
use crate::passwords::Passwords;
use crate::{Roles, publish, routes};

/// Open keys of data subjects kept in memory.
const KEYS_CACHED: u64 = 100_000;
/// How often what is past its time is forgotten.
const EXPIRE_EVERY: Duration = Duration::from_hours(1);
/// Executors that have not appended for this long are forgotten.
const EXECUTORS_KEPT: Duration = Duration::from_hours(30 * 24);

/// Why the process cannot run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The keys of access tokens are wrong.
    #[error(transparent)]
    Auth(#[from] auth::Error),
    /// `sealing.master_key` or `sealing.lookup_key` is wrong.
    #[error("sealing.master_key and sealing.lookup_key must be base64 of 32 bytes")]
    SealingKey,
    /// Postgres cannot be reached.
    #[error("Postgres: {0}")]
    Database(#[from] sqlx::Error),
    /// Argon2 does not take the configured cost.
    #[error("passwords: {0}")]
    Passwords(Error),
    /// Telemetry cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] telemetry::Error),
    /// The network or the signals of the process.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Serves until `shutdown`, then ends gracefully.
///
/// # Errors
/// [`StartError`].
pub async fn run(
    config: Config,
    roles: Roles,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    telemetry::init(&config.telemetry)?;
    let config = Arc::new(config);
    tracing::info!(%roles, listen = %listener.local_addr()?, "the command API starts");
    let relay_stop = CancellationToken::new();
    let relay = tokio::spawn(publish::relay(&config, roles, relay_stop.clone())?);
    if roles.api {
        serve_api(&config, listener, shutdown).await?;
    } else {
        let router = ops::router(Readiness::new(), &config.http);
        server::serve(listener, router, &config.http, shutdown).await?;
    }
    relay_stop.cancel();
    if let Err(error) = relay.await {
        tracing::error!(%error, "the relay ended badly");
    }
    Ok(())
}

async fn serve_api(
    config: &Arc<Config>,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    let url = required(&config.database.append_url, "database.append_url")?;
    let pool = database::pool(&config.database, url)?;
    let pool = TimedPool::new(pool, config.database.response_timeout());
    let clock = Clock::system();
    let (executor, work) = Executor::start(pool.clone(), &config.executor, clock.clone()).await?;
    let expiry = tokio::spawn(expire(
        PgPool::clone(&pool),
        config.executor.idempotency_ttl_h,
    ));
    let router = router(config, pool, clock, executor)?;
    let served = server::serve(listener, router, &config.http, shutdown).await;
    expiry.abort();
    if let Err(error) = work.await {
        tracing::error!(%error, "the executor ended badly");
    }
    Ok(served?)
}

fn router(
    config: &Arc<Config>,
    pool: TimedPool,
    clock: Clock,
    executor: Executor,
) -> Result<Router, StartError> {
    let sealing = &config.sealing;
    let ttl = Duration::from_secs(sealing.key_cache_s);
    let master = key(&sealing.master_key, "sealing.master_key")?;
    let lookup = key(&sealing.lookup_key, "sealing.lookup_key")?;
    let app = App {
        executor,
        keys: Keys::new(PgPool::clone(&pool), &master, ttl, KEYS_CACHED)?,
        lookup_key: Arc::new(LookupKey::new(lookup)?),
        passwords: Passwords::new(&config.auth).map_err(StartError::Passwords)?,
        issuer: Arc::new(Issuer::from_config(&config.auth)?),
        verifier: Arc::new(Verifier::from_config(&config.auth)?),
        clock: clock.clone(),
        config: Arc::clone(config),
    };
    let log = Log::new(pool);
    let readiness = Readiness::new().check("database", move || {
        let log = log.clone();
        async move { log.head().await.map(drop) }
    });
    let auth = Auth::from_config(config, clock)?;
    let router = http::layers(routes::router(app), &config.http, auth);
    Ok(router.merge(ops::router(readiness, &config.http)))
}

fn key(text: &SecretString, name: &'static str) -> Result<Vec<u8>, StartError> {
    let text = required(text, name)?;
    STANDARD.decode(text).map_err(|_| StartError::SealingKey)
}

impl From<SealError> for StartError {
    fn from(_: SealError) -> Self {
        Self::SealingKey
    }
}

/// Forgets, now and then, what is past its time.
async fn expire(pool: PgPool, records_kept_h: u64) {
    let records_kept = Duration::from_hours(records_kept_h);
    let mut ticks = tokio::time::interval(EXPIRE_EVERY);
    loop {
        ticks.tick().await;
        match IdempotencyRecord::expire(&pool, records_kept, EXECUTORS_KEPT).await {
            Ok(forgotten) => tracing::info!(forgotten, "expired idempotency records"),
            Err(error) => tracing::warn!(%error, "cannot expire idempotency records"),
        }
    }
}
