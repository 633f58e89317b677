//! What is measured of a subscriber: `tidemark_projection_…` of each shard of a read model,
//! `tidemark_reactor_…` of a reactor.

use metrics::{Counter, Gauge, Label, counter, gauge};

use super::Identity;

/// The measurements of one subscriber.
pub(super) struct Gauges {
    position: Gauge,
    lag: Gauge,
    batch: Gauge,
    blocked: Gauge,
    events: Counter,
    failures: Counter,
}

impl Gauges {
    pub(super) fn new(Identity { kind, name, shard }: Identity) -> Self {
        let prefix = match kind {
            "read_model" => "tidemark_projection",
            other => &format!("tidemark_{other}"),
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

    /// Stands at a position, with the feed at `head`.
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    pub(super) fn at(&self, position: i64, head: i64) {
        self.position.set(position as f64);
        self.lag.set((head - position).max(0) as f64);
    }

    /// Applied so many events, and is not blocked.
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    pub(super) fn applied(&self, events: i64) {
        self.batch.set(events as f64);
        self.events.increment(events.unsigned_abs());
        self.blocked.set(0.0);
    }

    pub(super) fn blocked(&self) {
        self.blocked.set(1.0);
    }

    /// Somebody else measures it now.
    pub(super) fn left(&self) {
        self.lag.set(0.0);
        self.blocked.set(0.0);
    }

    pub(super) fn failed(&self) {
        self.failures.increment(1);
    }
}
