//! Whether another attempt follows one that did not succeed, when, and how long it may take.

use chrono::TimeDelta;
use tidemark_events::tasks::task::Trigger;
use tidemark_events::tasks::task_run::{CallLimit, Outcome};
use tidemark_events::{Moment, Timestamp};

use super::{Open, RecordAttempt};
use crate::tasks::schedule::Schedule;
use crate::tasks::task::Terms;

/// The longest pause before the next attempt that a server may ask for, in seconds.
const RETRY_AFTER_S_MAX: u32 = 86_400;
/// By how much Tidemark itself may have been late with a run that is tried again although its next slot has come.
const LATE_MAX: TimeDelta = TimeDelta::seconds(10);
/// The least time that a call is given: in less than that hardly any server answers. A call that would have less is not made.
const CALL_MIN: TimeDelta = TimeDelta::seconds(1);
/// So much earlier than the next slot a call is broken off, so that the end of the run is on record when that comes.
const RECORDED_IN: TimeDelta = TimeDelta::seconds(1);
/// Of a short period both are this part.
const OF_SHORT_PERIOD: i32 = 5;

/// The attempt after one that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NextAttempt {
    /// When it is made.
    pub(super) at: Timestamp,
    /// The pause before it, in milliseconds.
    pub(super) pause_ms: u64,
    /// How long it may take; none if as long as any call.
    pub(super) limit: Option<CallLimit>,
}

impl RecordAttempt {
    /// The next attempt; `None` if none is made. Those of a run that the schedule asked for are made so long before the next slot that
    /// they are over when it comes, unless only Tidemark was late.
    pub(super) fn next(&self, now: Timestamp, task: &Terms, run: &Open) -> Option<NextAttempt> {
        match self.outcome {
            Outcome::Delivered | Outcome::OwnerErased | Outcome::TooLate => return None,
            Outcome::Gone if self.is_gone(task) => return None,
            Outcome::Gone
            | Outcome::Refused
            | Outcome::TimedOut
            | Outcome::Unreachable
            | Outcome::AddressForbidden => {}
        }
        let pause_ms = self.pause_ms(self.attempt)?.max(self.asked_ms());
        let at = now.checked_add_signed(milliseconds(pause_ms)?)?;
        let limit = match FollowingSlot::after(task, run) {
            None => None,
            Some(next) => {
                let left = next.left(at);
                let forgiven = self.left_but_for_tidemark(at, pause_ms, &next, task, run);
                let time = left.into_iter().chain(forgiven).max()?;
                Some(next.limit(time))
            }
        };
        Some(NextAttempt {
            at,
            pause_ms,
            limit,
        })
    }

    /// The time that would be left if nothing took time but the calls and the pauses between them, those that servers asked for too,
    /// and Tidemark is late by little. Then the next slot has to wait or is skipped, so that a run which began late is tried as often as
    /// others.
    fn left_but_for_tidemark(
        &self,
        at: Timestamp,
        pause_ms: u64,
        next: &FollowingSlot,
        task: &Terms,
        run: &Open,
    ) -> Option<TimeDelta> {
        let plan = task.plan.as_ref()?;
        let calls = run.calls_ms + u64::from(self.ms);
        let spent = u64::from(plan.delay_ms) + calls + run.pauses_ms + pause_ms;
        let ideally = run.slot.checked_add_signed(milliseconds(spent)?)?;
        next.left(ideally).filter(|_| at < next.slot + LATE_MAX)
    }

    /// The pause that the server asks for. It makes no pause shorter: a server that always asks for a second would have all attempts
    /// made at once, and the run fail, where one that asks for nothing is tried for days.
    fn asked_ms(&self) -> u64 {
        let asked = self.retry_after_s.unwrap_or_default();
        u64::from(asked.min(RETRY_AFTER_S_MAX)) * 1_000
    }

    /// The pause after an attempt, if another one may follow it, as long as no server asks for a longer one.
    fn pause_ms(&self, attempt: u32) -> Option<u64> {
        let index = usize::try_from(attempt).ok()?.checked_sub(1)?;
        let pause = *self.pauses_ms.get(index)?;
        Some(pause + pause / 100 * u64::from(self.percent(attempt)))
    }

    /// By how many percent the pause is longer, from 0 to 20, so that runs that failed together are not tried together.
    fn percent(&self, attempt: u32) -> u32 {
        let [.., last] = *self.run_id.0.as_bytes();
        (u32::from(last) + 7 * attempt) % 21
    }
}

/// The slot after that of a run.
struct FollowingSlot {
    slot: Timestamp,
    /// The time from the slot of the run until then.
    period: TimeDelta,
}

impl FollowingSlot {
    /// The slot after that of a run, if a schedule has asked for it. The task's next slot may be a later one: those that come while
    /// the run goes on are skipped.
    fn after(task: &Terms, run: &Open) -> Option<Self> {
        let plan = task
            .plan
            .as_ref()
            .filter(|_| run.trigger == Trigger::Schedule)?;
        let schedule = Schedule::read(&plan.cron, &plan.zone).ok()?;
        let slot = schedule.next_after(*run.slot)?;
        Some(Self {
            slot,
            period: slot - *run.slot,
        })
    }

    /// How long an attempt may take that begins at a moment, so that it is on record when the slot comes; `None` if that is too short
    /// to call anybody.
    fn left(&self, from: Timestamp) -> Option<TimeDelta> {
        let time = self.slot - from - self.bounded(RECORDED_IN);
        (time >= self.bounded(CALL_MIN)).then_some(time)
    }

    fn bounded(&self, time: TimeDelta) -> TimeDelta {
        time.min(self.period / OF_SHORT_PERIOD)
    }

    /// The limit of an attempt that may take so long, whose beginning may be late as well.
    fn limit(&self, time: TimeDelta) -> CallLimit {
        CallLimit {
            max_ms: u32::try_from(time.num_milliseconds()).unwrap_or(u32::MAX),
            until: Moment::nearest(self.slot + LATE_MAX).into(),
        }
    }
}

fn milliseconds(ms: u64) -> Option<TimeDelta> {
    i64::try_from(ms).ok().map(TimeDelta::milliseconds)
}
