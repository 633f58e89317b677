//! Counts where the events of a feed came from.

/// How many events a feed took from each source, and how many records it did not use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedCounts {
    /// Events that came from Kafka.
    pub merged: u64,
    /// Events read from the log because they are older than the session with Kafka.
    pub caught_up: u64,
    /// Events read from the log because Kafka does not have them.
    pub backfilled: u64,
    /// Events read from the log because nothing came from Kafka for too long.
    pub fallen_back: u64,
    /// Records whose event had been given before.
    pub dropped: u64,
    /// Records that could not be decoded.
    pub broken: u64,
    /// Records that are of another log: of another timeline, ahead of the log, or with another event than it has.
    pub foreign: u64,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counter {
    Merged,
    CaughtUp,
    Backfilled,
    FallenBack,
    Dropped,
    Broken,
    Foreign,
}

impl FeedCounts {
    pub(super) fn add(&mut self, counter: Counter, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let (total, name) = match counter {
            Counter::Merged => (&mut self.merged, "tidemark_feed_merged_total"),
            Counter::CaughtUp => (&mut self.caught_up, "tidemark_feed_caught_up_total"),
            Counter::Backfilled => (&mut self.backfilled, "tidemark_feed_backfilled_total"),
            Counter::FallenBack => (&mut self.fallen_back, "tidemark_feed_fallen_back_total"),
            Counter::Dropped => (&mut self.dropped, "tidemark_feed_dropped_total"),
            Counter::Broken => (&mut self.broken, "tidemark_feed_broken_total"),
            Counter::Foreign => (&mut self.foreign, "tidemark_feed_foreign_total"),
        };
        *total += count;
        metrics::counter!(name).increment(count);
    }
}
