//! Events of the runs of tasks: each attempt to call the URL, and how the run ended.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::tasks::task::{Host, Trigger};
use crate::{EventField, Moment, Sealed, Stored, TaskId, UserId};

id! {
    /// The id of a run of a task. Each of its calls bears it.
    TaskRunId
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CallOutcome, example = "refused")]
pub enum Outcome {
    /// The server answered with a status from 200 to 299.
    Delivered,
    /// The server answered with another status. Redirects are not followed.
    Refused,
    /// The server answered 410, by which it asks not to be called any more.
    Gone,
    /// No answer came in time.
    TimedOut,
    /// There was no connection, or it broke off.
    Unreachable,
    /// The host has an address that is not of the public internet, so nothing was sent.
    AddressForbidden,
    /// The owner was erased, so that nobody knows any more what is called.
    OwnerErased,
    /// The time was over until which the call might have taken, so nothing was sent.
    TooLate,
}

impl EventField for Outcome {}

impl Outcome {
    /// The name of the outcome in documents and queries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Gone => "gone",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::AddressForbidden => "address_forbidden",
            Self::OwnerErased => "owner_erased",
            Self::TooLate => "too_late",
        }
    }
}

event_field! {
    /// How long the next call of a run may take, so that it leaves the next slot alone.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct CallLimit {
        /// For so many milliseconds after it has begun.
        pub max_ms: u32,
        /// Until then, whenever it begins.
        pub until: Stored<Moment>,
    }
}

events! {
    /// The events of a run.
    pub enum Event {
        /// The URL of the task is to be called.
        #[serde(rename = "task_run.requested")]
        Requested {
            /// The run.
            task_run_id: TaskRunId,
            /// The task.
            task_id: TaskId,
            /// The user whose task it is.
            owner_id: UserId,
            /// The slot; for a run that the owner asked for, when that was.
            slot: Stored<Moment>,
            /// Why the run was requested.
            trigger: Trigger,
            /// Which of the places that the task has for runs it takes, from 0 on. Builds before did not write it.
            #[serde(default)]
            place: u32,
            /// The host that is called.
            host: Stored<Host>,
            /// Its port; none if it is the one of `https`. Builds before did not write it.
            port: Option<u32>,
        },
        /// The URL was called.
        #[serde(rename = "task_run.attempted")]
        Attempted {
            /// The run.
            task_run_id: TaskRunId,
            /// The task.
            task_id: TaskId,
            /// The user whose task it is.
            owner_id: UserId,
            /// The number of the attempt, from 1 on.
            attempt: u32,
            /// What came of it.
            outcome: Outcome,
            /// The HTTP status of the answer; none if there was no answer.
            status: Option<u32>,
            /// How long it took, in milliseconds.
            ms: u32,
            /// The beginning of the answer, sealed as `task_answer`; none if it was empty.
            answer: Option<Sealed>,
            /// When the next attempt is made; none if none is.
            next_at: Option<Stored<Moment>>,
            /// The pause before it in milliseconds, as the server asked for it or as runs are tried again; none if none is made.
            /// Builds before did not write it.
            pause_ms: Option<u32>,
            /// How long it may take; none if as long as any call.
            next_limit: Option<CallLimit>,
            /// Which of the places that the task has for runs the run takes. Builds before did not write it.
            #[serde(default)]
            place: u32,
            /// The host that the task calls from now on.
            host: Stored<Host>,
            /// Its port; none if it is the one of `https`. Builds before did not write it.
            port: Option<u32>,
        },
        /// The run succeeded.
        #[serde(rename = "task_run.succeeded")]
        Succeeded {
            /// The run.
            task_run_id: TaskRunId,
            /// The task.
            task_id: TaskId,
            /// The user whose task it is.
            owner_id: UserId,
        },
        /// The run failed.
        #[serde(rename = "task_run.failed")]
        Failed {
            /// The run.
            task_run_id: TaskRunId,
            /// The task.
            task_id: TaskId,
            /// The user whose task it is.
            owner_id: UserId,
        },
        /// The task was paused or retired before the run ended. No further call begins.
        #[serde(rename = "task_run.cancelled")]
        Cancelled {
            /// The run.
            task_run_id: TaskRunId,
            /// The task.
            task_id: TaskId,
            /// The user whose task it is.
            owner_id: UserId,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{SELLER, TASK, TASK_RUN, moment, sealed, stored};

    vec![
        Event::Requested {
            task_run_id: TASK_RUN,
            task_id: TASK,
            owner_id: SELLER,
            slot: moment(60).into(),
            trigger: Trigger::Schedule,
            place: 0,
            host: stored("hooks.example"),
            port: None,
        },
        Event::Attempted {
            task_run_id: TASK_RUN,
            task_id: TASK,
            owner_id: SELLER,
            attempt: 1,
            outcome: Outcome::Refused,
            status: Some(503),
            ms: 12,
            answer: Some(sealed("YW5zd2Vy")),
            next_at: Some(moment(65).into()),
            pause_ms: Some(5_000),
            next_limit: Some(CallLimit {
                max_ms: 55_000,
                until: moment(130).into(),
            }),
            place: 0,
            host: stored("hooks.example"),
            port: Some(8_443),
        },
        Event::Succeeded {
            task_run_id: TASK_RUN,
            task_id: TASK,
            owner_id: SELLER,
        },
        Event::Failed {
            task_run_id: TASK_RUN,
            task_id: TASK,
            owner_id: SELLER,
        },
        Event::Cancelled {
            task_run_id: TASK_RUN,
            task_id: TASK,
            owner_id: SELLER,
        },
    ]
}
