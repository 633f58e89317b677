//! Starts the process and stops it in order: the relay gives up its term, the server answers what it has
//! received, and then the executor finishes its commands.

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
use tidemark_platform::media_store::MediaStore;
use tidemark_platform::ops::Readiness;
use tidemark_platform::shutdown::{needed, run_until_drained};
use tidemark_platform::{database, middleware, ops, server, telemetry};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::app::App;
use crate::executor::{Executor, remove_expired};
use crate::identity::passwords::Passwords;
use crate::media::Media;
use crate::process_roles::ProcessRoles;
use crate::schedules::Schedules;
use crate::start_error::StartError;
use crate::{relay, routes};

/// The most unwrapped keys of subjects that are kept in memory.
const SUBJECT_KEYS_CACHED_MAX: u64 = 100_000;

/// Serves until `shutdown`, then stops gracefully, within `http.drain_ms`. The process starts without Postgres,
/// and is ready as soon as Postgres answers.
///
/// # Errors
/// If the configuration is wrong, the network fails, or a part of the process panics.
pub async fn run(
    config: Config,
    roles: ProcessRoles,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    telemetry::init(&config.telemetry)?;
    server::allow_open_files(&config);
    tracing::info!(%roles, listen = %listener.local_addr()?, "the command API starts");
    let config = Arc::new(config);
    let process = serve(&config, roles, listener, &shutdown);
    run_until_drained(&config.http, &shutdown, process).await
}

/// Runs the relay and the server. The relay gives up its term as soon as the process is to stop, so that
/// another one publishes what this process still appends.
async fn serve(
    config: &Arc<Config>,
    roles: ProcessRoles,
    listener: TcpListener,
    shutdown: &CancellationToken,
) -> Result<(), StartError> {
    let appended = Arc::new(Notify::new());
    let relay_pool = relay::pool(config, roles)?;
    let readiness = relay_pool
        .clone()
        .map_or_else(Readiness::new, |pool| database_readiness(Log::new(pool)));
    let relay = relay::start(config, relay_pool, Arc::clone(&appended), shutdown.clone());
    let relay = needed("the relay", spawn(relay), shutdown);
    let serving = async {
        if roles.api {
            return serve_api(config, roles, listener, appended, shutdown).await;
        }
        let router = ops::router(readiness, &config.http);
        Ok(server::serve(listener, router, &config.http, shutdown.clone()).await?)
    };
    let served = async {
        let served = serving.await;
        // Without this a process that cannot serve, such as for a wrong setting, would go on as a relay.
        shutdown.cancel();
        served
    };
    let (served, relay) = tokio::join!(served, relay);
    served.and(relay.map_err(StartError::from))
}

async fn serve_api(
    config: &Arc<Config>,
    roles: ProcessRoles,
    listener: TcpListener,
    appended: Arc<Notify>,
    shutdown: &CancellationToken,
) -> Result<(), StartError> {
    let url = required(&config.database.append_url, "database.append_url")?;
    let pool = database::pool(&config.database, url)?;
    let pool = TimedPool::new(pool, config.database.response_timeout());
    let measured = vec![("append", PgPool::clone(&pool))];
    let _measuring = spawn(database::measure(measured));
    let clock = Clock::system();
    let log = Log::new(pool.clone());
    let _following = spawn(clock.clone().follow_for_ever(move || {
        let log = log.clone();
        async move { log.now().await }
    }));
    let _waking = (!roles.relay && !config.kafka.brokers.is_empty())
        .then(|| spawn(relay::wake_other(pool.clone(), Arc::clone(&appended))));
    // The executor has a clock of its own: decisions rest on the time of the log, which may stand still.
    let (executor, commit_loop) = Executor::start(
        pool.clone(),
        config.executor.clone(),
        Clock::system(),
        appended,
    );
    let commit_loop = needed(
        "the commit loop",
        AbortOnDropHandle::new(commit_loop),
        shutdown,
    );
    let expiry = remove_expired(pool.clone(), config.executor.clone());
    let _expiry = spawn(expiry);
    let router = router(config, pool, clock, executor)?;
    // The loop ends once the server has, which holds the executor, and every command is answered.
    let served = server::serve(listener, router, &config.http, shutdown.clone());
    let (served, commit_loop) = tokio::join!(served, commit_loop);
    served?;
    Ok(commit_loop?)
}

/// Runs a task that ends when the process does.
fn spawn(task: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(task))
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
    let running = executor.clone();
    let app = App {
        executor,
        log: Log::new(pool.clone()),
        subject_keys: SubjectKeys::new(
            pool.clone(),
            &master_key,
            key_ttl,
            SUBJECT_KEYS_CACHED_MAX,
        )?,
        lookup_key: Arc::new(LookupKey::new(lookup_key)?),
        media: MediaStore::from_config(config)?
            .map(|store| Media::new(store, config.media.clone())),
        passwords: Passwords::new(&config.auth).map_err(StartError::Passwords)?,
        schedules: Schedules::new(config),
        issuer: Arc::new(Issuer::from_config(&config.auth)?),
        verifier: Arc::new(Verifier::from_config(&config.auth)?),
        clock: clock.clone(),
        mail_locale: config.mail.locale.clone().try_into()?,
        config: Arc::clone(config),
    };
    let readiness = database_readiness(Log::new(pool)).check("executor", move || {
        let is_running = running.is_running();
        async move { is_running.then_some(()).ok_or("decides no commands") }
    });
    let authenticator = Authenticator::from_config(config, clock)?;
    let streamed = routes::streamed(&config.media);
    let router = routes::router(app);
    let router = middleware::apply_streaming(router, &config.http, authenticator, streamed);
    Ok(router.merge(ops::router(readiness, &config.http)))
}

/// The readiness of a process that needs Postgres to answer.
fn database_readiness(log: Log) -> Readiness {
    Readiness::new().check("database", move || {
        let log = log.clone();
        async move { log.head().await.map(drop) }
    })
}

fn decode_key(text: &SecretString, setting: &'static str) -> Result<Vec<u8>, StartError> {
    let text = required(text, setting)?;
    STANDARD.decode(text).map_err(|_| StartError::SealingKey)
}
