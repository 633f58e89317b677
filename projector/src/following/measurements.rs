//! What is measured of a subscriber: `tidemark_projection_…` for a shard of a read model,
//! `tidemark_reactor_…` for a reactor.

use metrics::{Counter, Gauge, Label};
use tidemark_platform::telemetry::Series;

use super::blocked::Blocked;
use super::subscriber::SubscriberId;

/// The measurements of one subscriber. They are shown as long as this process runs it: what is dropped is measured no
/// more, and what another process has taken over is measured there.
pub(super) struct Measurements {
    id: SubscriberId,
    standing_still: Blocked,
    position: Gauge,
    lag: Gauge,
    batch: Gauge,
    blocked: Gauge,
    /// A reactor parks nothing.
    parked: Option<Gauge>,
    events: Counter,
    failures: Counter,
    _series: Series,
}

impl Measurements {
    /// The measurements of a subscriber that is listed in `standing_still` while it is blocked.
    pub(super) fn new(id: SubscriberId, standing_still: Blocked) -> Self {
        let SubscriberId {
            kind,
            name,
            generation,
            shard,
        } = id;
        let prefix = match kind {
            "read_model" => "tidemark_projection",
            _ => "tidemark_reactor",
        };
        let mut labels = vec![Label::new(kind, name)];
        labels.extend(generation.map(|it| Label::new("generation", it.to_string())));
        labels.extend(shard.map(|shard| Label::new("shard", shard.to_string())));
        let mut series = Series::new(labels);
        let mut gauge = |what: &str| series.gauge(&format!("{prefix}_{what}"));
        let position = gauge("position");
        let lag = gauge("lag_events");
        let batch = gauge("batch_events");
        let blocked = gauge("blocked");
        let parked = (kind == "read_model").then(|| gauge("parked_rows"));
        let mut counter = |what: &str| series.counter(&format!("{prefix}_{what}"));
        Self {
            id,
            standing_still,
            position,
            lag,
            batch,
            blocked,
            parked,
            events: counter("events_total"),
            failures: counter("failures_total"),
            _series: series,
        }
    }

    /// Records the checkpoint, and how far it is behind the head of the feed.
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    pub(super) fn checkpoint(&self, checkpoint: i64, head: i64) {
        self.position.set(checkpoint as f64);
        self.lag.set((head - checkpoint).max(0) as f64);
    }

    /// Records that a page with so many events was applied.
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    pub(super) fn applied(&self, events: i64) {
        self.batch.set(events as f64);
        self.events.increment(events.unsigned_abs());
    }

    /// Records that the subscriber does not stand still any more.
    pub(super) fn goes_on(&self) {
        self.blocked.set(0.0);
        self.standing_still.set(self.id, None);
    }

    /// Records how much waits because it could not be applied.
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    pub(super) fn parked(&self, parked: usize) {
        if let Some(gauge) = &self.parked {
            gauge.set(parked as f64);
        }
    }

    /// Records why the subscriber stands still.
    pub(super) fn blocked(&self, reason: &str) {
        self.blocked.set(1.0);
        self.standing_still.set(self.id, Some(reason));
    }

    /// Records that the subscriber must restart from its checkpoint.
    pub(super) fn failed(&self) {
        self.failures.increment(1);
    }
}

impl Drop for Measurements {
    /// A subscriber that this process does not run does not stand still here.
    fn drop(&mut self) {
        self.standing_still.set(self.id, None);
    }
}
