//! Runs of tasks as the log and the receivers show them, by the servers that they call.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::servers::Receiver;
use crate::stack::Stack;

/// The attempts that a run has: one more than there are pauses in the configuration of the stack.
const ATTEMPTS: i64 = 4;

/// Runs that the schedule asked for after a position.
const RUNS: &str = "
    select requested.stream_id as id,
           requested.data ->> 'host' as host,
           (requested.data ->> 'slot')::timestamptz as slot,
           requested.recorded_at as requested_at,
           count(*) filter (where later.type = 'task_run.attempted') as attempts,
           bool_or(later.type = 'task_run.succeeded') is true as succeeded,
           bool_or(later.type = 'task_run.failed') is true as failed
      from events requested
      left join events later
        on later.stream_id = requested.stream_id
       and later.version > 1
     where requested.type = 'task_run.requested'
       and requested.position > $1
     group by requested.position
";

/// Runs, by their host.
pub(super) struct Runs(BTreeMap<String, Vec<Run>>);

#[derive(Clone, Debug, sqlx::FromRow)]
struct Run {
    id: Uuid,
    host: String,
    slot: DateTime<Utc>,
    requested_at: DateTime<Utc>,
    attempts: i64,
    succeeded: bool,
    failed: bool,
}

/// What came of the runs that called a server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends {
    pub(super) succeeded: usize,
    pub(super) failed: usize,
    /// Those of them that had attempts left, and no time before their next slot.
    pub(super) cut_short: usize,
    /// Runs that are not over.
    pub(super) open: usize,
    /// Attempts on record.
    pub(super) attempts: i64,
}

impl Runs {
    /// The runs that were requested after a position.
    pub(super) async fn since(stack: &Stack, position: i64) -> Self {
        let runs = sqlx::query_as::<_, Run>(RUNS).bind(position);
        let mut by_host = BTreeMap::<_, Vec<_>>::new();
        for run in runs.fetch_all(&stack.pool).await.unwrap() {
            by_host.entry(run.host.clone()).or_default().push(run);
        }
        Self(by_host)
    }

    fn of(&self, receiver: &Receiver) -> impl Iterator<Item = &Run> {
        self.0.get(&receiver.host).into_iter().flatten()
    }

    /// How long after the request of each run its first call arrived, of those that arrived.
    pub(super) fn delays(&self, receiver: &Receiver) -> impl Iterator<Item = Duration> {
        self.after(receiver, |run| run.requested_at)
    }

    /// How long after the slot of each run its first call arrived, of those that arrived.
    pub(super) fn lateness(&self, receiver: &Receiver) -> impl Iterator<Item = Duration> {
        self.after(receiver, |run| run.slot)
    }

    fn after(
        &self,
        receiver: &Receiver,
        from: fn(&Run) -> DateTime<Utc>,
    ) -> impl Iterator<Item = Duration> {
        let mut arrived = BTreeMap::new();
        for call in receiver.received() {
            arrived.entry(call.run_id).or_insert(call.at);
        }
        let late = move |run: &Run| Some(*arrived.get(&run.id)? - from(run));
        let late = self.of(receiver).filter_map(late);
        late.map(|it| it.to_std().unwrap_or_default())
    }

    /// What came of the runs that called a server.
    pub(super) fn ends(&self, receiver: &Receiver) -> Ends {
        let mut ends = Ends::default();
        for run in self.of(receiver) {
            ends.attempts += run.attempts;
            ends.cut_short += usize::from(run.failed && run.attempts < ATTEMPTS);
            let counter = match (run.succeeded, run.failed) {
                (true, _) => &mut ends.succeeded,
                (false, true) => &mut ends.failed,
                (false, false) => &mut ends.open,
            };
            *counter += 1;
        }
        ends
    }
}
