//! How slots are taken, by the clock and by owners, and which of them are skipped.

use chrono::TimeDelta;
use tidemark_events::tasks::task::{Event, Missed, NextSlot, Overlap, Plan, SkipReason, Trigger};
use tidemark_events::{Moment, Stored, TaskId, TaskRunId, Timestamp};

use super::{Error, OpenRun, Terms, find, find_own, next_slot, own_refusals};
use crate::decision::refusals;
use crate::identity::access;
use crate::tasks::schedule::{Schedule, ScheduleError, tzdb};
use crate::tasks::task_run;
use crate::{Command, Refusal, Stop, View, Write};

/// How late a run may begin where missed slots do not run: whoever takes slots is never on time to the second.
const GRACE: TimeDelta = TimeDelta::seconds(10);
/// The most missed slots that run one after another.
const CATCH_UP_MAX: u32 = 100;
/// When a slot is tried again that waits for the run before it, in case that ends without its being taken: the end of the run has it
/// taken at once, but builds before did not say which slot waits.
const AFTER_RUN: TimeDelta = TimeDelta::seconds(60);

/// The shortest time by which two slots differ.
const SECOND: TimeDelta = TimeDelta::seconds(1);

/// Takes a slot of a task once it is due. Only a service sends it.
#[derive(Clone, Debug)]
pub struct TakeSlot {
    /// The task.
    pub task_id: TaskId,
    /// The slot that the task waits for.
    pub slot: Moment,
    /// The id of the new run.
    pub run_id: TaskRunId,
}

impl Command for TakeSlot {
    fn name(&self) -> &'static str {
        "take_task_slot"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([
            Error::NotFound,
            Error::Retired,
            Error::Paused,
            Error::SlotOver,
            Error::NotDue(Timestamp::UNIX_EPOCH),
            Error::Schedule(ScheduleError::Zone),
        ]);
        [access::service_refusals(), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let task = find(view, self.task_id)?;
        if task.is_paused {
            return Err(Error::Paused.into());
        }
        let (Some(plan), Some(next)) = (&task.plan, &task.next) else {
            return Err(Error::SlotOver.into());
        };
        // The next slot is always above the last one that was taken or skipped, so none is taken twice.
        if *next.slot != self.slot.timestamp() {
            return Err(Error::SlotOver.into());
        }
        if view.now() < *next.due_at {
            return Err(Error::NotDue(*next.due_at).into());
        }
        let due = Due {
            schedule: read_schedule(plan)?,
            task,
            plan,
            first: *next.slot,
            now: view.now() - TimeDelta::milliseconds(i64::from(plan.delay_ms)),
        };
        if *next.tzdb == tzdb() {
            return due.take(self.run_id, view.now());
        }
        due.replan_and_take(self.run_id, view.now())
    }
}

/// The slots of a task that are due.
struct Due<'a> {
    schedule: Schedule,
    task: &'a Terms,
    plan: &'a Plan,
    /// The first of them.
    first: Timestamp,
    /// The time, without the delay by which the runs of this task begin after their slots.
    now: Timestamp,
}

impl Due<'_> {
    /// Takes them by the zone data of this build, by which the first one may be another one than the one that computed it found.
    fn replan_and_take(mut self, run_id: TaskRunId, now: Timestamp) -> Result<Vec<Write>, Stop> {
        let last = self.task.last_slot.as_ref().map(|it| **it);
        let after = last.unwrap_or(self.first - SECOND);
        let first = self.schedule.next_after(after);
        if first == Some(self.first) {
            return self.take(run_id, now);
        }
        let replanned = Event::Replanned {
            task_id: self.task.id,
            owner_id: self.task.owner_id,
            next: next_slot(self.plan, &self.schedule, after),
        };
        let mut writes = vec![Write::event(self.task.id.0, replanned)];
        if let Some(first) = first.filter(|first| *first <= self.now) {
            self.first = first;
            writes.extend(self.take(run_id, now)?);
        }
        Ok(writes)
    }

    fn take(&self, run_id: TaskRunId, now: Timestamp) -> Result<Vec<Write>, Stop> {
        let newest = self.schedule.newest(self.first - SECOND, self.now);
        let newest = newest.unwrap_or(self.first);
        let taken = match self.plan.missed {
            Missed::None if !self.has_waited() => self.in_time(newest, GRACE),
            Missed::Latest | Missed::None => self.in_time(newest, self.window()),
            Missed::All => self.oldest(newest),
        };
        let Some(place) = self.task.place_of_run() else {
            return match (self.plan.missed, self.plan.overlap) {
                (Missed::All, _) | (_, Overlap::BufferOne) => {
                    Err(Error::NotDue(now + AFTER_RUN).into())
                }
                (Missed::Latest | Missed::None, Overlap::Skip | Overlap::Allow) => {
                    Ok(self.skip(newest, SkipReason::Overlap))
                }
            };
        };
        let reason = if self.has_waited() {
            SkipReason::Overlap
        } else {
            SkipReason::Missed
        };
        let Some(slot) = taken else {
            return Ok(self.skip(newest, reason));
        };
        let mut writes = Vec::new();
        if slot > self.first
            && let Some(last) = self.schedule.newest(self.first - SECOND, slot - SECOND)
        {
            let skipped = Skipped::between(self.first, last, &self.schedule);
            writes.push(skipped.write(self.task, reason, None));
        }
        let next = next_slot(self.plan, &self.schedule, slot);
        let run = OpenRun { id: run_id, place };
        writes.extend(taking(self.task, run, slot, Trigger::Schedule, next));
        Ok(writes)
    }

    /// Whether the first of them has waited for a run to end, as the task has them do.
    fn has_waited(&self) -> bool {
        self.plan.overlap == Overlap::BufferOne && self.task.has_waited
    }

    fn window(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.plan.window_s))
    }

    fn in_time(&self, slot: Timestamp, late_max: TimeDelta) -> Option<Timestamp> {
        (self.now - slot <= late_max).then_some(slot)
    }

    /// The oldest slot in the window, of as many as may run one after another.
    fn oldest(&self, newest: Timestamp) -> Option<Timestamp> {
        self.in_time(newest, self.window())?;
        let earliest = (self.now - self.window()).max(self.first) - SECOND;
        let count = |after| self.schedule.count(after, newest, CATCH_UP_MAX + 1);
        if count(earliest) <= CATCH_UP_MAX {
            return self.schedule.next_after(earliest);
        }
        let (mut too_many, mut few_enough) = (earliest, newest);
        while few_enough - too_many > SECOND {
            let middle = too_many + (few_enough - too_many) / 2;
            if count(middle) > CATCH_UP_MAX {
                too_many = middle;
            } else {
                few_enough = middle;
            }
        }
        self.schedule.next_after(few_enough)
    }

    /// Skips all of them.
    fn skip(&self, newest: Timestamp, reason: SkipReason) -> Vec<Write> {
        let skipped = Skipped::between(self.first, newest, &self.schedule);
        let next = next_slot(self.plan, &self.schedule, newest);
        vec![skipped.write(self.task, reason, next)]
    }
}

