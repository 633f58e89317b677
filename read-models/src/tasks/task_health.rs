//! How a task fared on each day in UTC: a row for each task and day.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tidemark_events::tasks::task::{Event, RunResult, SkipReason, Trigger};
use tidemark_events::{TaskId, UserId};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Column, EventFilter, FoldInput, ReadModel, RowOf};

/// The bits of the id of a task that are those of the ids of its rows.
const BITS_OF_TASK: u32 = 80;

/// The slots that were skipped, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SkippedByReason)]
pub struct Skipped {
    /// Nobody took them on time.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64, example = 0)]
    pub missed: u32,
    /// A run was not over yet.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64, example = 1)]
    pub overlap: u32,
    /// The task was paused.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64, example = 0)]
    pub paused: u32,
    /// The schedule was changed before.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64, example = 0)]
    pub changed: u32,
    /// The task was retired before.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64, example = 0)]
    pub retired: u32,
}

/// How long after their slots the runs of the schedule were requested, the delay included that their task has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskLateness)]
pub struct Lateness {
    /// The longest such time, in milliseconds.
    #[schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64, example = 84)]
    pub max_ms: i64,
    /// All of them together, in milliseconds.
    #[schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64, example = 1_204)]
    pub sum_ms: i64,
    /// How many were requested within a second.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64, example = 24)]
    pub within_1_s: u32,
    /// How many later than that, and within 10 seconds.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64, example = 0)]
    pub within_10_s: u32,
    /// How many later than that, and within a minute.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64, example = 0)]
    pub within_1_min: u32,
    /// How many later than that.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64, example = 0)]
    pub later: u32,
}

/// How a task fared on a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskHealth)]
pub struct Row {
    /// The id, which later days have later.
    pub id: Uuid,
    /// The task.
    #[schema(value_type = Uuid)]
    pub task_id: TaskId,
    /// The user whose task it is.
    #[schema(value_type = Uuid)]
    pub owner_id: UserId,
    /// The day in UTC, to which slots and the runs for them belong. Slots that were skipped together belong to that of the last.
    #[schema(example = "2027-01-31")]
    pub day: NaiveDate,
    /// The slots: those that were taken and those that were skipped.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64, example = 25)]
    pub due: u32,
    /// The runs that the owner asked for besides.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64, example = 1)]
    pub requested: u32,
    /// The runs that succeeded, whoever asked for them.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64, example = 24)]
    pub succeeded: u32,
    /// The runs that failed, whoever asked for them.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64, example = 1)]
    pub failed: u32,
    /// The slots that were skipped.
    pub skipped: Skipped,
    /// How late runs were.
    pub lateness: Lateness,
}

/// The read model whose rows are the days of tasks.
#[derive(Clone, Copy, Debug)]
pub struct TaskHealth;

impl ReadModel for TaskHealth {
    const NAME: &'static str = "task_health";
    const FOLD_VERSION: i32 = 2;
    const EVENTS: EventFilter =
        EventFilter::Types(&["task.slot_taken", "task.slots_skipped", "task.run_ended"]);
    const ROW_OF: RowOf = RowOf::Data;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn columns(row: &Row) -> Vec<Column> {
        vec![Column::uuid("task_id", row.task_id.0)]
    }

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        let row = of_event(input).map(|it| it.id);
        row.into_iter().collect()
    }

    fn fold(_: Uuid, row: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        let mut row = row.or_else(|| of_event(input))?;
        if let Some(event) = input.event_of() {
            row.add(event, input.recorded.recorded_at);
        }
        Some(row)
    }
}

