//! Runs of tasks: what came of each attempt to call the URL, and whether another one follows.

mod next_attempt;

use chrono::TimeDelta;
use next_attempt::NextAttempt;
use serde::{Deserialize, Serialize};
use tidemark_events::tasks::task;
use tidemark_events::tasks::task::{NextSlot, PauseReason, RunResult, Trigger};
use tidemark_events::tasks::task_run::{Event, Outcome};
use tidemark_events::{Moment, Sealed, Stored, TaskId, TaskRunId, Timestamp, UserId};

use crate::decision::refusals;
use crate::identity::access;
use crate::tasks::task::{OpenRun, Terms, find};
use crate::{AggregateState, Code, Command, Reason, Refusal, RefusalKind, Stop, View, Write};

/// After so many days of nothing but failures a task is paused.
const FAILING_MAX: TimeDelta = TimeDelta::days(5);

/// Why a command on a run is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No run has that id.
    #[error("there is no such run")]
    NotFound,
    /// The run is over.
    #[error("the run is over")]
    Over,
    /// The attempt is on record.
    #[error("what came of the attempt is on record")]
    Recorded,
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotFound => RefusalKind::NotFound,
            Self::Over | Self::Recorded => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound => Code {
                name: "task_run_not_found",
                meaning: "No run of a task has this id.",
                what_to_do: "Check the id.",
            },
            Self::Over => Code {
                name: "task_run_over",
                meaning: "The run of the task is over.",
                what_to_do: "Nothing: no further attempt counts.",
            },
            Self::Recorded => Code {
                name: "task_attempt_recorded",
                meaning: "What came of this attempt is on record, or it does not follow the one before.",
                what_to_do: "Nothing: the first record counts.",
            },
        }
    }
}

/// What the rules know of a run that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The task.
    pub task_id: TaskId,
    /// Why the run was requested.
    pub trigger: Trigger,
    /// The slot; for a run that the owner asked for, when that was.
    pub slot: Stored<Moment>,
    /// Which of the places that the task has for runs it takes.
    pub place: u32,
    /// The attempts so far.
    pub attempts: u32,
    /// How long their calls took, in milliseconds.
    pub calls_ms: u64,
    /// How long the pauses were to be after them, in milliseconds.
    pub pauses_ms: u64,
}

/// The state of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskRun {
    /// There is no such run.
    #[default]
    None,
    /// Attempts are made.
    Open(Open),
    /// No attempt is made any more.
    Over,
}

impl AggregateState for TaskRun {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 4;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Requested {
                task_id,
                trigger,
                slot,
                place,
                ..
            } => {
                *self = Self::Open(Open {
                    task_id: *task_id,
                    trigger: *trigger,
                    slot: *slot,
                    place: *place,
                    attempts: 0,
                    calls_ms: 0,
                    pauses_ms: 0,
                });
            }
            Event::Attempted {
                attempt,
                ms,
                pause_ms,
                ..
            } => {
                if let Self::Open(run) = self {
                    run.attempts = *attempt;
                    run.calls_ms += u64::from(*ms);
                    run.pauses_ms += pause_ms.map_or(0, u64::from);
                }
            }
            Event::Succeeded { .. } | Event::Failed { .. } | Event::Cancelled { .. } => {
                *self = Self::Over;
            }
        }
    }
}

/// Records what came of a call. Only a service sends it: the one that has called.
#[derive(Clone, Debug)]
pub struct RecordAttempt {
    /// The run.
    pub run_id: TaskRunId,
    /// The number of the attempt, from 1 on.
    pub attempt: u32,
    /// How often the task had been changed when it was called; none if a build before has called it.
    pub changes: Option<u32>,
    /// What came of it.
    pub outcome: Outcome,
    /// The HTTP status of the answer; none if there was no answer.
    pub status: Option<u32>,
    /// How long it took, in milliseconds.
    pub ms: u32,
    /// The beginning of the answer, sealed as `task_answer`.
    pub answer: Option<Sealed>,
    /// After how many seconds the server asks to be called again; none if it does not say.
    pub retry_after_s: Option<u32>,
    /// The pauses before the attempts after the first, in milliseconds.
    pub pauses_ms: Vec<u64>,
}

impl Command for RecordAttempt {
    fn name(&self) -> &'static str {
        "record_task_attempt"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotFound, Error::Over, Error::Recorded]);
        let of_task = refusals([
            crate::tasks::task::Error::NotFound,
            crate::tasks::task::Error::Retired,
        ]);
        [access::service_refusals(), own, of_task].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let run = match view.get::<TaskRun>(self.run_id.0)? {
            TaskRun::None => return Err(Error::NotFound.into()),
            TaskRun::Over => return Err(Error::Over.into()),
            TaskRun::Open(run) => run,
        };
        if self.attempt != run.attempts + 1 {
            return Err(Error::Recorded.into());
        }
        let task = find(view, run.task_id)?;
        let next = self.next(view.now(), task, run);
        let mut writes = vec![self.attempted(task, run, next)];
        if self.outcome == Outcome::Delivered {
            writes.extend(self.succeeded(task, run, view.now()));
        } else if next.is_none() {
            writes.extend(self.failed(view, task, run)?);
        }
        Ok(writes)
    }
}

