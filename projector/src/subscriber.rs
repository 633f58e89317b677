//! Following the log on behalf of one subscriber: the loop that read models and reactors share.
//! What an event means is the subscriber's business.

mod gauges;

use std::time::Duration;

use async_trait::async_trait;
use tidemark_event_store::TimedPool;
use tidemark_events::DecodeError;
use tidemark_platform::config::Projection;
use tidemark_read_models::EventFilter;
use tidemark_read_models::storage::StorageError;
use tokio_util::sync::CancellationToken;

use self::gauges::Gauges;
use crate::source::{Page, Reader, Source};

/// Somebody who applies the log in order and keeps a checkpoint of it.
#[async_trait]
pub(crate) trait Subscriber: Send {
    /// What it is called in measurements and logs.
    fn identity(&self) -> Identity;

    /// Forgets what is in memory. The last position that is applied for good.
    async fn start(&mut self) -> Result<i64, Failure>;

    /// Which events it wants to be given.
    fn wanted(&self) -> EventFilter;

    /// Applies a page, which starts right after `from`, as far as it can, and moves the checkpoint with
    /// it. If the page is full, that may be left to the next one.
    async fn apply(&mut self, from: i64, page: &Page) -> Result<Applied, Failure>;

    /// Makes known why the event after `position` cannot be applied.
    async fn block(&mut self, position: i64, reason: &str) -> Result<(), Failure>;
}

/// What a subscriber is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    /// `read_model` or `reactor`.
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    /// Of a read model; reactors have none.
    pub(crate) shard: Option<i32>,
}

/// Why a subscriber must start again from what is stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The checkpoint is not where it was left: another one works here too.
    #[error("the checkpoint is no longer at {0}")]
    Fenced(i64),
    /// Rows could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Postgres could not be asked.
    #[error("Postgres: {0}")]
    Database(#[from] sqlx::Error),
    /// A row has a shape that JSON does not have.
    #[error("a row cannot be written as JSON: {0}")]
    Row(#[from] serde_json::Error),
    /// The process ends.
    #[error("interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// How far events were applied.
#[derive(Debug)]
pub(crate) struct Applied {
    /// Up to here.
    pub(crate) position: i64,
    /// Up to here for good.
    pub(crate) checkpoint: i64,
    /// Why it is not the end of the page. Then the checkpoint has moved as far.
    pub(crate) obstacle: Option<Obstacle>,
}

/// Why an event cannot be applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Obstacle {
    /// It cannot be read.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// Something in it, in the row or in the code is wrong.
    #[error("{0}")]
    Failed(String),
}

impl Obstacle {
    const fn is_newer_build(&self) -> bool {
        match self {
            Self::Decode(error) => error.is_newer_build(),
            Self::Failed(_) => false,
        }
    }
}

/// How a round of following ended.
enum End {
    /// On purpose.
    Stopped,
    /// A newer build should go on.
    NewerBuild,
    /// At an event that cannot be applied now.
    Blocked,
}

/// Lets a subscriber follow the log until `stop`, until a position if there is one, or until only a
/// newer build could go on.
pub(crate) async fn follow(
    mut subscriber: Box<dyn Subscriber>,
    source: Source,
    settings: Projection,
    until: Option<i64>,
    stop: CancellationToken,
) {
    let Identity { kind, name, shard } = subscriber.identity();
    tracing::info!(kind, name, shard, "following the log");
    let gauges = Gauges::new(subscriber.identity());
    let pool = source.log.pool().clone();
    let mut reader = source.reader(subscriber.wanted(), settings.batch_max);
    loop {
        let pause_ms =
            match round(&pool, &mut *subscriber, &mut reader, &gauges, until, &stop).await {
                Ok(End::Stopped) => {
                    gauges.left();
                    break;
                }
                Ok(End::NewerBuild) => break,
                Ok(End::Blocked) => settings.blocked_retry_ms,
                Err(error) => {
                    gauges.failed();
                    tracing::warn!(kind, name, shard, %error, "starting again from what is stored");
                    settings.retry_ms
                }
            };
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(Duration::from_millis(pause_ms)) => {}
        }
    }
    tracing::info!(kind, name, shard, "left the log");
}

async fn round(
    pool: &TimedPool,
    subscriber: &mut dyn Subscriber,
    reader: &mut Reader,
    gauges: &Gauges,
    until: Option<i64>,
    stop: &CancellationToken,
) -> Result<End, Failure> {
    let mut position = pool.with_timeout(subscriber.start()).await?;
    let mut checkpoint = position;
    reader.restart();
    loop {
        gauges.at(checkpoint, reader.head());
        if until.is_some_and(|until| checkpoint >= until) {
            return Ok(End::Stopped);
        }
        let page = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(End::Stopped),
            page = reader.next(position) => page?,
        };
        let applied = pool.with_timeout(subscriber.apply(position, &page)).await?;
        gauges.applied(applied.position - position);
        position = applied.position;
        checkpoint = applied.checkpoint;
        if let Some(obstacle) = applied.obstacle {
            let reason = obstacle.to_string();
            pool.with_timeout(subscriber.block(position, &reason))
                .await?;
            gauges.at(position, reader.head());
            gauges.blocked();
            let Identity { kind, name, shard } = subscriber.identity();
            tracing::error!(kind, name, shard, position = position + 1, %obstacle, "cannot apply an event");
            return Ok(if obstacle.is_newer_build() {
                End::NewerBuild
            } else {
                End::Blocked
            });
        }
    }
}
