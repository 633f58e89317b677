//! Events of tasks: what a user has called, when, and what became of each time at which it was due.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{EventField, KeyedHash, Line, Moment, Sealed, Stored, TaskRunId, UserId};

id! {
    /// The id of a task.
    TaskId
}

/// The name of a task, which its owner gives it.
pub type Name = Line<100>;
/// The host that a task calls.
pub type Host = Line<255>;
/// When a task is due, as five fields of cron, or six with seconds.
pub type Cron = Line<100>;
/// The name of a time zone in the database of IANA.
pub type Zone = Line<64>;
/// The version of the database of time zones by which a time was computed.
pub type Tzdb = Line<20>;

/// How a task calls its URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = TaskMethod, example = "POST")]
pub enum Method {
    /// `GET`, without a body.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `DELETE`, without a body.
    Delete,
}

impl EventField for Method {}

/// What happens with slots that nobody took on time, such as during an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MissedSlots, example = "latest")]
pub enum Missed {
    /// The newest one in the window runs, and the others are skipped.
    Latest,
    /// All are skipped.
    None,
    /// Those in the window run one after another, the newest 100 at most.
    All,
}

impl EventField for Missed {}

/// Why a run was requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TaskTrigger, example = "schedule")]
pub enum Trigger {
    /// The schedule of the task.
    Schedule,
    /// Its owner asked for it.
    Request,
}

impl EventField for Trigger {}

/// Why slots were skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SkipReason, example = "overlap")]
pub enum SkipReason {
    /// Nobody took them on time.
    Missed,
    /// A run was not over yet.
    Overlap,
    /// The task was paused.
    Paused,
    /// The schedule was changed before they were taken.
    Changed,
}

impl EventField for SkipReason {}

/// Why a task is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PauseReason, example = "gone")]
pub enum PauseReason {
    /// Its owner paused it.
    Owner,
    /// The server answered 410, by which it asks not to be called any more.
    Gone,
    /// Its runs did nothing but fail for days.
    Failing,
    /// Its owner was erased, so that nobody knows any more what it calls.
    OwnerErased,
}

impl EventField for PauseReason {}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TaskRunResult, example = "succeeded")]
pub enum RunResult {
    /// An attempt was answered with a status from 200 to 299.
    Succeeded,
    /// No attempt was, and none is made any more.
    Failed,
}

impl EventField for RunResult {}

event_field! {
    /// When a task is due.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Plan {
        /// The expression, in local time of the zone.
        pub cron: Stored<Cron>,
        /// The time zone.
        pub zone: Stored<Zone>,
        /// What happens with slots that nobody took on time.
        pub missed: Missed,
        /// How long after its slot a run is still of use, in seconds.
        pub window_s: u32,
        /// So many milliseconds after its slot a run begins, so that not all tasks run at once.
        pub delay_ms: u32,
    }
}

event_field! {
    /// The slot that is due next.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct NextSlot {
        /// The slot: a time that the expression names.
        pub slot: Stored<Moment>,
        /// When its run is to begin.
        pub due_at: Stored<Moment>,
        /// The version of the database of time zones by which it was computed.
        pub tzdb: Stored<Tzdb>,
    }
}

event_field! {
    /// A secret that still signs calls beside the new one.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct OldSecret {
        /// The secret, sealed as `task_secret`.
        pub secret: Sealed,
        /// Until then.
        pub until: Stored<Moment>,
    }
}

