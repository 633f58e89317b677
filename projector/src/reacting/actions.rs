//! The actions of reactors in Postgres: what follows from events is stored together with the checkpoint, before anybody
//! acts on it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;
use sqlx::types::Json;
use tidemark_domain::{Action, Done, What};
use tidemark_events::{LogPoint, Moment};
use uuid::Uuid;

use crate::following::failure::SubscriberError;

/// The target of the action that stands for the answer to its event: what follows from the event is not known yet.
pub(super) const ANSWER: &str = "answer";

/// An action, and the event that caused it.
#[derive(Clone, Debug)]
pub(super) struct CausedAction {
    pub(super) action: Action,
    /// The position of the event.
    pub(super) position: i64,
    pub(super) event_id: Uuid,
    /// The correlation id of the event, which the command carries on.
    pub(super) correlation_id: Uuid,
}

/// An action as its row begins.
#[derive(Debug, Serialize)]
pub(super) struct PlannedRow<'a> {
    position: i64,
    target: &'a str,
    path: &'a str,
    effect: Option<&'a str>,
    destination: &'a str,
    body: Option<&'a Value>,
    event_id: Uuid,
    correlation_id: Uuid,
    due_at: Option<DateTime<Utc>>,
    owner_id: Option<Uuid>,
    about: Option<&'a str>,
    wait_s: u32,
    /// Whether it takes the place of those about the same that wait.
    is_newest: bool,
}

/// An event that could not be answered. It is kept as an action that was given up.
#[derive(Clone, Debug)]
pub(super) struct Unanswered {
    pub(super) position: i64,
    pub(super) event_id: Uuid,
    /// Nil if the metadata cannot be read.
    pub(super) correlation_id: Uuid,
    pub(super) reason: String,
}

/// What follows from the events of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Reactions {
    pub(super) actions: Vec<CausedAction>,
    /// The events of which it is not known what follows from them.
    pub(super) unanswered: Vec<Unanswered>,
}

impl Reactions {
    /// Whether nothing follows from the events.
    pub(super) const fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.unanswered.is_empty()
    }

    /// Adds what follows from other events.
    pub(super) fn extend(&mut self, others: Self) {
        self.actions.extend(others.actions);
        self.unanswered.extend(others.unanswered);
    }

    /// What follows from the event at this position.
    pub(super) fn of(&self, position: i64) -> Self {
        let actions = self.actions.iter().filter(|it| it.position == position);
        let unanswered = { self.unanswered.iter() }.filter(|it| it.position == position);
        Self {
            actions: actions.cloned().collect(),
            unanswered: unanswered.cloned().collect(),
        }
    }
}

impl CausedAction {
    /// Its row.
    pub(super) fn planned(&self) -> PlannedRow<'_> {
        let (path, effect, destination, body) = match &self.action.what {
            What::Command { path, body } => (path.as_str(), None, "", body.as_ref()),
            What::Effect {
                name,
                destination,
                body,
            } => ("", Some(name.as_str()), destination.as_str(), Some(body)),
        };
        let about = self.action.about.as_ref();
        let (wait_s, is_newest) = match about.map(|it| it.done) {
            Some(Done::First { wait_s }) => (wait_s, false),
            Some(Done::Newest) => (0, true),
            None => (0, false),
        };
        PlannedRow {
            position: self.position,
            target: &self.action.name,
            path,
            effect,
            destination,
            body,
            event_id: self.event_id,
            correlation_id: self.correlation_id,
            // What an older build has accepted may be a time that Postgres does not have. It is as far away as one that it has.
            due_at: self.action.due_at.map(|at| Moment::nearest(at).timestamp()),
            owner_id: self.action.owner_id.map(|it| it.0),
            about: about.map(|it| it.what.as_str()),
            wait_s,
            is_newest,
        }
    }
}

