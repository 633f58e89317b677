//! A whole projector: everything that follows the log, and the listener for its operators.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use futures::future::join_all;
use secrecy::ExposeSecret;
use sqlx::PgPool;
use tidemark_domain::PROCESS_MANAGERS;
use tidemark_event_store::{Leases, Log, SealError, SubjectKeys, TimedPool};
use tidemark_platform::config::required;
use tidemark_platform::ids::new_id;
use tidemark_platform::media_store::MediaStore;
use tidemark_platform::ops::{Readiness, ReadinessFlag};
use tidemark_platform::shutdown::{needed, run_until_drained};
use tidemark_platform::{Config, config, database, ops, server};
use tidemark_read_models::redis::Documents;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::error::Error;
use crate::following::blocked::Blocked;
use crate::following::feed;
use crate::following::ring::Ring;
use crate::following::source::Source;
use crate::measuring::Measuring;
use crate::media::removal::{MediaBytes, RemoveMedia, RemoveUpload};
use crate::messaging::mail::{RepeatMail, SendMail};
use crate::messaging::sms::SendText;
use crate::projecting::joint_writer::JointWriter;
use crate::projecting::shards;
use crate::projecting::worker_factory::WorkerFactory;
use crate::reacting::effects::Effects;
use crate::reacting::presence::{Presence, Present};
use crate::reacting::sender::Sender;
use crate::reacting::{registration, waking};
use crate::rebuilding::controller::Controller;
use crate::roles::Role;
use crate::sharing::assignment_runner::AssignmentRunner;
use crate::sharing::build::Build;
use crate::tasks::webhook::CallUrl;

/// The most unwrapped keys of subjects that are kept in memory.
const SUBJECT_KEYS_CACHED_MAX: u64 = 10_000;

/// Runs these parts of a projector until `shutdown`, and then gives its assignments back to the other projectors, within
/// `http.drain_ms`. The listener serves `/livez`, `/readyz` and `/metrics`.
///
/// # Errors
/// If the configuration cannot be used, the listener fails, or a part of the projector panics. A failure of
/// Postgres, Redis or Kafka is no error: the projector waits until they are back.
pub async fn run(
    config: Config,
    roles: &[Role],
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    server::allow_open_files(&config);
    let projector = serve(&config, roles, listener, &shutdown);
    run_until_drained(&config.http, &shutdown, projector).await
}

async fn serve(
    config: &Config,
    roles: &[Role],
    listener: TcpListener,
    shutdown: &CancellationToken,
) -> Result<(), Error> {
    let rows_pool = pool(config, config.database.max_connections)?;
    let prompt_pool = pool(config, config.projection.prompt_connections)?;
    let reactor_pool = pool(config, config.reactor.connections)?;
    let ring = Arc::new(Ring::new(
        config.projection.ring_events_max,
        config.projection.ring_bytes_max,
    ));
    let actions_stored = watch::Sender::default();
    let (presence, present) = Presence::new(
        PgPool::clone(&prompt_pool),
        new_id(),
        Duration::from_millis(config.reactor.gone_after_ms),
        actions_stored.clone(),
    );
    let senders = senders(config, roles, &reactor_pool, (&actions_stored, &present))?;
    let _presence = AbortOnDropHandle::new(tokio::spawn(presence.run()));
    let _waking = AbortOnDropHandle::new(tokio::spawn(wake(
        config,
        roles,
        &reactor_pool,
        &actions_stored,
    )));
    let workers = WorkerFactory {
        pool: rows_pool.clone(),
        reactor_pool: reactor_pool.clone(),
        documents: documents(&config.redis)?,
        shards: shards::configured(&config.projection)?,
        config: config.clone(),
        joint_writer: JointWriter::spawn(&config.projection),
        actions_stored,
    };
    let follows = roles.iter().any(|it| *it != Role::Effects);
    let measuring = Measuring::new(&prompt_pool, &config.projection)?;
    let _measuring = AbortOnDropHandle::new(tokio::spawn(measuring.run()));
    let _pools = AbortOnDropHandle::new(tokio::spawn(database::measure(vec![
        ("rows", PgPool::clone(&rows_pool)),
        ("prompt", PgPool::clone(&prompt_pool)),
        ("reactors", PgPool::clone(&reactor_pool)),
    ])));
    let feed_started = ReadinessFlag::default();
    let blocked = Blocked::default();
    let readiness = readiness(&prompt_pool, follows.then_some(&feed_started), &blocked);

    let stop = shutdown.child_token();
    // The handles abort their tasks when they are dropped, so that dropping this future leaves nothing
    // of the projector running.
    let assignments = run_assignments(
        workers,
        roles.to_vec(),
        prompt_pool.clone(),
        (Arc::clone(&ring), blocked),
        stop.clone(),
    );
    let assignments = AbortOnDropHandle::new(tokio::spawn(async move {
        if follows {
            assignments.await;
        }
    }));
    let feed = AbortOnDropHandle::new(tokio::spawn({
        let (config, log) = (config.clone(), Log::new(prompt_pool.clone()));
        let stop = stop.clone();
        async move {
            if follows {
                feed::fill(&ring, &config, log, &feed_started, &stop).await;
            }
        }
    }));
    let sending = join_all(senders.into_iter().map(|it| it.run(stop.clone())));
    let sending = AbortOnDropHandle::new(tokio::spawn(sending.map(drop)));
    let served = async {
        let router = ops::router(readiness, &config.http);
        let served = server::serve(listener, router, &config.http, shutdown.clone()).await;
        // If the server failed, nobody has cancelled the other tasks yet.
        stop.cancel();
        served
    };
    let (served, assignments, feed, sending) = tokio::join!(
        served,
        needed("the runner of assignments", assignments, shutdown),
        needed("the feed", feed, shutdown),
        needed("the sending of actions", sending, shutdown),
    );
    tokio::join!(rows_pool.close(), prompt_pool.close(), reactor_pool.close());
    served?;
    Ok(assignments.and(feed).and(sending)?)
}

