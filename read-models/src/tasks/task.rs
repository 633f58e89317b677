//! A task as its owner sees it: when it is due, and how its last run ended. What it calls stays sealed in the log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemark_events::tasks::task::{
    Event, Method, Missed, NextSlot, Overlap, PauseReason, Plan, RunResult, SkipReason,
};
use tidemark_events::{TaskId, TaskRunId, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Column, EventFilter, FoldInput, ReadModel, RowOf};

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TaskStatus, example = "active")]
pub enum Status {
    /// It runs.
    Active,
    /// It does not run until it is resumed.
    Paused,
    /// It never runs again.
    Retired,
}

/// When a task is due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskSchedule)]
pub struct Schedule {
    /// The expression of cron.
    #[schema(example = "0 7 * * *")]
    pub cron: String,
    /// The time zone, by its name in the database of IANA.
    #[schema(example = "Europe/Berlin")]
    pub zone: String,
    /// What happens with slots that nobody took on time.
    pub missed: Missed,
    /// What happens with slots that come while a run goes on.
    pub overlap: Overlap,
    /// How long after its slot a run is of use, in seconds.
    #[schema(minimum = 10, maximum = 31_536_000, example = 3_600)]
    pub window_s: u32,
    /// By how many milliseconds runs begin after their slots.
    #[schema(minimum = 0, maximum = 900_000, example = 0)]
    pub delay_ms: u32,
}

/// Slots that did not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = SkippedSlots)]
pub struct Skipped {
    /// The first of them.
    pub from: DateTime<Utc>,
    /// The last of them.
    pub to: DateTime<Utc>,
    /// How many.
    #[schema(minimum = 1, maximum = 4_294_967_295_i64, example = 1)]
    pub count: u32,
    /// Why.
    pub reason: SkipReason,
}

/// A task: a URL that is called when its schedule says so, or when its owner asks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Task)]
pub struct Row {
    /// The id of the task.
    #[schema(value_type = Uuid)]
    pub id: TaskId,
    /// The user whose task it is.
    #[schema(value_type = Uuid)]
    pub owner_id: UserId,
    /// The name.
    #[schema(example = "Fetch prices")]
    pub name: String,
    /// The host that it calls.
    #[schema(example = "hooks.example")]
    pub host: String,
    /// The method of its calls.
    pub method: Method,
    /// When it is due; none if it runs on request only.
    pub schedule: Option<Schedule>,
    /// Where it is in its life.
    pub status: Status,
    /// Why it is paused; none unless it is.
    #[schema(example = json!(null))]
    pub paused_for: Option<PauseReason>,
    /// The slot that is due next; none if there is none.
    pub next_slot: Option<DateTime<Utc>>,
    /// The run that was requested last; none if there was none.
    #[schema(value_type = Option<Uuid>)]
    pub last_run_id: Option<TaskRunId>,
    /// How the run ended that ended last; none if none did.
    pub last_result: Option<RunResult>,
    /// Since when all runs have failed; none if the last one did not, or if none has ended since the task was resumed.
    pub failing_since: Option<DateTime<Utc>>,
    /// The slots that were skipped last; none if none were.
    pub last_skipped: Option<Skipped>,
    /// When the secret was rotated last; none if it never was.
    #[schema(example = json!(null))]
    pub secret_rotated_at: Option<DateTime<Utc>>,
    /// When the task was defined.
    pub defined_at: DateTime<Utc>,
    /// The version of the task: the number of its changes.
    #[schema(minimum = 1, example = 7)]
    pub version: i64,
}

/// The read model whose rows are tasks, each under its own id.
#[derive(Clone, Copy, Debug)]
pub struct Task;

impl ReadModel for Task {
    const NAME: &'static str = "task";
    const FOLD_VERSION: i32 = 3;
    const EVENTS: EventFilter = EventFilter::Types(Event::TYPES);
    const ROW_OF: RowOf = RowOf::Stream;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn columns(row: &Row) -> Vec<Column> {
        vec![Column::uuid("owner_id", row.owner_id.0)]
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
        let mut row = row.or_else(|| defined(event, at))?;
        change(&mut row, event, at);
        row.version = input.recorded.version;
        Some(row)
    }
}

const fn id(event: &Event) -> TaskId {
    match event {
        Event::Defined { task_id, .. }
        | Event::SlotTaken { task_id, .. }
        | Event::SlotsSkipped { task_id, .. }
        | Event::RunEnded { task_id, .. }
        | Event::Paused { task_id, .. }
        | Event::Resumed { task_id, .. }
        | Event::Changed { task_id, .. }
        | Event::SecretRotated { task_id, .. }
        | Event::Replanned { task_id, .. }
        | Event::Retired { task_id, .. } => *task_id,
    }
}

