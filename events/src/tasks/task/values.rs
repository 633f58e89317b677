//! What the events of tasks are made of: what owners state, when tasks are due, and why things happen.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{EventField, Line, Moment, Sealed, Stored};

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

/// What happens with slots that come while a run goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TaskOverlap, example = "skip")]
pub enum Overlap {
    /// They are skipped.
    #[default]
    Skip,
    /// The newest one waits until the run is over, and the others are skipped.
    BufferOne,
    /// They run at once, up to ten, and the others are skipped.
    Allow,
}

impl EventField for Overlap {}

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
    /// The task was retired before they were taken.
    Retired,
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
        /// What happens with slots that come while a run goes on. Builds before did not write it.
        #[serde(default)]
        pub overlap: Overlap,
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
