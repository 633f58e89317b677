//! Events of tasks: what a user has called, when, and what became of each time at which it was due.

mod values;

pub use values::{
    Cron, Host, Method, Missed, Name, NextSlot, OldSecret, Overlap, PauseReason, Plan, RunResult,
    SkipReason, Trigger, Tzdb, Zone,
};

use crate::{KeyedHash, Moment, Sealed, Stored, TaskRunId, UserId};

id! {
    /// The id of a task.
    TaskId
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
            /// The port that it calls; none if it is the one of `https`. Builds before did not write it.
            port: Option<u32>,
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
            /// Which of the places that its owner has for tasks that are due more often than once a minute it takes, from 0 on; none
            /// if it is not. Builds before did not write it.
            frequent_place: Option<u32>,
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
            /// Which of the places that the task has for runs it takes until it ends, from 0 on. Builds before did not write it, whose
            /// runs did not overlap.
            #[serde(default)]
            place: u32,
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
            /// How many. Builds before counted 1000 at most.
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
            /// The slot that has waited for the end of the run; none if none has. Builds before did not write it.
            next: Option<NextSlot>,
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
            /// Which place for tasks that are due more often than once a minute it takes; none if it is not. A pause leaves it.
            /// Builds before did not write it.
            frequent_place: Option<u32>,
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
            /// The port that it calls; none if it is the one of `https`. Builds before did not write it.
            port: Option<u32>,
            /// The URL, the headers and the body of its calls, sealed as `task_call`.
            call: Box<Sealed>,
            /// The keyed hash of the owner and the URL.
            url_hash: KeyedHash,
            /// When it is due; none if it runs on request only.
            plan: Option<Box<Plan>>,
            /// The slot that is due next from now on; none if that is as before.
            next: Option<NextSlot>,
            /// Which place for tasks that are due more often than once a minute it takes from now on; none if it is not, or is
            /// paused. Builds before did not write it.
            frequent_place: Option<u32>,
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
            /// Those before that which still sign, the newest first. Builds before did not write them.
            #[serde(default)]
            older_secrets: Vec<OldSecret>,
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

/// The plan of a sample.
#[cfg(any(test, feature = "samples"))]
fn plan(cron: &str, zone: &str) -> Plan {
    use crate::samples::stored;

    Plan {
        cron: stored(cron),
        zone: stored(zone),
        missed: Missed::Latest,
        overlap: Overlap::Skip,
        window_s: 3_600,
        delay_ms: 0,
    }
}

/// The next slot of a sample, at this second.
#[cfg(any(test, feature = "samples"))]
fn next(second: i64) -> NextSlot {
    use crate::samples::{moment, stored};

    NextSlot {
        slot: moment(second).into(),
        due_at: moment(second).into(),
        tzdb: stored("2026f"),
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{SELLER, TASK, TASK_RUN, hash, moment, sealed, stored};

    let changed = Plan {
        missed: Missed::All,
        overlap: Overlap::BufferOne,
        ..plan("*/2 * * * *", "Asia/Tokyo")
    };
    vec![
        Event::Defined {
            task_id: TASK,
            owner_id: SELLER,
            name: stored("Fetch prices"),
            method: Method::Post,
            host: stored("hooks.example"),
            port: None,
            call: Box::new(sealed("Y2FsbA")),
            secret: Box::new(sealed("c2VjcmV0")),
            url_hash: hash("e"),
            place: 0,
            plan: Some(Box::new(plan("* * * * *", "Europe/Berlin"))),
            next: Some(next(60)),
            frequent_place: None,
        },
        Event::SlotTaken {
            task_id: TASK,
            owner_id: SELLER,
            run_id: TASK_RUN,
            slot: moment(60).into(),
            trigger: Trigger::Schedule,
            place: 0,
            next: Some(next(120)),
        },
        Event::SlotsSkipped {
            task_id: TASK,
            owner_id: SELLER,
            from: moment(120).into(),
            to: moment(120).into(),
            count: 1,
            reason: SkipReason::Overlap,
            next: Some(next(180)),
        },
        Event::RunEnded {
            task_id: TASK,
            owner_id: SELLER,
            run_id: TASK_RUN,
            result: RunResult::Failed,
            failing_since: Some(moment(150).into()),
            slot: Some(moment(60).into()),
            next: Some(next(180)),
        },
        Event::Paused {
            task_id: TASK,
            owner_id: SELLER,
            reason: PauseReason::Owner,
        },
        Event::Resumed {
            task_id: TASK,
            owner_id: SELLER,
            next: Some(next(180)),
            frequent_place: None,
        },
        Event::Changed {
            task_id: TASK,
            owner_id: SELLER,
            change: 1,
            name: stored("Fetch all prices"),
            method: Method::Put,
            host: stored("other.example"),
            port: Some(8_443),
            call: Box::new(sealed("b3RoZXIgY2FsbA")),
            url_hash: hash("f"),
            plan: Some(Box::new(changed)),
            next: Some(next(240)),
            frequent_place: None,
        },
        Event::SecretRotated {
            task_id: TASK,
            owner_id: SELLER,
            secret: Box::new(sealed("b3RoZXIgc2VjcmV0")),
            old_secret: Box::new(OldSecret {
                secret: sealed("c2VjcmV0"),
                until: moment(86_400).into(),
            }),
            older_secrets: vec![OldSecret {
                secret: sealed("b2xkZXIgc2VjcmV0"),
                until: moment(43_200).into(),
            }],
        },
        Event::Replanned {
            task_id: TASK,
            owner_id: SELLER,
            next: Some(next(300)),
        },
        Event::Retired {
            task_id: TASK,
            owner_id: SELLER,
        },
    ]
}
