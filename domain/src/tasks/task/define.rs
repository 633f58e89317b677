//! How users define tasks.

use chrono::TimeDelta;
use tidemark_events::tasks::task::{Event, Method, Missed, Name, Overlap, Plan};
use tidemark_events::{KeyedHash, Sealed, TaskId, Timestamp, UserId};

use super::places::{free_place, hash, place_claim, take_frequent_place};
use super::{Error, next_slot, url_claim};
use crate::decision::refusals;
use crate::identity::access;
use crate::tasks::destination::{Destination, DestinationError};
use crate::tasks::schedule::{Schedule, ScheduleError};
use crate::{Command, Refusal, Stop, View, Write};

/// The least time for which a missed slot is of use unless the owner says otherwise, in seconds.
const WINDOW_S: u32 = 3_600;
/// The longest delay of a run, in milliseconds.
const DELAY_MAX_MS: u32 = 15 * 60 * 1_000;

/// When a task that somebody defines is due.
#[derive(Clone, Debug)]
pub struct NewPlan {
    /// The schedule.
    pub schedule: Schedule,
    /// Whether it names a time soon enough. To find that it does not takes too long for a decision, but it is one: a request that was
    /// accepted before is answered as it was then.
    pub is_due: bool,
    /// What happens with slots that nobody took on time.
    pub missed: Missed,
    /// What happens with slots that come while a run goes on.
    pub overlap: Overlap,
    /// How long after its slot a run is of use, in seconds; none for the longer of the period and an hour.
    pub window_s: Option<u32>,
    /// The longest delay of a run, in seconds; none for a tenth of the period, and a quarter of an hour at most.
    pub delay_max_s: Option<u32>,
}

/// Defines a task of the user who sends the command.
#[derive(Clone, Debug)]
pub struct Define {
    /// The id of the new task.
    pub task_id: TaskId,
    /// The name.
    pub name: Name,
    /// What it calls.
    pub destination: Destination,
    /// The method of its calls.
    pub method: Method,
    /// The URL, the headers and the body of its calls, sealed as `task_call`.
    pub call: Sealed,
    /// The secret that signs its calls, sealed as `task_secret`.
    pub secret: Sealed,
    /// The keyed hash of the owner and the URL.
    pub url_hash: KeyedHash,
    /// When it is due; none if it runs on request only.
    pub plan: Option<NewPlan>,
    /// How many tasks a user may have.
    pub tasks_max: u32,
    /// How many of them may be due more often than once a minute.
    pub frequent_max: u32,
}

impl Define {
    /// The refusal of somebody who is not logged in, for whom nothing can be sealed.
    #[must_use]
    pub fn unauthenticated() -> Refusal {
        access::Error::Login.into()
    }

    /// A place that the owner has left.
    fn place(&self, view: &View<'_>, owner_id: UserId) -> Result<u32, Stop> {
        let claim = |place| place_claim(owner_id, place);
        let place = free_place(view, self.task_id, self.tasks_max, claim)?;
        place.ok_or_else(|| Error::TooMany(self.tasks_max).into())
    }

    /// The place that it takes as a frequent task, if it is one.
    fn frequent_place(
        &self,
        view: &View<'_>,
        owner_id: UserId,
    ) -> Result<Option<(u32, Write)>, Stop> {
        let Some(plan) = &self.plan else {
            return Ok(None);
        };
        let task = (self.task_id, owner_id);
        take_frequent_place(view, task, &plan.schedule, self.frequent_max)
    }
}

impl NewPlan {
    /// Refuses a schedule that is never due.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.is_due {
            return Ok(());
        }
        Err(ScheduleError::NeverDue.into())
    }

    /// The plan of this task.
    pub(super) fn plan(&self, task_id: TaskId, now: Timestamp) -> Plan {
        let period_ms = period_ms(&self.schedule, now);
        let seconds = u32::try_from(period_ms / 1_000).unwrap_or(u32::MAX);
        let tenth = u32::try_from(period_ms / 10).unwrap_or(u32::MAX);
        let stated = self.delay_max_s.map(|it| it.saturating_mul(1_000));
        let delay_max_ms = stated.unwrap_or(tenth).min(tenth).min(DELAY_MAX_MS);
        Plan {
            cron: self.schedule.expression.clone().into(),
            zone: self.schedule.zone_name.clone().into(),
            missed: self.missed,
            overlap: self.overlap,
            window_s: self.window_s.unwrap_or(seconds.max(WINDOW_S)),
            delay_ms: hash(task_id) % (delay_max_ms + 1),
        }
    }
}

/// What may be wrong with a URL or a schedule that an owner states.
pub(super) fn refusals_of_terms() -> Vec<Refusal> {
    refusals([
        Error::Duplicate(TaskId(uuid::Uuid::nil())),
        Error::TooManyFrequent(0),
        Error::Destination(DestinationError::Private),
        Error::Schedule(ScheduleError::Expression),
        Error::Schedule(ScheduleError::Zone),
        Error::Schedule(ScheduleError::TwoDays),
        Error::Schedule(ScheduleError::NeverDue),
    ])
}

impl Command for Define {
    fn name(&self) -> &'static str {
        "define_task"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::TooMany(0)]);
        [access::user_refusals(), own, refusals_of_terms()].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let owner_id = access::user(view)?;
        self.plan.iter().try_for_each(NewPlan::check)?;
        let url_claim = url_claim(&self.url_hash);
        if let Some(task) = view.owner(&url_claim)? {
            return Err(Error::Duplicate(TaskId(task)).into());
        }
        let place = self.place(view, owner_id)?;
        let (frequent_place, frequent_claim) = self.frequent_place(view, owner_id)?.unzip();
        let new = self.plan.as_ref();
        let plan = new.map(|it| it.plan(self.task_id, view.now()));
        let next = match (&plan, &self.plan) {
            (Some(plan), Some(new)) => next_slot(plan, &new.schedule, view.now()),
            _ => None,
        };
        let id = self.task_id.0;
        let defined = Event::Defined {
            task_id: self.task_id,
            owner_id,
            name: self.name.clone().into(),
            method: self.method,
            host: self.destination.host.clone().into(),
            port: self.destination.port.map(u32::from),
            call: Box::new(self.call.clone()),
            secret: Box::new(self.secret.clone()),
            url_hash: self.url_hash.clone(),
            place,
            plan: plan.map(Box::new),
            next,
            frequent_place,
        };
        let mut writes = vec![
            Write::event(id, defined),
            Write::Claim(url_claim, id),
            Write::Claim(place_claim(owner_id, place), id),
        ];
        writes.extend(frequent_claim);
        Ok(writes)
    }
}

/// The time between the next two slots, in milliseconds; 0 if there are no two.
fn period_ms(schedule: &Schedule, now: Timestamp) -> u64 {
    let first = schedule.next_after(now);
    let second = first.and_then(|first| schedule.next_after(first));
    let period = match (first, second) {
        (Some(first), Some(second)) => second - first,
        _ => TimeDelta::zero(),
    };
    u64::try_from(period.num_milliseconds()).unwrap_or(0)
}
