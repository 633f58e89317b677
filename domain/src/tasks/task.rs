//! Tasks: the state, and what rules know of it. The commands are in files of their own.

mod change;
mod control;
mod define;
mod error;
mod open_runs;
mod places;
mod slot;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tidemark_events::tasks::task::{
    Event, Host, Name, NextSlot, OldSecret, Plan, RunResult, Trigger, Tzdb,
};
use tidemark_events::{KeyedHash, Moment, Sealed, Stored, TaskId, TaskRunId, Timestamp, UserId};

pub use change::{Change, RotateSecret};
pub use control::{Pause, Resume, Retire};
pub use define::{Define, NewPlan};
pub use error::Error;
pub use slot::{RunNow, TakeSlot};

use crate::decision::refusals;
use crate::identity::access;
use crate::tasks::schedule::{Schedule, tzdb};
use crate::{AggregateState, Claim, ClaimScope, Refusal, Stop, View};

/// What the rules know of a task that is not retired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The task.
    pub id: TaskId,
    /// The user whose task it is.
    pub owner_id: UserId,
    /// The name.
    pub name: Stored<Name>,
    /// The host that it calls.
    pub host: Stored<Host>,
    /// The port that it calls; none if it is the one of `https`, or if a build before defined the task.
    pub port: Option<u32>,
    /// How often it was changed.
    pub changes: u32,
    /// The number of the change from which on it calls its URL; 0 if that is the first one.
    pub url_since: u32,
    /// The secret that signs its calls, sealed as `task_secret`.
    pub secret: Box<Sealed>,
    /// Those before, which may still sign beside it, the newest first.
    pub old_secrets: Vec<OldSecret>,
    /// The keyed hash of the owner and the URL.
    pub url_hash: KeyedHash,
    /// Which of the owner's places it takes.
    pub place: u32,
    /// Which of the owner's places for frequent tasks it takes; none if it is not frequent, if it is paused, or if a build before
    /// defined it.
    pub frequent_place: Option<u32>,
    /// When it is due; none if it runs on request only.
    pub plan: Option<Box<Plan>>,
    /// The slot that is due next.
    pub next: Option<NextSlot>,
    /// The last slot of the schedule that was taken or skipped; none if none was since the schedule was stated or the task was
    /// resumed.
    pub last_slot: Option<Stored<Moment>>,
    /// Whether the slot that is due next has waited for the end of a run.
    pub has_waited: bool,
    /// The runs that are not over.
    pub open_runs: Vec<OpenRun>,
    /// Since when all runs have failed; none if the last one did not.
    pub failing_since: Option<Stored<Moment>>,
    /// Whether it waits to be resumed.
    pub is_paused: bool,
}

/// A run that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRun {
    /// The run.
    pub id: TaskRunId,
    /// The place that it takes.
    pub place: u32,
}

/// The state of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// There is no such task.
    #[default]
    None,
    /// The task runs, or is paused.
    Defined(Box<Terms>),
    /// The task never runs again.
    Retired {
        /// The user whose task it was.
        owner_id: UserId,
    },
}

impl AggregateState for Task {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 5;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Defined {
                task_id,
                owner_id,
                name,
                host,
                port,
                secret,
                url_hash,
                place,
                plan,
                next,
                frequent_place,
                ..
            } => {
                *self = Self::Defined(Box::new(Terms {
                    id: *task_id,
                    owner_id: *owner_id,
                    name: name.clone(),
                    host: host.clone(),
                    port: *port,
                    changes: 0,
                    url_since: 0,
                    secret: secret.clone(),
                    old_secrets: Vec::new(),
                    url_hash: url_hash.clone(),
                    place: *place,
                    frequent_place: *frequent_place,
                    plan: plan.clone(),
                    next: next.clone(),
                    last_slot: None,
                    has_waited: false,
                    open_runs: Vec::new(),
                    failing_since: None,
                    is_paused: false,
                }));
            }
            Event::Retired { owner_id, .. } => {
                *self = Self::Retired {
                    owner_id: *owner_id,
                };
            }
            Event::SlotTaken { .. }
            | Event::SlotsSkipped { .. }
            | Event::RunEnded { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Changed { .. }
            | Event::SecretRotated { .. }
            | Event::Replanned { .. } => {
                if let Self::Defined(terms) = self {
                    terms.evolve(event);
                }
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::None | Self::Retired { .. } => 0,
            Self::Defined(terms) => {
                let of_plan = |plan: &Plan| plan.cron.len() + plan.zone.len();
                let of_secret = |it: &Sealed| it.nonce.len() + it.ciphertext.len();
                let old_secrets = terms.old_secrets.iter();
                let of_old = |it: &OldSecret| size_of::<OldSecret>() + of_secret(&it.secret);
                size_of::<Terms>()
                    + terms.name.len()
                    + terms.host.len()
                    + terms.url_hash.0.len()
                    + size_of::<Sealed>()
                    + of_secret(&terms.secret)
                    + old_secrets.map(of_old).sum::<usize>()
                    + size_of_val(&*terms.open_runs)
                    + terms.plan.as_deref().map_or(0, of_plan)
            }
        }
    }
}

