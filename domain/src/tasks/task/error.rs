//! Why a command on a task is refused.

use tidemark_events::{TaskId, Timestamp};

use crate::tasks::destination::DestinationError;
use crate::tasks::schedule::ScheduleError;
use crate::{Code, Reason, RefusalKind};

/// Why a command on a task is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No task of the caller has that id.
    #[error("you have no such task")]
    NotFound,
    /// The task never runs again.
    #[error("the task is retired")]
    Retired,
    /// The task waits to be resumed.
    #[error("the task is paused")]
    Paused,
    /// The task is not paused.
    #[error("the task is not paused")]
    NotPaused,
    /// As many runs of the task are not over as may go on at once.
    #[error("as many runs of the task are not over yet as may go on at once")]
    Running,
    /// The slot was taken or skipped, or the task does not wait for it.
    #[error("the task does not wait for this slot")]
    SlotOver,
    /// The slot is taken at this time at the earliest.
    #[error("the slot is not due before {0}")]
    NotDue(Timestamp),
    /// This task of the same owner calls the same URL.
    #[error("the task {0} calls this URL already")]
    Duplicate(TaskId),
    /// The task was changed since the owner looked what it calls.
    #[error("the task was changed meanwhile")]
    ChangedMeanwhile,
    /// A body is stated for calls of a method that has none.
    #[error("the method of the calls has no body")]
    NoBody,
    /// As many secrets of before sign calls as may, the first of them until then.
    #[error("too many secrets of before still sign calls, the first of them until {0}")]
    TooManySecrets(Timestamp),
    /// The owner has as many tasks as a user may have.
    #[error("you have {0} tasks, and may have no more")]
    TooMany(u32),
    /// As many of the owner's tasks are due more often than once a minute as may be.
    #[error("as many of your tasks as may be, {0}, are due more often than once a minute")]
    TooManyFrequent(u32),
    /// The task must not call the URL.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// There is no such schedule.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotFound => RefusalKind::NotFound,
            Self::NoBody | Self::Destination(_) | Self::Schedule(_) => RefusalKind::Invalid,
            Self::Retired
            | Self::Paused
            | Self::NotPaused
            | Self::Running
            | Self::SlotOver
            | Self::NotDue(_)
            | Self::Duplicate(_)
            | Self::ChangedMeanwhile
            | Self::TooManySecrets(_)
            | Self::TooMany(_)
            | Self::TooManyFrequent(_) => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound => code(
                "task_not_found",
                "The caller has no task with this id.",
                "Check the id.",
            ),
            Self::Retired => code(
                "task_retired",
                "The task is retired and never runs again.",
                "Define another task.",
            ),
            Self::Paused => code("task_paused", "The task is paused.", "Resume it first."),
            Self::NotPaused => code(
                "task_not_paused",
                "The task is not paused.",
                "Nothing: it runs.",
            ),
            Self::Running => code(
                "task_running",
                "A run of the task is not over yet; or ten are not, if its runs may overlap.",
                "Wait until a run is over.",
            ),
            Self::SlotOver => code(
                "task_slot_over",
                "The slot was taken or skipped before, or the task does not wait for it.",
                "Nothing: no slot runs twice.",
            ),
            Self::NotDue(_) => code(
                "not_due",
                "A timer came before the moment at which this may be done.",
                "Send it again at `retry_at`.",
            ),
            Self::Duplicate(_) => code(
                "task_exists",
                "The caller has a task that calls this URL.",
                "Use that task, which the detail names, or retire it first.",
            ),
            Self::ChangedMeanwhile => code(
                "task_changed_meanwhile",
                "Another change of the task was accepted at the same time.",
                "Look at the task, and send the change again.",
            ),
            Self::NoBody => code(
                "body_not_taken",
                "Calls of the method that the task has after the change have no body, and one is stated.",
                "Leave the body out, or state a method that has one.",
            ),
            Self::TooManySecrets(_) => code(
                "too_many_task_secrets",
                "As many secrets of before sign the calls of the task beside the present one as may, and each goes on for the time that was promised.",
                "Send it again at `retry_at`, when the first of them is over.",
            ),
            Self::TooMany(_) => code(
                "too_many_tasks",
                "The caller has as many tasks as a user may have.",
                "Retire a task first.",
            ),
            Self::TooManyFrequent(_) => code(
                "too_many_frequent_tasks",
                "As many of the caller's tasks that are not paused are due more often than once a minute as may be.",
                "Name one second alone in the schedule, or pause, change or retire another such task first.",
            ),
            Self::Destination(_) => code(
                "destination_forbidden",
                "Tasks must not call this URL: it is not encrypted, its host or port is not one of the public web, or it leads back to these APIs.",
                "Name an https URL of the public internet.",
            ),
            Self::Schedule(error) => of_schedule(error),
        }
    }

    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Destination(_) => Some("url"),
            Self::Schedule(ScheduleError::Zone) => Some("zone"),
            Self::Schedule(_) => Some("cron"),
            Self::NoBody => Some("body"),
            Self::NotFound
            | Self::Retired
            | Self::Paused
            | Self::NotPaused
            | Self::Running
            | Self::SlotOver
            | Self::NotDue(_)
            | Self::Duplicate(_)
            | Self::ChangedMeanwhile
            | Self::TooManySecrets(_)
            | Self::TooMany(_)
            | Self::TooManyFrequent(_) => None,
        }
    }

    fn retry_at(&self) -> Option<Timestamp> {
        if let Self::NotDue(at) | Self::TooManySecrets(at) = self {
            Some(*at)
        } else {
            None
        }
    }
}

const fn code(name: &'static str, meaning: &'static str, what_to_do: &'static str) -> Code {
    Code {
        name,
        meaning,
        what_to_do,
    }
}

const fn of_schedule(error: &ScheduleError) -> Code {
    match error {
        ScheduleError::Expression => code(
            "invalid_schedule",
            "The text is no expression of cron with five fields, or with six that begin with seconds.",
            "Correct the expression.",
        ),
        ScheduleError::Zone => code(
            "unknown_time_zone",
            "The database of IANA has no time zone of this name.",
            "Name one that it has, such as Europe/Berlin.",
        ),
        ScheduleError::TwoDays => code(
            "day_of_month_with_weekday",
            "The expression names both a day of the month and a day of the week, which not everybody reads alike.",
            "Name one of them, and write * for the other.",
        ),
        ScheduleError::NeverDue => code(
            "never_due",
            "The expression names no time within the next two years.",
            "Correct the expression.",
        ),
    }
}