impl RecordAttempt {
    /// Whether the server asks not to be called any more, and the task calls it still.
    fn is_gone(&self, task: &Terms) -> bool {
        let is_of_before = self.changes.is_some_and(|it| it < task.url_since);
        self.outcome == Outcome::Gone && !is_of_before
    }

    fn attempted(&self, task: &Terms, run: &Open, next: Option<NextAttempt>) -> Write {
        let attempted = Event::Attempted {
            task_run_id: self.run_id,
            task_id: task.id,
            owner_id: task.owner_id,
            attempt: self.attempt,
            outcome: self.outcome,
            status: self.status,
            ms: self.ms,
            answer: self.answer.clone(),
            next_at: next.map(|next| Moment::nearest(next.at).into()),
            pause_ms: next.map(|next| u32::try_from(next.pause_ms).unwrap_or(u32::MAX)),
            next_limit: next.and_then(|next| next.limit),
            place: run.place,
            host: task.host.clone(),
            port: task.port,
        };
        Write::event(self.run_id.0, attempted)
    }

    fn succeeded(&self, task: &Terms, run: &Open, now: Timestamp) -> [Write; 2] {
        let succeeded = Event::Succeeded {
            task_run_id: self.run_id,
            task_id: task.id,
            owner_id: task.owner_id,
        };
        [
            Write::event(self.run_id.0, succeeded),
            self.ended(
                task,
                run,
                RunResult::Succeeded,
                None,
                task.waiting_slot(now),
            ),
        ]
    }

    fn failed(&self, view: &View<'_>, task: &Terms, run: &Open) -> Result<Vec<Write>, Stop> {
        let now = view.now();
        let failed = Event::Failed {
            task_run_id: self.run_id,
            task_id: task.id,
            owner_id: task.owner_id,
        };
        let since = task.failing_since.unwrap_or(Moment::nearest(now).into());
        let reason = if self.is_gone(task) {
            Some(PauseReason::Gone)
        } else if self.outcome == Outcome::OwnerErased {
            Some(PauseReason::OwnerErased)
        } else {
            (now - *since >= FAILING_MAX).then_some(PauseReason::Failing)
        };
        // A task that is paused takes no slot.
        let next = task.waiting_slot(now).filter(|_| reason.is_none());
        let mut writes = vec![
            Write::event(self.run_id.0, failed),
            self.ended(task, run, RunResult::Failed, Some(since), next),
        ];
        if let Some(reason) = reason {
            let paused = task::Event::Paused {
                task_id: task.id,
                owner_id: task.owner_id,
                reason,
            };
            writes.extend(task.cancelling(view, Some(self.run_id))?);
            writes.push(Write::event(task.id.0, paused));
            writes.extend(task.leave_frequent_place(view)?);
        }
        Ok(writes)
    }

    fn ended(
        &self,
        task: &Terms,
        run: &Open,
        result: RunResult,
        failing_since: Option<Stored<Moment>>,
        next: Option<NextSlot>,
    ) -> Write {
        let ended = task::Event::RunEnded {
            task_id: task.id,
            owner_id: task.owner_id,
            run_id: self.run_id,
            result,
            failing_since,
            slot: Some(run.slot),
            next,
        };
        Write::event(task.id.0, ended)
    }
}

/// The write that requests a run.
pub(crate) fn request(task: &Terms, run: OpenRun, slot: Stored<Moment>, trigger: Trigger) -> Write {
    let requested = Event::Requested {
        task_run_id: run.id,
        task_id: task.id,
        owner_id: task.owner_id,
        slot,
        trigger,
        place: run.place,
        host: task.host.clone(),
        port: task.port,
    };
    Write::event(run.id.0, requested)
}

/// The write that cancels a run. The run is read first, so that an attempt that is recorded meanwhile is seen.
pub(crate) fn cancellation(
    view: &View<'_>,
    task_run_id: TaskRunId,
    task_id: TaskId,
    owner_id: UserId,
) -> Result<Write, Stop> {
    view.get::<TaskRun>(task_run_id.0)?;
    let cancelled = Event::Cancelled {
        task_run_id,
        task_id,
        owner_id,
    };
    Ok(Write::event(task_run_id.0, cancelled))
}

#[cfg(test)]
mod tests;