/// A pool for one kind of work: the rows of read models; leases and the feed, which must not wait for connections that busy
/// read models hold; or reactors and what they send, whose locked tables are no matter of read models.
fn pool(config: &Config, max_connections: u32) -> Result<TimedPool, Error> {
    let url = required(&config.database.project_url, "database.project_url")?;
    let settings = config::Database {
        max_connections,
        ..config.database.clone()
    };
    let pool = database::planned_once_pool(&settings, url)?;
    Ok(TimedPool::new(pool, settings.response_timeout()))
}

/// Divides and registers what is new as soon as Postgres answers, and runs this process's share of all work.
async fn run_assignments(
    workers: WorkerFactory,
    roles: Vec<Role>,
    prompt_pool: TimedPool,
    (ring, blocked): (Arc<Ring>, Blocked),
    stop: CancellationToken,
) {
    let settings = workers.config.projection.clone();
    let retry = Duration::from_millis(settings.retry_ms);
    let preparing = async {
        loop {
            match prompt_pool.with_timeout(prepare(&workers)).await {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!(%error, "cannot prepare the read models and reactors to run");
                }
            }
            tokio::time::sleep(retry).await;
        }
    };
    if stop.run_until_cancelled(preparing).await.is_none() {
        return;
    }
    let holder = new_id();
    tracing::info!(%holder, "takes part in sharing the work");
    let controller = Controller {
        pool: prompt_pool.clone(),
        documents: workers.documents.clone(),
        leases: Leases::new(
            prompt_pool.clone(),
            holder,
            Duration::from_millis(workers.config.rebuild.lease_ms),
        ),
        shards: workers.shards.clone(),
        settings: workers.config.rebuild.clone(),
        database: workers.config.database.clone(),
    };
    let lease_duration = Duration::from_millis(settings.lease_ms);
    let runner = AssignmentRunner {
        leases: Leases::new(prompt_pool.clone(), holder, lease_duration),
        pool: prompt_pool,
        holder,
        build: Build::new(&workers, &roles),
        source: Source::new(ring, Log::new(workers.pool), blocked, &workers.config),
        settings,
    };
    let controlling = async {
        if roles.contains(&Role::Projections) {
            controller.run(stop.clone()).await;
        }
    };
    tokio::join!(runner.run(stop.clone()), controlling);
}

/// Divides read models that have no shards yet, and registers reactors that are new.
async fn prepare(workers: &WorkerFactory) -> sqlx::Result<()> {
    shards::actual(&workers.pool, &workers.shards).await?;
    registration::register(&workers.reactor_pool, PROCESS_MANAGERS).await
}

