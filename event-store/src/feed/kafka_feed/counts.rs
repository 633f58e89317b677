//! Where the feed's events came from, counted.

/// How many events a feed took from where, and how many records it had no use for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that Kafka gave.
    pub merged: u64,
    /// Events read from the log because they were there before Kafka was followed.
    pub caught_up: u64,
    /// Events read from the log because Kafka does not have them.
    pub backfilled: u64,
    /// Events read from the log because Kafka or the relay did not move.
    pub fallen_back: u64,
    /// Records whose position had been given before.
    pub dropped: u64,
    /// Records that stand for no event.
    pub broken: u64,
}

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Merged,
    CaughtUp,
    Backfilled,
    FallenBack,
    Dropped,
    Broken,
}

impl Counts {
    pub(super) fn add(&mut self, kind: Kind, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let (total, name) = match kind {
            Kind::Merged => (&mut self.merged, "tidemark_feed_merged_total"),
            Kind::CaughtUp => (&mut self.caught_up, "tidemark_feed_caught_up_total"),
            Kind::Backfilled => (&mut self.backfilled, "tidemark_feed_backfilled_total"),
            Kind::FallenBack => (&mut self.fallen_back, "tidemark_feed_fallen_back_total"),
            Kind::Dropped => (&mut self.dropped, "tidemark_feed_dropped_total"),
            Kind::Broken => (&mut self.broken, "tidemark_feed_broken_total"),
        };
        *total += count;
        metrics::counter!(name).increment(count);
    }
}