events! {
    /// The events of a task.
    pub enum Event {
        /// A user defined the task.
        #[serde(rename = "task.defined")]
        Defined {
            /// The task.
            task_id: TaskId,
            /// The user whose task it is.
            owner_id: UserId,
            /// The name.
            name: Stored<Name>,
            /// The method of its calls.
            method: Method,
            /// The host that it calls.
            host: Stored<Host>,
            /// The URL, the headers and the body of its calls, sealed as `task_call`.
            call: Box<Sealed>,
            /// The secret that signs its calls, sealed as `task_secret`.
            secret: Box<Sealed>,
            /// The keyed hash of the owner and the URL, of which there is one task at a time.
            url_hash: KeyedHash,
            /// Which of the places that its owner has for tasks it takes, from 0 on.
            place: u32,
            /// When it is due; none if it runs on request only.
            plan: Option<Box<Plan>>,
            /// The first slot; none if it runs on request only.
            next: Option<NextSlot>,
        },
        /// A run was requested for this slot.
        #[serde(rename = "task.slot_taken")]
        SlotTaken {
            /// The task.
            task_id: TaskId,
            /// The user whose task it is.
            owner_id: UserId,
            /// The run.
            run_id: TaskRunId,
            /// The slot; for a run that the owner asked for, when that was.
            slot: Stored<Moment>,
            /// Why the run was requested.
            trigger: Trigger,
            /// The slot that is due next; none if that did not change, or if there is none within two years.
            next: Option<NextSlot>,
        },
        /// These slots were skipped.
        #[serde(rename = "task.slots_skipped")]
        SlotsSkipped {
            /// The task.
            task_id: TaskId,
            /// The user whose task it is.
            owner_id: UserId,
            /// The first of them.
            from: Stored<Moment>,
            /// The last of them.
            to: Stored<Moment>,
            /// How many; 1000 stands for that many or more.
            count: u32,
            /// Why.
            reason: SkipReason,
            /// The slot that is due next; none if the event that follows says it, or if there is none within two years.
            next: Option<NextSlot>,
        },
        /// A run of the task ended.
        #[serde(rename = "task.run_ended")]
        RunEnded {
            /// The task.
            task_id: TaskId,
            /// The user whose task it is.
            owner_id: UserId,
            /// The run.
            run_id: TaskRunId,
            /// How it ended.
            result: RunResult,
            /// Since when all runs have failed; none if this one did not.
            failing_since: Option<Stored<Moment>>,
            /// The slot that it was for, or when the owner asked for it. Builds before did not write it.
            slot: Option<Stored<Moment>>,
        },
        /// The task does not run until it is resumed.
        #[serde(rename = "task.paused")]
        Paused {
            /// The task.
            task_id: TaskId,
            /// The user whose task it is.
            owner_id: UserId,
            /// Why.
            reason: PauseReason,
        },
        /// The task runs again.
        #[serde(rename = "task.resumed")]
        Resumed {
            /// The task.
            task_id: TaskId,
            /// The user whose task it is.
            owner_id: UserId,
            /// The slot that is due next; none if there is none.
            next: Option<NextSlot>,
        },
        /// The owner had the task call something else, or at other times. The event says all that is so from now on.
        #[serde(rename = "task.changed")]
        Changed {
            /// The task.
            task_id: TaskId,
            /// The user whose task it is.
            owner_id: UserId,
            /// The number of the change, from 1 on.
            change: u32,
            /// The name.
            name: Stored<Name>,
            /// The method of its calls.
            method: Method,
            /// The host that it calls.
            host: Stored<Host>,
            /// The URL, the headers and the body of its calls, sealed as `task_call`.
            call: Box<Sealed>,
            /// The keyed hash of the owner and the URL.
            url_hash: KeyedHash,
            /// When it is due; none if it runs on request only.
            plan: Option<Box<Plan>>,
            /// The slot that is due next from now on; none if that is as before.
            next: Option<NextSlot>,
        },
        /// The owner got another secret, which signs the calls from now on.
        #[serde(rename = "task.secret_rotated")]
        SecretRotated {
            /// The task.
            task_id: TaskId,
            /// The user whose task it is.
            owner_id: UserId,
            /// The secret, sealed as `task_secret`.
            secret: Box<Sealed>,
            /// The one before.
            old_secret: Box<OldSecret>,
        },
        /// The next slot is another one, since the build has other data of time zones than the one that computed it.
        #[serde(rename = "task.replanned")]
        Replanned {
            /// The task.
            task_id: TaskId,
            /// The user whose task it is.
            owner_id: UserId,
            /// The slot that is due next; none if there is none.
            next: Option<NextSlot>,
        },
        /// The task never runs again.
        #[serde(rename = "task.retired")]
        Retired {
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
    use crate::samples::{SELLER, TASK, TASK_RUN, hash, moment, sealed, stored};

    let next = |seconds| {
        Some(NextSlot {
            slot: moment(seconds).into(),
            due_at: moment(seconds).into(),
            tzdb: stored("2026f"),
        })
    };
    vec![
        Event::Defined {
            task_id: TASK,
            owner_id: SELLER,
            name: stored("Fetch prices"),
            method: Method::Post,
            host: stored("hooks.example"),
            call: Box::new(sealed("Y2FsbA")),
            secret: Box::new(sealed("c2VjcmV0")),
            url_hash: hash("e"),
            place: 0,
            plan: Some(Box::new(Plan {
                cron: stored("* * * * *"),
                zone: stored("Europe/Berlin"),
                missed: Missed::Latest,
                window_s: 3_600,
                delay_ms: 0,
            })),
            next: next(60),
        },
        Event::SlotTaken {
            task_id: TASK,
            owner_id: SELLER,
            run_id: TASK_RUN,
            slot: moment(60).into(),
            trigger: Trigger::Schedule,
            next: next(120),
        },
        Event::SlotsSkipped {
            task_id: TASK,
            owner_id: SELLER,
            from: moment(120).into(),
            to: moment(120).into(),
            count: 1,
            reason: SkipReason::Overlap,
            next: next(180),
        },
        Event::RunEnded {
            task_id: TASK,
            owner_id: SELLER,
            run_id: TASK_RUN,
            result: RunResult::Failed,
            failing_since: Some(moment(150).into()),
            slot: Some(moment(60).into()),
        },
        Event::Paused {
            task_id: TASK,
            owner_id: SELLER,
            reason: PauseReason::Owner,
        },
        Event::Resumed {
            task_id: TASK,
            owner_id: SELLER,
            next: next(180),
        },
        Event::Changed {
            task_id: TASK,
            owner_id: SELLER,
            change: 1,
            name: stored("Fetch all prices"),
            method: Method::Put,
            host: stored("other.example"),
            call: Box::new(sealed("b3RoZXIgY2FsbA")),
            url_hash: hash("f"),
            plan: Some(Box::new(Plan {
                cron: stored("*/2 * * * *"),
                zone: stored("Asia/Tokyo"),
                missed: Missed::All,
                window_s: 3_600,
                delay_ms: 0,
            })),
            next: next(240),
        },
        Event::SecretRotated {
            task_id: TASK,
            owner_id: SELLER,
            secret: Box::new(sealed("b3RoZXIgc2VjcmV0")),
            old_secret: Box::new(OldSecret {
                secret: sealed("c2VjcmV0"),
                until: moment(86_400).into(),
            }),
        },
        Event::Replanned {
            task_id: TASK,
            owner_id: SELLER,
            next: next(300),
        },
        Event::Retired {
            task_id: TASK,
            owner_id: SELLER,
        },
    ]
}