/// The senders of what is due: of commands where reactors run, and one of each effect where these are performed.
fn senders(
    config: &Config,
    roles: &[Role],
    pool: &TimedPool,
    (stored, present): (&watch::Sender<()>, &Present),
) -> Result<Vec<Sender>, Error> {
    let sender = Sender::new(config, pool.clone(), stored.clone(), present.clone())?;
    let mut senders = Vec::new();
    if roles.contains(&Role::Effects) {
        let effects = effects(config, pool)?.into_iter();
        senders.extend(effects.map(|it| sender.clone().performing(it)));
    }
    if roles.contains(&Role::Reactors) {
        senders.push(sender);
    }
    Ok(senders)
}

/// Wakes the senders of effects when reactors of another process have stored actions, or has those of other processes woken
/// if this one performs no effects.
fn wake(
    config: &Config,
    roles: &[Role],
    pool: &TimedPool,
    stored: &watch::Sender<()>,
) -> impl Future<Output = ()> + Send + use<> {
    let (pool, stored) = (pool.clone(), stored.clone());
    let silence_max = Duration::from_millis(config.reactor.lease_ms);
    let performs = roles.contains(&Role::Effects);
    async move {
        if performs {
            waking::be_woken(PgPool::clone(&pool), silence_max, stored).await;
        } else {
            waking::wake_others(pool, stored.subscribe()).await;
        }
    }
}

/// The effects that the configuration has keys and destinations for. Those of others wait in the table of actions.
fn effects(config: &Config, pool: &TimedPool) -> Result<Effects, Error> {
    let mut effects = Effects::new();
    if let Some(store) = MediaStore::from_config(config)? {
        let bytes = MediaBytes {
            store,
            log: Log::new(pool.clone()),
            pauses_ms: config.media.removal_pauses_ms.clone(),
        };
        effects.push(Arc::new(RemoveUpload(bytes.clone())));
        effects.push(Arc::new(RemoveMedia(bytes)));
    }
    let Some(keys) = subject_keys(config, pool)? else {
        tracing::warn!("calls of tasks, mails and texts wait, since sealing.master_key is not set");
        return Ok(effects);
    };
    effects.push(Arc::new(CallUrl::new(config, pool.clone(), keys.clone())?));
    if let Some(text) = SendText::from_config(config, pool.clone(), keys.clone())? {
        effects.push(Arc::new(text));
    } else {
        tracing::info!("texts wait, since neither sms.provider_url nor mail.folder is set");
    }
    if let Some(mail) = SendMail::from_config(config, pool.clone(), keys)? {
        let mail = Arc::new(mail);
        effects.push(Arc::new(RepeatMail(Arc::clone(&mail))));
        effects.push(mail);
    } else {
        tracing::info!("mails wait, since neither mail.smtp_host nor mail.folder is set");
    }
    Ok(effects)
}

/// The keys with which effects unseal what is personal; none without a master key.
fn subject_keys(config: &Config, pool: &TimedPool) -> Result<Option<SubjectKeys>, Error> {
    let master = config.sealing.master_key.expose_secret();
    if master.is_empty() {
        return Ok(None);
    }
    let master = STANDARD.decode(master).map_err(|_| SealError::KeyLength)?;
    let ttl = Duration::from_secs(config.sealing.key_cache_s);
    let keys = SubjectKeys::new(pool.clone(), &master, ttl, SUBJECT_KEYS_CACHED_MAX)?;
    Ok(Some(keys))
}

fn documents(settings: &config::Redis) -> Result<Option<Documents>, Error> {
    let url = settings.url.expose_secret();
    if url.is_empty() {
        return Ok(None);
    }
    let timeout = Duration::from_millis(settings.response_timeout_ms);
    Ok(Some(Documents::new(url, &settings.key_prefix, timeout)?))
}

/// What makes the process ready; `feed_started` is none where nothing follows the log.
fn readiness(pool: &PgPool, feed_started: Option<&ReadinessFlag>, blocked: &Blocked) -> Readiness {
    let (pool, blocked) = (PgPool::clone(pool), blocked.clone());
    let readiness = Readiness::new().check("database", move || {
        let pool = pool.clone();
        async move { sqlx::query("select 1").execute(&pool).await.map(drop) }
    });
    let Some(feed_started) = feed_started else {
        return readiness;
    };
    readiness
        .flag("feed", feed_started)
        .check("subscribers", move || std::future::ready(blocked.check()))
}

#[cfg(test)]
mod tests;