/// Slots that do not run.
pub(super) struct Skipped {
    from: Timestamp,
    to: Timestamp,
    count: u32,
}

impl Skipped {
    fn between(from: Timestamp, to: Timestamp, schedule: &Schedule) -> Self {
        let count = schedule.count_all(from - SECOND, to);
        let count = count.unwrap_or(u32::MAX);
        Self { from, to, count }
    }

    /// The write that skips those for which the task has waited until now, for this reason unless it is paused; `None` if there are
    /// none.
    pub(super) fn waiting(
        now: Timestamp,
        task: &Terms,
        reason: SkipReason,
    ) -> Result<Option<Write>, Stop> {
        let (Some(plan), Some(next)) = (&task.plan, &task.next) else {
            return Ok(None);
        };
        let schedule = read_schedule(plan)?;
        let reason = if task.is_paused {
            SkipReason::Paused
        } else {
            reason
        };
        let newest = schedule.newest(*next.slot - SECOND, now);
        let skipped = newest.map(|to| Self::between(*next.slot, to, &schedule));
        Ok(skipped.map(|it| it.write(task, reason, None)))
    }

    fn write(self, task: &Terms, reason: SkipReason, next: Option<NextSlot>) -> Write {
        let moment = |time| Stored::from(Moment::nearest(time));
        Write::event(
            task.id.0,
            Event::SlotsSkipped {
                task_id: task.id,
                owner_id: task.owner_id,
                from: moment(self.from),
                to: moment(self.to),
                count: self.count,
                reason,
                next,
            },
        )
    }
}

/// Runs a task of the user who sends the command now, besides its schedule.
#[derive(Clone, Debug)]
pub struct RunNow {
    /// The task.
    pub task_id: TaskId,
    /// The id of the new run.
    pub run_id: TaskRunId,
}

impl Command for RunNow {
    fn name(&self) -> &'static str {
        "run_task"
    }

    fn refusals() -> Vec<Refusal> {
        [own_refusals(), refusals([Error::Paused, Error::Running])].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let task = find_own(view, self.task_id)?;
        if task.is_paused {
            return Err(Error::Paused.into());
        }
        let run = OpenRun {
            id: self.run_id,
            place: task.place_of_run().ok_or(Error::Running)?,
        };
        Ok(taking(task, run, view.now(), Trigger::Request, None).into())
    }
}

/// The writes that request a run for a slot.
fn taking(
    task: &Terms,
    run: OpenRun,
    slot: Timestamp,
    trigger: Trigger,
    next: Option<NextSlot>,
) -> [Write; 2] {
    let slot = Stored::from(Moment::nearest(slot));
    let taken = Event::SlotTaken {
        task_id: task.id,
        owner_id: task.owner_id,
        run_id: run.id,
        slot,
        trigger,
        place: run.place,
        next,
    };
    [
        Write::event(task.id.0, taken),
        task_run::request(task, run, slot, trigger),
    ]
}

/// The schedule of a plan that was accepted before.
pub(super) fn read_schedule(plan: &Plan) -> Result<Schedule, Stop> {
    Schedule::read(&plan.cron, &plan.zone).map_err(|error| Error::from(error).into())
}
