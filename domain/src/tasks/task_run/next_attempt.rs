//! Whether another attempt follows one that did not succeed, and when.

use chrono::TimeDelta;
use tidemark_events::Timestamp;
use tidemark_events::tasks::task::Trigger;
use tidemark_events::tasks::task_run::Outcome;

use super::{Open, RecordAttempt};
use crate::tasks::schedule::Schedule;
use crate::tasks::task::Terms;

/// What a server may ask for as the pause before the next attempt, in seconds.
const RETRY_AFTER_S: std::ops::RangeInclusive<u32> = 1..=86_400;
/// By how much Tidemark itself may have been late with a run that is tried again although its next slot has come.
const LATE_MAX: TimeDelta = TimeDelta::seconds(10);

impl RecordAttempt {
    /// When the next attempt is made; `None` if none is. Those of a run that the schedule asked for are made before the next
    /// slot, unless only Tidemark was late.
    pub(super) fn next_at(&self, now: Timestamp, task: &Terms, run: &Open) -> Option<Timestamp> {
        match self.outcome {
            Outcome::Delivered | Outcome::Gone | Outcome::OwnerErased => return None,
            Outcome::Refused
            | Outcome::TimedOut
            | Outcome::Unreachable
            | Outcome::AddressForbidden => {}
        }
        let pause = self.pause_ms(self.attempt)?;
        let asked = self.retry_after_s.map(|asked| {
            let seconds = asked.clamp(*RETRY_AFTER_S.start(), *RETRY_AFTER_S.end());
            u64::from(seconds) * 1_000
        });
        let pause = asked.unwrap_or(pause);
        let at = now.checked_add_signed(milliseconds(pause)?)?;
        let is_in_time = match run.trigger {
            Trigger::Request => true,
            Trigger::Schedule => {
                let is_before = |next: Timestamp| at < next;
                task.next.as_ref().is_none_or(|next| is_before(*next.slot))
                    || self.would_be_in_time(at, pause, task, run).unwrap_or(false)
            }
        };
        is_in_time.then_some(at)
    }

    /// Whether the next attempt would come before the next slot if nothing took time but the calls and the pauses between them,
    /// and Tidemark is late by little. Then the next slot has to wait or is skipped, so that a run which began late is tried as
    /// often as others.
    fn would_be_in_time(
        &self,
        at: Timestamp,
        pause_ms: u64,
        task: &Terms,
        run: &Open,
    ) -> Option<bool> {
        let plan = task.plan.as_ref()?;
        let schedule = Schedule::read(&plan.cron, &plan.zone).ok()?;
        let next = schedule.next_after(*run.slot)?;
        let earlier = (1..self.attempt).map(|attempt| self.pause_ms(attempt));
        let earlier: u64 = earlier.sum::<Option<u64>>()?;
        let calls = run.calls_ms + u64::from(self.ms);
        let spent = u64::from(plan.delay_ms) + calls + earlier + pause_ms;
        let ideally = run.slot.checked_add_signed(milliseconds(spent)?)?;
        Some(ideally < next && at < next + LATE_MAX)
    }

    /// The pause after an attempt, if another one may follow it, as long as no server asks for another one.
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

fn milliseconds(ms: u64) -> Option<TimeDelta> {
    i64::try_from(ms).ok().map(TimeDelta::milliseconds)
}