impl Terms {
    fn evolve(&mut self, event: &Event) {
        match event {
            Event::SlotTaken {
                run_id,
                slot,
                trigger,
                place,
                next,
                ..
            } => {
                self.open_runs.push(OpenRun {
                    id: *run_id,
                    place: *place,
                });
                if *trigger == Trigger::Schedule {
                    self.has_waited = false;
                    self.last_slot = Some(*slot);
                    self.next.clone_from(next);
                }
            }
            Event::SlotsSkipped { to, next, .. } => {
                self.has_waited = false;
                self.last_slot = Some(*to);
                self.next.clone_from(next);
            }
            Event::Replanned { next, .. } => self.next.clone_from(next),
            Event::RunEnded {
                run_id,
                result,
                failing_since,
                next,
                ..
            } => {
                self.open_runs.retain(|it| it.id != *run_id);
                self.has_waited = next.is_some();
                self.failing_since = match result {
                    RunResult::Succeeded => None,
                    RunResult::Failed => *failing_since,
                };
            }
            Event::Paused { .. } => {
                self.is_paused = true;
                self.open_runs.clear();
                self.frequent_place = None;
            }
            Event::Resumed {
                next,
                frequent_place,
                ..
            } => {
                self.frequent_place = *frequent_place;
                self.is_paused = false;
                self.has_waited = false;
                self.failing_since = None;
                self.last_slot = None;
                self.next.clone_from(next);
            }
            Event::Changed {
                change,
                name,
                host,
                port,
                url_hash,
                plan,
                next,
                frequent_place,
                ..
            } => {
                self.frequent_place = *frequent_place;
                self.changes = *change;
                if self.url_hash != *url_hash {
                    self.url_since = *change;
                }
                self.name.clone_from(name);
                self.host.clone_from(host);
                self.port = *port;
                self.url_hash.clone_from(url_hash);
                self.plan.clone_from(plan);
                if next.is_some() {
                    self.has_waited = false;
                    self.last_slot = None;
                    self.next.clone_from(next);
                }
            }
            Event::SecretRotated {
                secret,
                old_secret,
                older_secrets,
                ..
            } => {
                self.secret.clone_from(secret);
                let old = OldSecret::clone(old_secret);
                self.old_secrets = [vec![old], older_secrets.clone()].concat();
            }
            Event::Defined { .. } | Event::Retired { .. } => {}
        }
    }

    /// The slot that waits although it is due, since a run goes on.
    pub(crate) fn waiting_slot(&self, now: Timestamp) -> Option<NextSlot> {
        self.next.clone().filter(|next| *next.due_at <= now)
    }

    /// The claim that the URL has one task.
    fn url_claim(&self) -> Claim {
        url_claim(&self.url_hash)
    }
}

/// The claim of a task on its URL, of which its owner has one task at a time.
fn url_claim(url_hash: &KeyedHash) -> Claim {
    Claim::new(ClaimScope::TaskUrl, &url_hash.0)
}

/// The slot of a plan after a time; `None` if there is none.
fn next_slot(plan: &Plan, schedule: &Schedule, after: Timestamp) -> Option<NextSlot> {
    let slot = schedule.next_after(after)?;
    let due_at = slot + TimeDelta::milliseconds(i64::from(plan.delay_ms));
    let tzdb = Tzdb::try_from(tzdb().to_owned()).ok()?;
    Some(NextSlot {
        slot: Moment::nearest(slot).into(),
        due_at: Moment::nearest(due_at).into(),
        tzdb: tzdb.into(),
    })
}

/// The task, unless it is none or retired.
pub(crate) fn find<'a>(view: &View<'a>, id: TaskId) -> Result<&'a Terms, Stop> {
    match view.get::<Task>(id.0)? {
        Task::None => Err(Error::NotFound.into()),
        Task::Retired { .. } => Err(Error::Retired.into()),
        Task::Defined(terms) => Ok(terms),
    }
}

/// The task, if it is the caller's own. Of others nobody learns that they exist.
fn find_own<'a>(view: &View<'a>, id: TaskId) -> Result<&'a Terms, Stop> {
    let user = access::user(view)?;
    match view.get::<Task>(id.0)? {
        Task::Defined(terms) if terms.owner_id == user => Ok(terms),
        Task::Retired { owner_id } if *owner_id == user => Err(Error::Retired.into()),
        Task::None | Task::Defined(_) | Task::Retired { .. } => Err(Error::NotFound.into()),
    }
}

/// How [`find_own`] refuses.
fn own_refusals() -> Vec<Refusal> {
    let own = refusals([Error::NotFound, Error::Retired]);
    [access::user_refusals(), own].concat()
}

#[cfg(test)]
mod tests;
