//! How owners change what their tasks call and when, and get other secrets.

use chrono::TimeDelta;
use tidemark_events::tasks::task::{Event, Host, Method, Name, OldSecret, Plan, SkipReason};
use tidemark_events::{KeyedHash, Moment, Sealed, Stored, TaskId, Timestamp};

use super::define::refusals_of_terms;
use super::places::take_frequent_place;
use super::slot::{Skipped, read_schedule};
use super::{Error, NewPlan, Terms, find_own, next_slot, own_refusals, url_claim};
use crate::decision::refusals;
use crate::{Command, Refusal, Stop, View, Write};

/// Changes a task of the user who sends the command. It says all that is so from now on, since what a task calls is sealed, and
/// cannot be put together here of what was and what is stated.
#[derive(Clone, Debug)]
pub struct Change {
    /// The task.
    pub task_id: TaskId,
    /// How often the task had been changed when this change was put together.
    pub after_changes: u32,
    /// The name.
    pub name: Stored<Name>,
    /// The method of its calls.
    pub method: Method,
    /// The host that it calls.
    pub host: Stored<Host>,
    /// The port that it calls; none if it is the one of `https`.
    pub port: Option<u32>,
    /// The URL, the headers and the body of its calls, sealed as `task_call`.
    pub call: Sealed,
    /// Whether calls are made as before: what is sealed cannot be compared here.
    pub calls_as_before: bool,
    /// Whether a body is stated although calls have none. Whoever puts the change together finds that, but does not refuse it: a
    /// request that was accepted before is answered as it was then, when calls may have had one.
    pub body_is_in_vain: bool,
    /// The keyed hash of the owner and the URL.
    pub url_hash: KeyedHash,
    /// When it is due; none if as before.
    pub plan: Option<NewPlan>,
    /// How many tasks of a user may be due more often than once a minute.
    pub frequent_max: u32,
}

impl Command for Change {
    fn name(&self) -> &'static str {
        "change_task"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::ChangedMeanwhile, Error::NoBody]);
        [own_refusals(), own, refusals_of_terms()].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let task = find_own(view, self.task_id)?;
        if task.changes != self.after_changes {
            return Err(Error::ChangedMeanwhile.into());
        }
        if self.body_is_in_vain {
            return Err(Error::NoBody.into());
        }
        self.plan.iter().try_for_each(NewPlan::check)?;
        let (plan, mut next) = (self.plan(task, view.now()), None);
        if self.calls_as_before && self.name == task.name && plan == task.plan {
            return Ok(Vec::new());
        }
        let mut writes = self.move_claim(view, task)?;
        let (frequent_place, moved) = self.frequent_place(view, task)?;
        if let Some(plan) = &plan
            && !task.plan.as_ref().is_some_and(|old| is_as_often(old, plan))
        {
            writes.extend(Skipped::waiting(view.now(), task, SkipReason::Changed)?);
            next = next_slot(plan, &read_schedule(plan)?, view.now());
        }
        let changed = Event::Changed {
            task_id: task.id,
            owner_id: task.owner_id,
            change: task.changes + 1,
            name: self.name.clone(),
            method: self.method,
            host: self.host.clone(),
            port: self.port,
            call: Box::new(self.call.clone()),
            url_hash: self.url_hash.clone(),
            plan,
            next,
            frequent_place,
        };
        writes.push(Write::event(task.id.0, changed));
        writes.extend(moved);
        Ok(writes)
    }
}

impl Change {
    /// The writes by which the task has the claim on its new URL instead of that on the old one.
    fn move_claim(&self, view: &View<'_>, task: &Terms) -> Result<Vec<Write>, Stop> {
        if self.url_hash == task.url_hash {
            return Ok(Vec::new());
        }
        let claim = url_claim(&self.url_hash);
        if let Some(other) = view.owner(&claim)? {
            return Err(Error::Duplicate(TaskId(other)).into());
        }
        view.owner(&task.url_claim())?;
        Ok(vec![
            Write::Release(task.url_claim()),
            Write::Claim(claim, task.id.0),
        ])
    }

    /// The place for frequent tasks that it has from now on, and the write by which it takes or leaves one. A task that is paused
    /// has none, and one that is due as before keeps what it has.
    fn frequent_place(
        &self,
        view: &View<'_>,
        task: &Terms,
    ) -> Result<(Option<u32>, Option<Write>), Stop> {
        let schedule = match &self.plan {
            Some(plan) if !task.is_paused => &plan.schedule,
            _ => return Ok((task.frequent_place, None)),
        };
        if !schedule.is_frequent() {
            return Ok((None, task.leave_frequent_place(view)?));
        }
        if task.frequent_place.is_some() {
            return Ok((task.frequent_place, None));
        }
        let ids = (task.id, task.owner_id);
        let taken = take_frequent_place(view, ids, schedule, self.frequent_max)?;
        Ok(taken.unzip())
    }

    /// The plan from now on. The delay of runs stays as it is, unless the owner states another one or another schedule.
    fn plan(&self, task: &Terms, now: Timestamp) -> Option<Box<Plan>> {
        let Some(new) = &self.plan else {
            return task.plan.clone();
        };
        let mut plan = new.plan(task.id, now);
        if let Some(old) = &task.plan
            && new.delay_max_s.is_none()
            && (&old.cron, &old.zone) == (&plan.cron, &plan.zone)
        {
            plan.delay_ms = old.delay_ms;
        }
        Some(Box::new(plan))
    }
}

/// Whether a plan has the same slots as another one, and runs begin as long after them.
fn is_as_often(old: &Plan, new: &Plan) -> bool {
    (&old.cron, &old.zone, old.delay_ms) == (&new.cron, &new.zone, new.delay_ms)
}

/// Gives the user who sends the command another secret for a task. The one before goes on signing for a while.
#[derive(Clone, Debug)]
pub struct RotateSecret {
    /// The task.
    pub task_id: TaskId,
    /// The secret, sealed as `task_secret`.
    pub secret: Sealed,
    /// For how many seconds the one before signs beside it.
    pub old_secret_s: u32,
    /// How many of those before may sign beside it.
    pub old_secrets_max: u32,
}

impl Command for RotateSecret {
    fn name(&self) -> &'static str {
        "rotate_task_secret"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::TooManySecrets(Timestamp::UNIX_EPOCH)]);
        [own_refusals(), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let task = find_own(view, self.task_id)?;
        let until = view.now() + TimeDelta::seconds(self.old_secret_s.into());
        let old_secrets = task.old_secrets.iter();
        let older: Vec<_> = old_secrets.filter(|it| view.now() < *it.until).collect();
        // What was promised to sign goes on, so that receivers have the time that they were told.
        if older.len() + 1 > usize::try_from(self.old_secrets_max).unwrap_or(usize::MAX)
            && let Some(first) = older.iter().map(|it| *it.until).min()
        {
            return Err(Error::TooManySecrets(first).into());
        }
        let rotated = Event::SecretRotated {
            task_id: task.id,
            owner_id: task.owner_id,
            secret: Box::new(self.secret.clone()),
            old_secret: Box::new(OldSecret {
                secret: Sealed::clone(&task.secret),
                until: Moment::nearest(until).into(),
            }),
            older_secrets: older.into_iter().cloned().collect(),
        };
        Ok(vec![Write::event(task.id.0, rotated)])
    }
}
