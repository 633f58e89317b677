//! Feeds: the log in position order, without gap or duplicate, from any position.
//!
//! Whoever follows the log knows only [`Feed`]. It does not know where the events come from.

mod kafka_feed;
mod log_feed;

use async_trait::async_trait;
use tidemark_events::Recorded;

pub use kafka_feed::{Counts, KafkaFeed};
pub use log_feed::LogFeed;

/// Why a feed could not go on. Ask again: nothing is lost by it.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The log could not be read.
    #[error("the log cannot be read: {0}")]
    Log(#[from] sqlx::Error),
}

/// The log, in order, from any position.
#[async_trait]
pub trait Feed: Send {
    /// The next events, at least one: they start right after the last one given. Waits while there
    /// are none. Cancelling the call loses nothing.
    ///
    /// # Errors
    /// [`FeedError`]; the next call goes on where this one would have.
    async fn next(&mut self) -> Result<Vec<Recorded>, FeedError>;
}
