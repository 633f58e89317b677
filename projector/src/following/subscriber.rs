//! What follows the log: the trait that a worker of a read model and a reactor implement.

use async_trait::async_trait;
use tidemark_events::LogPoint;

use super::failure::{EventError, SubscriberError};
use super::page::Page;

/// Applies the log in order, and keeps a checkpoint: the position up to which it has applied it.
#[async_trait]
pub(crate) trait Subscriber: Send {
    /// The id in measurements and logs.
    fn id(&self) -> SubscriberId;

    /// Discards what is in memory, and returns the stored checkpoint, which the log holds.
    async fn start(&mut self) -> Result<LogPoint, SubscriberError>;

    /// The stored types of the events that it applies; `None` if it applies all. It may be given others too.
    fn event_types(&self) -> Option<Vec<&'static str>>;

    /// Applies a page, which starts right after the point `from`, as far as it can, and stores the
    /// checkpoint. Storing may be left to the next page, or to [`Subscriber::check`].
    async fn apply(&mut self, from: LogPoint, page: &Page) -> Result<Applied, SubscriberError>;

    /// How it may apply the log until it has reached its end, if it belongs to a generation that is built.
    fn building(&self) -> Option<Building> {
        None
    }

    /// How much waits because it could not be applied.
    fn parked(&self) -> usize {
        0
    }

    /// Whether there is something to do that no event of the log brings about.
    fn needs_check(&self) -> bool {
        false
    }

    /// Stores the checkpoint, which is `at` once that is done, and tries what waits if somebody wants that.
    async fn check(&mut self, _at: LogPoint) -> Result<(), SubscriberError> {
        Ok(())
    }

    /// Stores why nothing after the checkpoint `at` can be applied, for operators.
    async fn block(&mut self, at: LogPoint, reason: &str) -> Result<(), SubscriberError>;

    /// Deletes what [`Subscriber::block`] has stored, also in another process, if it is stored still. Whatever moves the
    /// checkpoint does so, too.
    async fn unblock(&mut self) -> Result<(), SubscriberError>;
}

/// How a generation is built.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Building {
    /// How many events may be applied in a second; `None` if as many as can be.
    pub(crate) events_per_second: Option<u32>,
}

/// The id of a subscriber in measurements and logs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SubscriberId {
    /// `read_model` or `reactor`.
    pub(crate) kind: &'static str,
    /// The name of the read model or reactor.
    pub(crate) name: &'static str,
    /// The number of the generation; `None` for a reactor.
    pub(crate) generation: Option<i32>,
    /// The number of the shard; `None` for a reactor.
    pub(crate) shard: Option<i32>,
}

/// How far a page was applied.
#[derive(Debug)]
pub(crate) struct Applied {
    /// The last event that was applied.
    pub(crate) point: LogPoint,
    /// The position of the stored checkpoint. It may be behind `point` unless an event is blocked.
    pub(crate) checkpoint: i64,
    /// Why the event after `point` cannot be applied; `None` if the whole page was applied.
    pub(crate) blocked_by: Option<EventError>,
}
