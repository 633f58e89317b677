//! Each slot that was due ends in exactly one fact.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use tidemark_events::tasks::task;
use tidemark_events::tasks::task::Trigger;
use tidemark_events::{Event, Recorded, TaskId};

/// How long a slot may be due before it is taken or skipped, at the end of the load: longer than everything takes to go on that
/// has just been healed.
const LATE_MAX: TimeDelta = TimeDelta::seconds(30);

/// [`super::super::SLOT_LOST_OR_REPEATED`]: slots of the tasks of the load that were neither taken nor skipped, or more than
/// once. Which slots there are follows from the period alone.
pub(crate) fn lost_or_repeated(log: &[Recorded]) -> Vec<String> {
    let mut clocks = BTreeMap::<TaskId, Clock>::new();
    let mut violations = Vec::new();
    for recorded in log {
        let Ok(Event::Task(event)) = recorded.decode() else {
            continue;
        };
        match event {
            task::Event::Defined {
                task_id,
                plan: Some(plan),
                next: Some(next),
                ..
            } => {
                if let Some(period_s) = period_s(&plan) {
                    let next = *next.slot;
                    clocks.insert(task_id, Clock { period_s, next });
                }
            }
            task::Event::SlotTaken {
                task_id,
                slot,
                trigger: Trigger::Schedule,
                ..
            } => {
                let clock = clocks.get_mut(&task_id);
                let violation = clock.and_then(|it| it.pass(*slot, *slot, 1));
                violations.extend(violation.map(|it| format!("task {task_id}: {it}")));
            }
            task::Event::SlotsSkipped {
                task_id,
                from,
                to,
                count,
                ..
            } => {
                let clock = clocks.get_mut(&task_id);
                let violation = clock.and_then(|it| it.pass(*from, *to, count));
                violations.extend(violation.map(|it| format!("task {task_id}: {it}")));
            }
            task::Event::Paused { task_id, .. } => {
                let clock = clocks.remove(&task_id);
                let waits = clock.filter(|it| recorded.recorded_at - it.next > LATE_MAX);
                violations.extend(waits.map(|it| {
                    let since = it.next;
                    format!("task {task_id}: slots since {since} were neither taken nor skipped")
                }));
            }
            task::Event::Defined { .. }
            | task::Event::SlotTaken { .. }
            | task::Event::RunEnded { .. }
            | task::Event::Resumed { .. }
            | task::Event::Changed { .. }
            | task::Event::SecretRotated { .. }
            | task::Event::Replanned { .. }
            | task::Event::Retired { .. } => {}
        }
    }
    let left = clocks.keys();
    violations.extend(left.map(|task_id| format!("task {task_id} was never paused")));
    violations
}

/// The slots of a task.
struct Clock {
    period_s: i64,
    /// The first slot that is neither taken nor skipped.
    next: DateTime<Utc>,
}

impl Clock {
    /// Goes on after these slots, of which a fact says that there are so many. Returns what is wrong with them.
    fn pass(&mut self, from: DateTime<Utc>, to: DateTime<Utc>, count: u32) -> Option<String> {
        let expected = self.next;
        let slots = (to - from).num_seconds() / self.period_s + 1;
        self.next = to + TimeDelta::seconds(self.period_s);
        if from < expected {
            Some(format!("slot {from} was taken or skipped again"))
        } else if from > expected {
            Some(format!("slots from {expected} to {from} are in no fact"))
        } else if to < from || to.timestamp() % self.period_s != 0 || i64::from(count) != slots {
            Some(format!("{count} slots from {from} to {to} are not those"))
        } else {
            None
        }
    }
}

/// The period of a task of the load, which runs whenever the second is a multiple of it.
fn period_s(plan: &task::Plan) -> Option<i64> {
    let seconds = plan.cron.strip_suffix(" * * * * *")?;
    seconds.strip_prefix("*/")?.parse().ok()
}
