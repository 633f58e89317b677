//! Feeds: the log in the order of positions, without gaps or duplicates, from any position on.
//!
//! What follows the log uses [`Feed`] only, and does not know whether the events come from Kafka or from
//! the table.

mod kafka_feed;
mod log_feed;

use async_trait::async_trait;
use tidemark_events::Recorded;

use crate::FollowError;

pub use kafka_feed::{FeedCounts, KafkaFeed};
pub use log_feed::LogFeed;

/// The log, in order, from any position on.
#[async_trait]
pub trait Feed: Send {
    /// The next events, at least one, which begin right after the last event that was given. This waits
    /// while there are none. Cancelling the call loses nothing.
    ///
    /// # Errors
    /// If the log could not be read. The next call goes on at the same position, unless the log is not the one that it
    /// was: then this feed gives nothing more.
    async fn next(&mut self) -> Result<Vec<Recorded>, FollowError>;
}
