//! Runs of tasks: a row for each, with its attempts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemark_events::tasks::task::Trigger;
use tidemark_events::tasks::task_run::{Event, Outcome};
use tidemark_events::{TaskId, TaskRunId, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Column, EventFilter, FoldInput, ReadModel, RowOf};

/// Where a run is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TaskRunStatus, example = "succeeded")]
pub enum Status {
    /// Attempts are made.
    Open,
    /// An attempt was answered with a status from 200 to 299.
    Succeeded,
    /// No attempt was, and none is made any more.
    Failed,
    /// The task was paused or retired before.
    Cancelled,
}

impl Status {
    /// The name of the status in documents and queries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An attempt to call the URL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskAttempt)]
pub struct Attempt {
    /// The number of the attempt, from 1 on.
    #[schema(minimum = 1, maximum = 100, example = 1)]
    pub attempt: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// The HTTP status of the answer; none if there was none.
    #[schema(minimum = 100, maximum = 999, example = 200)]
    pub status: Option<u32>,
    /// How long it took, in milliseconds.
    #[schema(minimum = 0, maximum = 86_400_000, example = 12)]
    pub ms: u32,
    /// When it was recorded.
    pub at: DateTime<Utc>,
    /// When the next attempt is made; none if none is.
    #[schema(example = json!(null))]
    pub next_at: Option<DateTime<Utc>>,
}

/// A run of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskRun)]
pub struct Row {
    /// The id of the run, which its calls bear as `webhook-id`.
    #[schema(value_type = Uuid)]
    pub id: TaskRunId,
    /// The task.
    #[schema(value_type = Uuid)]
    pub task_id: TaskId,
    /// The user whose task it is.
    #[schema(value_type = Uuid)]
    pub owner_id: UserId,
    /// Why the run was requested.
    pub trigger: Trigger,
    /// The slot; for a run that the owner asked for, when that was.
    pub slot: DateTime<Utc>,
    /// Where the run is in its life.
    pub status: Status,
    /// The attempts so far.
    pub attempts: Vec<Attempt>,
    /// When the run was requested.
    pub requested_at: DateTime<Utc>,
    /// When it ended; none if it has not.
    pub ended_at: Option<DateTime<Utc>>,
    /// The version of the run: the number of its changes.
    #[schema(minimum = 1, example = 3)]
    pub version: i64,
}

/// The read model whose rows are runs of tasks, each under its own id.
#[derive(Clone, Copy, Debug)]
pub struct TaskRun;

impl ReadModel for TaskRun {
    const NAME: &'static str = "task_run";
    const FOLD_VERSION: i32 = 2;
    const EVENTS: EventFilter = EventFilter::Types(Event::TYPES);
    const ROW_OF: RowOf = RowOf::Stream;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn columns(row: &Row) -> Vec<Column> {
        vec![
            Column::uuid("owner_id", row.owner_id.0),
            Column::uuid("task_id", row.task_id.0),
            Column::text("status", row.status.name()),
            Column::text("outcome", row.attempts.last().map(|it| it.outcome.name())),
            Column::time("slot", row.slot),
        ]
    }

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        let id = |event: &Event| id(event).0;
        input.event_of().map(id).into_iter().collect()
    }

    fn fold(_: Uuid, row: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        let Some(event) = input.event_of() else {
            return row;
        };
        let at = input.recorded.recorded_at;
        let mut row = row.or_else(|| requested(event, at))?;
        let ended = match event {
            Event::Requested { .. } => None,
            Event::Attempted { .. } => {
                row.attempts.extend(attempt(event, at));
                None
            }
            Event::Succeeded { .. } => Some(Status::Succeeded),
            Event::Failed { .. } => Some(Status::Failed),
            Event::Cancelled { .. } => Some(Status::Cancelled),
        };
        if let Some(status) = ended {
            row.status = status;
            row.ended_at = Some(at);
        }
        row.version = input.recorded.version;
        Some(row)
    }
}

const fn id(event: &Event) -> TaskRunId {
    match event {
        Event::Requested { task_run_id, .. }
        | Event::Attempted { task_run_id, .. }
        | Event::Succeeded { task_run_id, .. }
        | Event::Failed { task_run_id, .. }
        | Event::Cancelled { task_run_id, .. } => *task_run_id,
    }
}

/// The first row of a run. `None` if it has not been requested.
fn requested(event: &Event, at: DateTime<Utc>) -> Option<Row> {
    let Event::Requested {
        task_run_id,
        task_id,
        owner_id,
        slot,
        trigger,
        ..
    } = event
    else {
        return None;
    };
    Some(Row {
        id: *task_run_id,
        task_id: *task_id,
        owner_id: *owner_id,
        trigger: *trigger,
        slot: **slot,
        status: Status::Open,
        attempts: Vec::new(),
        requested_at: at,
        ended_at: None,
        version: 0,
    })
}

fn attempt(event: &Event, at: DateTime<Utc>) -> Option<Attempt> {
    let Event::Attempted {
        attempt,
        outcome,
        status,
        ms,
        next_at,
        ..
    } = event
    else {
        return None;
    };
    Some(Attempt {
        attempt: *attempt,
        outcome: *outcome,
        status: *status,
        ms: *ms,
        at,
        next_at: next_at.map(|next_at| *next_at),
    })
}

#[cfg(test)]
mod tests {
    use tidemark_events::Event as AnyEvent;
    use tidemark_events::samples;
    use tidemark_events::samples::{TASK_RUN, at};

    use super::*;
    use crate::testing::given;

    #[test]
    fn a_run_keeps_its_attempts_and_how_it_ended() {
        let of_run = |event| {
            if let AnyEvent::TaskRun(event) = event {
                Some(event)
            } else {
                None
            }
        };
        let events: Vec<_> = samples::all().into_iter().filter_map(of_run).collect();
        let row = |events: &[Event]| {
            let mut rows = given::<TaskRun>(events.to_vec());
            rows.remove(&TASK_RUN.0).unwrap()
        };
        let open = row(&events[..2]);
        assert_eq!((open.status, open.ended_at), (Status::Open, None));
        assert_eq!(open.attempts[0].next_at, Some(at(65)));
        let ended = row(&events[..3]);
        assert_eq!(
            (ended.status, ended.ended_at),
            (Status::Succeeded, Some(at(3)))
        );
    }
}
