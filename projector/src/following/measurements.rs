//! What is measured of a subscriber: `tidemark_projection_…` for a shard of a read model,
//! `tidemark_reactor_…` for a reactor.

use metrics::{Counter, Gauge, Label, counter, gauge};

use super::subscriber::SubscriberId;

/// The measurements of one subscriber.
pub(super) struct Measurements {
    position: Gauge,
    lag: Gauge,
    batch: Gauge,
    blocked: Gauge,
    events: Counter,
    failures: Counter,
}

impl Measurements {
    pub(super) fn new(SubscriberId { kind, name, shard }: SubscriberId) -> Self {
        let prefix = match kind {
            "read_model" => "tidemark_projection",
            _ => "tidemark_reactor",
        };
        let mut labels = vec![Label::new(kind, name)];
        labels.extend(shard.map(|shard| Label::new("shard", shard.to_string())));
        let gauge = |what: &str| gauge!(format!("{prefix}_{what}"), labels.clone());
        let counter = |what: &str| counter!(format!("{prefix}_{what}"), labels.clone());
        Self {
            position: gauge("position"),
            lag: gauge("lag"),
            batch: gauge("batch_events"),
            blocked: gauge("blocked"),
            events: counter("events_total"),
            failures: counter("failures_total"),
        }
    }

    /// Records the checkpoint, and how far it is behind the head of the feed.
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    pub(super) fn checkpoint(&self, checkpoint: i64, head: i64) {
        self.position.set(checkpoint as f64);
        self.lag.set((head - checkpoint).max(0) as f64);
    }

    /// Records that a page with so many events was applied, so that the subscriber is not blocked.
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    pub(super) fn applied(&self, events: i64) {
        self.batch.set(events as f64);
        self.events.increment(events.unsigned_abs());
        self.blocked.set(0.0);
    }

    /// Records that an event cannot be applied.
    pub(super) fn blocked(&self) {
        self.blocked.set(1.0);
    }

    /// Records that the subscriber stopped on purpose. Another process measures it from now on, so
    /// this one must not go on to report a lag.
    pub(super) fn stopped(&self) {
        self.lag.set(0.0);
        self.blocked.set(0.0);
    }

    /// Records that the subscriber must restart from its checkpoint.
    pub(super) fn failed(&self) {
        self.failures.increment(1);
    }
}
