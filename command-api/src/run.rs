//! Starts the process and stops it in order: the server answers what it has received, then the executor
//! finishes its commands, and last the relay gives up its term.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use sqlx::PgPool;
use tidemark_event_store::{Log, LookupKey, SubjectKeys, TimedPool};
use tidemark_platform::auth::{Authenticator, Issuer, Verifier};
use tidemark_platform::clock::Clock;
use tidemark_platform::config::{Config, required};
use tidemark_platform::ops::Readiness;
use tidemark_platform::{database, middleware, ops, server, telemetry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::executor::{Executor, remove_expired};
use crate::identity::passwords::Passwords;
use crate::process_roles::ProcessRoles;
use crate::start_error::StartError;
use crate::{relay, routes};

/// The most unwrapped keys of subjects that are kept in memory.
const SUBJECT_KEYS_CACHED_MAX: u64 = 100_000;

/// Serves until `shutdown`, then stops gracefully.
///
/// # Errors
/// If the configuration is wrong, Postgres cannot be reached, or the network fails.
pub async fn run(
    config: Config,
    roles: ProcessRoles,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    telemetry::init(&config.telemetry)?;
    let config = Arc::new(config);
    tracing::info!(%roles, listen = %listener.local_addr()?, "the command API starts");
    let relay_stop = CancellationToken::new();
    let relay = tokio::spawn(relay::start(&config, roles, relay_stop.clone())?);
    if roles.api {
        serve_api(&config, listener, shutdown).await?;
    } else {
        let router = ops::router(Readiness::new(), &config.http);
        server::serve(listener, router, &config.http, shutdown).await?;
    }
    relay_stop.cancel();
    if let Err(error) = relay.await {
        tracing::error!(%error, "the relay panicked");
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
    let log = Log::new(pool.clone());
    let following = tokio::spawn(clock.clone().follow_for_ever(move || {
        let log = log.clone();
        async move { log.now().await }
    }));
    // The executor has a clock of its own: decisions rest on the time of the log, which may stand still.
    let (executor, commit_loop) =
        Executor::start(pool.clone(), &config.executor, Clock::system()).await?;
    let expiry = remove_expired(PgPool::clone(&pool), config.executor.idempotency_ttl_h);
    let expiry = tokio::spawn(expiry);
    let router = router(config, pool, clock, executor)?;
    let served = server::serve(listener, router, &config.http, shutdown).await;
    expiry.abort();
    following.abort();
    if let Err(error) = commit_loop.await {
        tracing::error!(%error, "the executor panicked");
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
    let key_ttl = Duration::from_secs(sealing.key_cache_s);
    let master_key = decode_key(&sealing.master_key, "sealing.master_key")?;
    let lookup_key = decode_key(&sealing.lookup_key, "sealing.lookup_key")?;
    let app = App {
        executor,
        subject_keys: SubjectKeys::new(
            PgPool::clone(&pool),
            &master_key,
            key_ttl,
            SUBJECT_KEYS_CACHED_MAX,
        )?,
        lookup_key: Arc::new(LookupKey::new(lookup_key)?),
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
    let authenticator = Authenticator::from_config(config, clock)?;
    let router = middleware::apply(routes::router(app), &config.http, authenticator);
    Ok(router.merge(ops::router(readiness, &config.http)))
}

fn decode_key(text: &SecretString, setting: &'static str) -> Result<Vec<u8>, StartError> {
    let text = required(text, setting)?;
    STANDARD.decode(text).map_err(|_| StartError::SealingKey)
}
