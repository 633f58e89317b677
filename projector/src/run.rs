//! A whole projector: everything that follows the log, and the listener for its operators.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use secrecy::ExposeSecret;
use sqlx::PgPool;
use tidemark_domain::PROCESS_MANAGERS;
use tidemark_event_store::{Leases, Log, TimedPool};
use tidemark_platform::config::required;
use tidemark_platform::ids::new_id;
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
use crate::messaging::mail::SendMail;
use crate::projecting::joint_writer::JointWriter;
use crate::projecting::shards;
use crate::projecting::worker_factory::WorkerFactory;
use crate::reacting::effects::Effects;
use crate::reacting::registration;
use crate::reacting::sender::Sender;
use crate::rebuilding::controller::Controller;
use crate::sharing::assignment_runner::AssignmentRunner;
use crate::sharing::build::Build;

/// Runs a projector until `shutdown`, and then gives its assignments back to the other projectors, within
/// `http.drain_ms`. The listener serves `/livez`, `/readyz` and `/metrics`.
///
/// # Errors
/// If the configuration cannot be used, the listener fails, or a part of the projector panics. A failure of
/// Postgres, Redis or Kafka is no error: the projector waits until they are back.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let projector = serve(&config, listener, &shutdown);
    run_until_drained(&config.http, &shutdown, projector).await
}

async fn serve(
    config: &Config,
    listener: TcpListener,
    shutdown: &CancellationToken,
) -> Result<(), Error> {
    let url = required(&config.database.project_url, "database.project_url")?;
    let rows_pool = database::planned_once_pool(&config.database, url)?;
    let rows_pool = TimedPool::new(rows_pool, config.database.response_timeout());
    let prompt_pool = prompt_pool(config, url)?;
    let ring = Arc::new(Ring::new(
        config.projection.ring_events_max,
        config.projection.ring_bytes_max,
    ));
    let actions_stored = watch::Sender::default();
    let sender = Sender::new(config, prompt_pool.clone(), actions_stored.clone())?;
    let effects = effects(config, &prompt_pool)?;
    let workers = WorkerFactory {
        pool: rows_pool.clone(),
        documents: documents(&config.redis)?,
        shards: shards::configured(&config.projection)?,
        config: config.clone(),
        joint_writer: JointWriter::spawn(&config.projection),
        actions_stored,
    };
    let measuring = Measuring::new(prompt_pool.clone(), &config.projection)?;
    let _measuring = AbortOnDropHandle::new(tokio::spawn(measuring.run()));
    let _pools = AbortOnDropHandle::new(tokio::spawn(database::measure(vec![
        ("rows", PgPool::clone(&rows_pool)),
        ("prompt", PgPool::clone(&prompt_pool)),
    ])));
    let feed_started = ReadinessFlag::default();
    let blocked = Blocked::default();
    let readiness = readiness(&prompt_pool, &feed_started, &blocked);

    let stop = shutdown.child_token();
    // The handles abort their tasks when they are dropped, so that dropping this future leaves nothing
    // of the projector running.
    let assignments = run_assignments(
        workers,
        prompt_pool.clone(),
        (Arc::clone(&ring), blocked),
        stop.clone(),
    );
    let assignments = AbortOnDropHandle::new(tokio::spawn(assignments));
    let feed = AbortOnDropHandle::new(tokio::spawn({
        let (config, log) = (config.clone(), Log::new(prompt_pool.clone()));
        let stop = stop.clone();
        async move { feed::fill(&ring, &config, log, &feed_started, &stop).await }
    }));
    let performing = effects.into_iter().map(|it| sender.clone().performing(it));
    let senders: Vec<_> = performing.chain([sender.clone()]).collect();
    let senders = join_all(senders.into_iter().map(|it| it.run(stop.clone())));
    let sender = AbortOnDropHandle::new(tokio::spawn(senders.map(drop)));
    let served = async {
        let router = ops::router(readiness, &config.http);
        let served = server::serve(listener, router, &config.http, shutdown.clone()).await;
        // If the server failed, nobody has cancelled the other tasks yet.
        stop.cancel();
        served
    };
    let (served, assignments, feed, sender) = tokio::join!(
        served,
        needed("the runner of assignments", assignments, shutdown),
        needed("the feed", feed, shutdown),
        needed("the sender", sender, shutdown),
    );
    tokio::join!(rows_pool.close(), prompt_pool.close());
    served?;
    Ok(assignments.and(feed).and(sender)?)
}

/// A pool of its own for leases, the feed and due actions, which must not wait for connections that
/// busy read models hold.
fn prompt_pool(config: &Config, url: &str) -> sqlx::Result<TimedPool> {
    let settings = config::Database {
        max_connections: config.projection.prompt_connections,
        ..config.database.clone()
    };
    let pool = database::planned_once_pool(&settings, url)?;
    Ok(TimedPool::new(pool, settings.response_timeout()))
}

/// Divides and registers what is new as soon as Postgres answers, and runs this process's share of all work.
async fn run_assignments(
    workers: WorkerFactory,
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
        build: Build::new(&workers, PROCESS_MANAGERS),
        source: Source::new(ring, Log::new(workers.pool), blocked, &workers.config),
        settings,
    };
    tokio::join!(runner.run(stop.clone()), controller.run(stop));
}

/// Divides read models that have no shards yet, and registers reactors that are new.
async fn prepare(workers: &WorkerFactory) -> sqlx::Result<()> {
    shards::actual(&workers.pool, &workers.shards).await?;
    registration::register(&workers.pool, PROCESS_MANAGERS).await
}

/// The effects that the configuration has a destination for. Those of others wait in the table of actions.
fn effects(config: &Config, pool: &TimedPool) -> Result<Effects, Error> {
    let Some(mail) = SendMail::from_config(config, pool.clone())? else {
        tracing::info!("mails wait, since neither mail.smtp_host nor mail.folder is set");
        return Ok(Effects::new());
    };
    Ok(vec![Arc::new(mail)])
}

fn documents(settings: &config::Redis) -> Result<Option<Documents>, Error> {
    let url = settings.url.expose_secret();
    if url.is_empty() {
        return Ok(None);
    }
    let timeout = Duration::from_millis(settings.response_timeout_ms);
    Ok(Some(Documents::new(url, &settings.key_prefix, timeout)?))
}

fn readiness(pool: &PgPool, feed_started: &ReadinessFlag, blocked: &Blocked) -> Readiness {
    let (pool, blocked) = (PgPool::clone(pool), blocked.clone());
    Readiness::new()
        .check("database", move || {
            let pool = pool.clone();
            async move { sqlx::query("select 1").execute(&pool).await.map(drop) }
        })
        .flag("feed", feed_started)
        .check("subscribers", move || std::future::ready(blocked.check()))
}

#[cfg(test)]
mod tests;
