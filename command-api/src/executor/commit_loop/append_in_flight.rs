//! A batch that was sent to the log and is not answered yet.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::thread;
use std::time::Instant;

use futures::future::BoxFuture;
use futures::{FutureExt, future};
use metrics::{counter, histogram};
use tidemark_event_store::traces::{Span, SpanKind};
use tidemark_event_store::{AppendOutcome, Appended, Conflict, Group, traces};
use tidemark_events::Aggregate;
use uuid::Uuid;

use crate::executor::batch::{Baseline, DecidedCommand};

/// The answer to an append, unless the call panicked.
pub(super) type AppendAnswer = thread::Result<sqlx::Result<AppendOutcome>>;

/// A batch that was sent to the log and is not answered yet.
pub(super) struct AppendInFlight {
    call: BoxFuture<'static, AppendAnswer>,
    pub(super) started: Instant,
    /// The number of the batch.
    pub(super) number: i64,
    /// The commands of each group, in order.
    pub(super) groups: Vec<Vec<DecidedCommand>>,
    /// What was known before them.
    pub(super) baseline: Baseline,
    /// The id of the first event of each group, by which the group is found in the log.
    pub(super) first_event_ids: Vec<Option<Uuid>>,
    /// The streams of which a snapshot is due.
    pub(super) long_streams: Vec<Uuid>,
    /// Whether it declares a fork.
    pub(super) forks: bool,
}

impl AppendInFlight {
    /// Sends the groups of the batch with this number by calling `append`. A snapshot of a stream is due when its
    /// version passes a multiple of `snapshot_every`.
    pub(super) fn start<F>(
        number: i64,
        (groups, commands, baseline): (Vec<Group>, Vec<Vec<DecidedCommand>>, Baseline),
        snapshot_every: i64,
        append: impl FnOnce(Vec<Group>) -> F,
    ) -> Self
    where
        F: Future<Output = sqlx::Result<AppendOutcome>> + Send + 'static,
    {
        let first_event_id = |group: &Group| group.events.first().map(|event| event.event_id);
        let first_event_ids = groups.iter().map(first_event_id).collect();
        let long_streams = groups
            .iter()
            .flat_map(|group| &group.events)
            .filter(|event| event.version.checked_rem(snapshot_every) == Some(0))
            .map(|event| event.stream_id)
            .collect();
        let mut events = groups.iter().flat_map(|group| &group.events);
        let forks = events.any(|event| event.aggregate == Aggregate::Fork.name());
        let call = AssertUnwindSafe(append(groups)).catch_unwind();
        // Before the request is sent: Postgres may look at its clock while this thread has to wait, and a server that
        // looked before it was asked would seem to have been set back.
        let started = Instant::now();
        Self {
            call: poll_once(call.boxed()),
            started,
            number,
            groups: commands,
            baseline,
            first_event_ids,
            long_streams,
            forks,
        }
    }

    /// The position of the last event of the log after the append.
    pub(super) fn head_after(&self, appended: &Appended) -> i64 {
        let failed = appended.conflicts.iter().map(Conflict::group);
        let failed: HashSet<_> = failed.collect();
        let written = (0..)
            .zip(&self.groups)
            .filter(|(group, _)| !failed.contains(group));
        let events: usize = written
            .flat_map(|(_, commands)| commands)
            .map(DecidedCommand::event_count)
            .sum();
        appended.head + i64::try_from(events).unwrap_or(i64::MAX)
    }

    /// Records the metrics of an append that was answered, and a span of each of its commands that is traced.
    pub(super) fn record_metrics(&self) {
        let commands = || self.groups.iter().flatten();
        let events: usize = commands().map(DecidedCommand::event_count).sum();
        let seconds = self.started.elapsed().as_secs_f64();
        #[expect(
            clippy::cast_precision_loss,
            reason = "histograms are of floating-point numbers"
        )]
        {
            histogram!("tidemark_executor_batch_commands").record(commands().count() as f64);
            histogram!("tidemark_executor_batch_events").record(events as f64);
        }
        histogram!("tidemark_executor_append_seconds").record(seconds);
        for parent in commands().filter_map(|command| command.queued.submission.traceparent()) {
            traces::span(SpanKind::Client, "append", parent, self.started.elapsed()).end();
        }
        counter!("tidemark_executor_events_total").increment(events as u64);
    }
}

/// Waits for the answer to the append in flight. Returns none, at once, if none is.
pub(super) async fn next_answer(in_flight: &mut Option<AppendInFlight>) -> Option<AppendAnswer> {
    Some((&mut in_flight.as_mut()?.call).await)
}

/// Polls a call once, which sends its request: so the loop may go on deciding before it awaits the answer.
/// To spawn a task instead would cost two changes of thread, a large part of what one command takes.
fn poll_once(mut call: BoxFuture<'static, AppendAnswer>) -> BoxFuture<'static, AppendAnswer> {
    match (&mut call).now_or_never() {
        Some(answer) => future::ready(answer).boxed(),
        None => call,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn an_append_starts_before_its_request_is_sent() {
        let (sent, seen) = mpsc::channel();
        let append = AppendInFlight::start(1, Default::default(), 1, move |_| async move {
            sent.send(Instant::now()).unwrap();
            Err(sqlx::Error::WorkerCrashed)
        });
        assert!(append.started <= seen.recv().unwrap());
    }
}
