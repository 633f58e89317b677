//! How owners pause, resume and retire their tasks.

use tidemark_events::TaskId;
use tidemark_events::tasks::task::{Event, PauseReason, SkipReason};

use super::places::take_frequent_place;
use super::slot::{Skipped, read_schedule};
use super::{Error, find_own, next_slot, own_refusals};
use crate::decision::refusals;
use crate::{Command, Refusal, Stop, View, Write};

/// Pauses a task of the user who sends the command. Runs that are not over are cancelled.
#[derive(Clone, Debug)]
pub struct Pause {
    /// The task.
    pub task_id: TaskId,
}

impl Command for Pause {
    fn name(&self) -> &'static str {
        "pause_task"
    }

    fn refusals() -> Vec<Refusal> {
        [own_refusals(), refusals([Error::Paused])].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let task = find_own(view, self.task_id)?;
        if task.is_paused {
            return Err(Error::Paused.into());
        }
        let paused = Event::Paused {
            task_id: task.id,
            owner_id: task.owner_id,
            reason: PauseReason::Owner,
        };
        let mut writes = task.cancelling(view, None)?;
        writes.push(Write::event(task.id.0, paused));
        writes.extend(task.leave_frequent_place(view)?);
        Ok(writes)
    }
}

/// Resumes a task of the user who sends the command. The slots since it was paused are skipped.
#[derive(Clone, Debug)]
pub struct Resume {
    /// The task.
    pub task_id: TaskId,
    /// How many tasks of a user may be due more often than once a minute.
    pub frequent_max: u32,
}

impl Command for Resume {
    fn name(&self) -> &'static str {
        "resume_task"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotPaused, Error::TooManyFrequent(0)]);
        [own_refusals(), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let task = find_own(view, self.task_id)?;
        if !task.is_paused {
            return Err(Error::NotPaused.into());
        }
        let skipping = Skipped::waiting(view.now(), task, SkipReason::Paused)?;
        let mut writes: Vec<_> = skipping.into_iter().collect();
        let (mut next, mut frequent) = (None, None);
        if let Some(plan) = &task.plan {
            let schedule = read_schedule(plan)?;
            next = next_slot(plan, &schedule, view.now());
            let task = (task.id, task.owner_id);
            frequent = take_frequent_place(view, task, &schedule, self.frequent_max)?;
        }
        let (frequent_place, claim) = frequent.unzip();
        let resumed = Event::Resumed {
            task_id: task.id,
            owner_id: task.owner_id,
            next,
            frequent_place,
        };
        writes.push(Write::event(task.id.0, resumed));
        writes.extend(claim);
        Ok(writes)
    }
}

/// Retires a task of the user who sends the command, for ever. Runs that are not over are cancelled, and slots that are due and were not
/// taken are skipped.
#[derive(Clone, Debug)]
pub struct Retire {
    /// The task.
    pub task_id: TaskId,
}

impl Command for Retire {
    fn name(&self) -> &'static str {
        "retire_task"
    }

    fn refusals() -> Vec<Refusal> {
        own_refusals()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let task = find_own(view, self.task_id)?;
        let mut writes = task.cancelling(view, None)?;
        // A schedule that this build cannot read must not keep its owner from retiring the task.
        let skipping = Skipped::waiting(view.now(), task, SkipReason::Retired);
        writes.extend(skipping.unwrap_or_default());
        let retired = Event::Retired {
            task_id: task.id,
            owner_id: task.owner_id,
        };
        writes.push(Write::event(task.id.0, retired));
        for claim in [task.url_claim(), task.place_claim()] {
            view.owner(&claim)?;
            writes.push(Write::Release(claim));
        }
        writes.extend(task.leave_frequent_place(view)?);
        Ok(writes)
    }
}