/// The point up to which a reactor has answered the log, and whether it is stored that nothing after it can be answered.
///
/// # Errors
/// If Postgres fails, or the log does not hold that point. Then the reactor is blocked.
pub(super) async fn checkpoint(
    pool: &PgPool,
    reactor: &str,
) -> Result<(LogPoint, bool), SubscriberError> {
    let stored = sqlx::query!(
        r#"
        select position,
               event_id,
               blocked is not null as "is_blocked!",
               log_holds(position, event_id) as "is_in_log!"
          from reactors
         where name = $1
        "#,
        reactor,
    )
    .fetch_one(pool)
    .await?;
    let point = LogPoint {
        position: stored.position,
        event_id: stored.event_id,
    };
    if stored.is_in_log {
        return Ok((point, stored.is_blocked));
    }
    let error = SubscriberError::NotInLog(point.position);
    block(pool, reactor, point, &error.to_string()).await?;
    Err(error)
}

/// Moves the checkpoint of a reactor and stores what follows from the events between, in one statement.
///
/// # Errors
/// If Postgres fails, or the checkpoint is not at `from` or the log does not hold `to`, in which case nothing is
/// written.
pub(super) async fn write(
    pool: &PgPool,
    reactor: &str,
    from: LogPoint,
    to: LogPoint,
    reactions: &Reactions,
) -> Result<(), SubscriberError> {
    let Reactions {
        actions,
        unanswered,
    } = reactions;
    let planned: Vec<_> = actions.iter().map(CausedAction::planned).collect();
    let advanced = sqlx::query_scalar!(
        r#"
        with advanced as (
            update reactors
               set timeline = log_head.timeline,
                   position = $4,
                   event_id = $5,
                   blocked = null,
                   updated_at = clock_timestamp()
              from log_head
             where reactors.name = $1
               and reactors.position = $2
               and reactors.event_id is not distinct from $3
               and log_holds($4, $5)
            returning reactors.name
        ), given_up as (
            insert into reactor_actions
                   (reactor, position, target, path, event_id, correlation_id,
                    due_at, next_attempt_at, attempts, done_at, outcome)
            select advanced.name, unanswered.position, $7, '', event_id, correlation_id,
                   statement_timestamp(), statement_timestamp(), 1, statement_timestamp(), reason
              from advanced,
                   unnest($8::bigint[], $9::uuid[], $10::uuid[], $11::text[])
                as unanswered (position, event_id, correlation_id, reason)
        )
        select count(store_actions(name, $6)) as "count!" from advanced
        "#,
        reactor,
        from.position,
        from.event_id,
        to.position,
        to.event_id,
        Json(&planned) as _,
        ANSWER,
        &unanswered.iter().map(|it| it.position).collect::<Vec<_>>(),
        &unanswered.iter().map(|it| it.event_id).collect::<Vec<_>>(),
        &unanswered
            .iter()
            .map(|it| it.correlation_id)
            .collect::<Vec<_>>(),
        &unanswered
            .iter()
            .map(|it| it.reason.clone())
            .collect::<Vec<_>>(),
    )
    .fetch_one(pool)
    .await?;
    fence(advanced.cast_unsigned(), from)
}

/// Stores why nothing after the checkpoint `at` can be answered. The next write clears it.
pub(super) async fn block(
    pool: &PgPool,
    reactor: &str,
    at: LogPoint,
    reason: &str,
) -> Result<(), SubscriberError> {
    let blocked = sqlx::query!(
        r#"
        update reactors
           set blocked = $4,
               updated_at = clock_timestamp()
         where name = $1
           and position = $2
           and event_id is not distinct from $3
        "#,
        reactor,
        at.position,
        at.event_id,
        reason,
    )
    .execute(pool)
    .await?;
    fence(blocked.rows_affected(), at)
}

/// Fails if nothing was changed.
fn fence(rows_affected: u64, at: LogPoint) -> Result<(), SubscriberError> {
    if rows_affected == 1 {
        Ok(())
    } else {
        Err(SubscriberError::Fenced(at.position))
    }
}