/// The row that an event changes, as it begins.
fn of_event(input: &FoldInput<'_>) -> Option<Row> {
    let (task_id, owner_id, at) = match input.event_of()? {
        Event::SlotTaken {
            task_id,
            owner_id,
            slot,
            ..
        } => (*task_id, *owner_id, **slot),
        Event::SlotsSkipped {
            task_id,
            owner_id,
            to,
            ..
        } => (*task_id, *owner_id, **to),
        Event::RunEnded {
            task_id,
            owner_id,
            slot,
            ..
        } => {
            // Builds before did not say which slot the run was for.
            let at = slot.map_or(input.recorded.recorded_at, |slot| *slot);
            (*task_id, *owner_id, at)
        }
        Event::Defined { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Changed { .. }
        | Event::SecretRotated { .. }
        | Event::Replanned { .. }
        | Event::Retired { .. } => return None,
    };
    let day = at.date_naive();
    Some(Row {
        id: id(task_id, day),
        task_id,
        owner_id,
        day,
        due: 0,
        requested: 0,
        succeeded: 0,
        failed: 0,
        skipped: Skipped::default(),
        lateness: Lateness::default(),
    })
}

/// The id of the row of a task and a day: the time at which the day begins, as in the ids of other things, and what is random in
/// the id of the task.
fn id(task_id: TaskId, day: NaiveDate) -> Uuid {
    let begins_at = day.and_time(chrono::NaiveTime::MIN).and_utc();
    let ms = u128::try_from(begins_at.timestamp_millis()).unwrap_or_default();
    let of_task = task_id.0.as_u128() & ((1 << BITS_OF_TASK) - 1);
    Uuid::from_u128(ms << BITS_OF_TASK | of_task)
}

impl Row {
    fn add(&mut self, event: &Event, recorded_at: DateTime<Utc>) {
        match event {
            Event::SlotTaken { slot, trigger, .. } => match trigger {
                Trigger::Schedule => {
                    self.due = self.due.saturating_add(1);
                    self.lateness.add(recorded_at - **slot);
                }
                Trigger::Request => self.requested = self.requested.saturating_add(1),
            },
            Event::SlotsSkipped { count, reason, .. } => {
                self.due = self.due.saturating_add(*count);
                let skipped = self.skipped.of(*reason);
                *skipped = skipped.saturating_add(*count);
            }
            Event::RunEnded { result, .. } => {
                let ended = match result {
                    RunResult::Succeeded => &mut self.succeeded,
                    RunResult::Failed => &mut self.failed,
                };
                *ended = ended.saturating_add(1);
            }
            Event::Defined { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Changed { .. }
            | Event::SecretRotated { .. }
            | Event::Replanned { .. }
            | Event::Retired { .. } => {}
        }
    }
}

impl Skipped {
    const fn of(&mut self, reason: SkipReason) -> &mut u32 {
        match reason {
            SkipReason::Missed => &mut self.missed,
            SkipReason::Overlap => &mut self.overlap,
            SkipReason::Paused => &mut self.paused,
            SkipReason::Changed => &mut self.changed,
            SkipReason::Retired => &mut self.retired,
        }
    }
}

impl Lateness {
    fn add(&mut self, late: TimeDelta) {
        let ms = late.num_milliseconds().max(0);
        self.max_ms = self.max_ms.max(ms);
        self.sum_ms = self.sum_ms.saturating_add(ms);
        let count = match ms {
            0..=1_000 => &mut self.within_1_s,
            1_001..=10_000 => &mut self.within_10_s,
            10_001..=60_000 => &mut self.within_1_min,
            _ => &mut self.later,
        };
        *count = count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{SELLER, TASK, TASK_RUN, moment};

    use super::*;
    use crate::testing::given;

    const DAY: i64 = 86_400;

    fn taken(slot: i64, trigger: Trigger) -> Event {
        Event::SlotTaken {
            task_id: TASK,
            owner_id: SELLER,
            run_id: TASK_RUN,
            slot: moment(slot).into(),
            trigger,
            place: 0,
            next: None,
        }
    }

    fn ended(slot: i64, result: RunResult) -> Event {
        Event::RunEnded {
            task_id: TASK,
            owner_id: SELLER,
            run_id: TASK_RUN,
            result,
            failing_since: None,
            slot: Some(moment(slot).into()),
            next: None,
        }
    }

    fn skipped(from: i64, to: i64, count: u32, reason: SkipReason) -> Event {
        Event::SlotsSkipped {
            task_id: TASK,
            owner_id: SELLER,
            from: moment(from).into(),
            to: moment(to).into(),
            count,
            reason,
            next: None,
        }
    }

    #[test]
    fn each_day_counts_its_slots_and_the_runs_for_them() {
        let events = [
            taken(0, Trigger::Schedule),
            taken(0, Trigger::Request),
            ended(0, RunResult::Succeeded),
            skipped(DAY - 60, DAY, 2, SkipReason::Overlap),
            ended(DAY - 1, RunResult::Failed),
            skipped(DAY + 60, DAY + 60, 1, SkipReason::Missed),
        ];
        let mut rows: Vec<_> = given::<TaskHealth>(events).into_iter().collect();
        rows.sort_by_key(|(id, _)| *id);
        let [(_, first), (_, second)] = &rows[..] else {
            panic!("two days: {rows:?}");
        };
        assert_eq!(first.day.succ_opt(), Some(second.day));
        assert_eq!((first.due, first.requested), (1, 1));
        assert_eq!((first.succeeded, first.failed), (1, 1));
        assert_eq!(first.skipped, Skipped::default());
        let by_reason = Skipped {
            missed: 1,
            overlap: 2,
            ..Skipped::default()
        };
        assert_eq!((second.due, second.skipped), (3, by_reason));
        assert_eq!(second.lateness, Lateness::default());
    }

    #[test]
    fn lateness_is_counted_in_four_classes() {
        let mut lateness = Lateness::default();
        for ms in [-5, 1_000, 1_001, 60_000, 60_001] {
            lateness.add(TimeDelta::milliseconds(ms));
        }
        let expected = Lateness {
            max_ms: 60_001,
            sum_ms: 122_002,
            within_1_s: 2,
            within_10_s: 1,
            within_1_min: 1,
            later: 1,
        };
        assert_eq!(lateness, expected);
    }
}
