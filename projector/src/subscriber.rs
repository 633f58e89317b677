//! Following the log on behalf of one subscriber: the loop that read models and reactors share.
//! What an event means is the subscriber's business.

mod gauges;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tidemark_events::{DecodeError, Recorded};
use tidemark_platform::config::Projection;
use tidemark_read_models::storage::StorageError;
use tokio_util::sync::CancellationToken;

use self::gauges::Gauges;
use crate::source::Source;

/// Somebody who applies the log in order and keeps a checkpoint of it.
#[async_trait]
pub(crate) trait Subscriber: Send {
    /// What it is called in measurements and logs.
    fn name(&self) -> Name;

    /// Forgets what is in memory. The last position that is applied for good.
    async fn start(&mut self) -> Result<i64, Failure>;

    /// Applies events, which start right after `from`, as far as it can, and moves the checkpoint
    /// with them.
    async fn apply(&mut self, from: i64, events: &[Arc<Recorded>]) -> Result<Applied, Failure>;

    /// Makes known why the event after `position` cannot be applied.
    async fn block(&mut self, position: i64, reason: &str) -> Result<(), Failure>;
}

/// What a subscriber is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
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
    /// The checkpoint now.
    pub(crate) position: i64,
    /// Why it is not the last event's.
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

/// Lets a subscriber follow the log until `stop`, or until only a newer build could go on.
pub(crate) async fn follow(
    mut subscriber: Box<dyn Subscriber>,
    source: Source,
    settings: Projection,
    stop: CancellationToken,
) {
    let Name { kind, name, shard } = subscriber.name();
    tracing::info!(kind, name, shard, "following the log");
    let gauges = Gauges::new(subscriber.name());
    loop {
        let pause_ms = match round(&mut *subscriber, &source, &settings, &gauges, &stop).await {
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
    subscriber: &mut dyn Subscriber,
    source: &Source,
    settings: &Projection,
    gauges: &Gauges,
    stop: &CancellationToken,
) -> Result<End, Failure> {
    let mut position = subscriber.start().await?;
    loop {
        gauges.at(position, source.ring.head());
        let events = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(End::Stopped),
            events = source.next(position, settings.batch_max) => events?,
        };
        let applied = subscriber.apply(position, &events).await?;
        gauges.applied(applied.position - position);
        position = applied.position;
        if let Some(obstacle) = applied.obstacle {
            subscriber.block(position, &obstacle.to_string()).await?;
            gauges.at(position, source.ring.head());
            gauges.blocked();
            let Name { kind, name, shard } = subscriber.name();
            tracing::error!(kind, name, shard, position = position + 1, %obstacle, "cannot apply an event");
            return Ok(if obstacle.is_newer_build() {
                End::NewerBuild
            } else {
                End::Blocked
            });
        }
    }
}