fn change(row: &mut Row, event: &Event, at: DateTime<Utc>) {
    match event {
        Event::Defined { .. } => {}
        Event::SlotTaken { run_id, next, .. } => {
            row.last_run_id = Some(*run_id);
            // A run that the owner asked for leaves the next slot as it is.
            row.next_slot = slot(next.as_ref()).or(row.next_slot);
        }
        Event::SlotsSkipped {
            from,
            to,
            count,
            reason,
            next,
            ..
        } => {
            row.last_skipped = Some(Skipped {
                from: **from,
                to: **to,
                count: *count,
                reason: *reason,
            });
            row.next_slot = slot(next.as_ref()).or(row.next_slot);
        }
        Event::RunEnded {
            result,
            failing_since,
            ..
        } => {
            row.last_result = Some(*result);
            row.failing_since = failing_since.map(|since| *since);
        }
        Event::Paused { reason, .. } => {
            row.status = Status::Paused;
            row.paused_for = Some(*reason);
            row.next_slot = None;
        }
        Event::Resumed { next, .. } => {
            row.status = Status::Active;
            row.paused_for = None;
            row.failing_since = None;
            row.next_slot = slot(next.as_ref());
        }
        Event::Changed {
            name,
            method,
            host,
            plan,
            next,
            ..
        } => {
            row.name.clone_from(name);
            row.method = *method;
            row.host.clone_from(host);
            row.schedule = plan.as_deref().map(schedule);
            let next = slot(next.as_ref()).or(row.next_slot);
            row.next_slot = next.filter(|_| row.status == Status::Active);
        }
        Event::SecretRotated { .. } => row.secret_rotated_at = Some(at),
        Event::Replanned { next, .. } => row.next_slot = slot(next.as_ref()),
        Event::Retired { .. } => {
            row.status = Status::Retired;
            row.paused_for = None;
            row.next_slot = None;
        }
    }
}

fn slot(next: Option<&NextSlot>) -> Option<DateTime<Utc>> {
    next.map(|next| *next.slot)
}

/// The first row of a task. `None` if it has not been defined.
fn defined(event: &Event, at: DateTime<Utc>) -> Option<Row> {
    let Event::Defined {
        task_id,
        owner_id,
        name,
        method,
        host,
        plan,
        next,
        ..
    } = event
    else {
        return None;
    };
    Some(Row {
        id: *task_id,
        owner_id: *owner_id,
        name: String::clone(name),
        host: String::clone(host),
        method: *method,
        schedule: plan.as_deref().map(schedule),
        status: Status::Active,
        paused_for: None,
        next_slot: slot(next.as_ref()),
        last_run_id: None,
        last_result: None,
        failing_since: None,
        last_skipped: None,
        secret_rotated_at: None,
        defined_at: at,
        version: 0,
    })
}

fn schedule(plan: &Plan) -> Schedule {
    Schedule {
        cron: String::clone(&plan.cron),
        zone: String::clone(&plan.zone),
        missed: plan.missed,
        overlap: plan.overlap,
        window_s: plan.window_s,
        delay_ms: plan.delay_ms,
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::Event as AnyEvent;
    use tidemark_events::samples;
    use tidemark_events::samples::{TASK, at};

    use super::*;
    use crate::testing::given;

    /// The row after so many of the samples.
    fn row(events: usize) -> Row {
        let of_task = |event| {
            if let AnyEvent::Task(event) = event {
                Some(event)
            } else {
                None
            }
        };
        let events = samples::all().into_iter().filter_map(of_task).take(events);
        given::<Task>(events).remove(&TASK.0).unwrap()
    }

    #[test]
    fn a_task_shows_its_next_slot_unless_it_is_paused_or_retired() {
        let next: Vec<_> = (1..=10).map(|events| row(events).next_slot).collect();
        let (due, none) = (|seconds| Some(at(seconds)), None);
        let expected = [
            due(60),
            due(120),
            due(180),
            due(180),
            none,
            due(180),
            due(240),
            due(240),
            due(300),
            none,
        ];
        assert_eq!(next, expected);
        assert_eq!(row(5).paused_for, Some(PauseReason::Owner));
        assert_eq!(row(5).failing_since, Some(at(150)));
        assert_eq!(row(6).failing_since, None, "it was resumed");
        assert_eq!(row(10).status, Status::Retired);
    }

    #[test]
    fn a_task_that_was_changed_shows_what_it_is_now() {
        let changed = row(7);
        assert_eq!(
            (&*changed.name, &*changed.host, changed.method),
            ("Fetch all prices", "other.example", Method::Put)
        );
        assert_eq!(changed.schedule.unwrap().cron, "*/2 * * * *");
        assert_eq!(changed.secret_rotated_at, None);
        assert!(row(8).secret_rotated_at.is_some());
    }
}
