//! The actions that a refusal ended, for operators: which they are, and letting one be tried again.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;

/// An action that a refusal ended.
#[derive(Debug, Serialize)]
pub(crate) struct GivenUp {
    pub(crate) reactor: String,
    /// The position of the event that the action follows from.
    pub(crate) position: i64,
    /// What tells the action from others that follow from that event.
    pub(crate) target: String,
    /// What is posted to the command API.
    pub(crate) path: String,
    pub(crate) due_at: DateTime<Utc>,
    pub(crate) ended_at: DateTime<Utc>,
    pub(crate) attempts: i32,
    /// The refusal.
    pub(crate) refusal: String,
}

/// At most `limit` of those that ended before a time, or of all, the last ended first.
pub(crate) async fn list(
    pool: &PgPool,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> sqlx::Result<Vec<GivenUp>> {
    sqlx::query_as!(
        GivenUp,
        r#"
        select reactor, position, target, path, due_at, done_at as "ended_at!", attempts,
               outcome as "refusal!"
          from reactor_actions
         where done_at is not null
           and outcome <> 'done'
           and done_at < coalesce($1, 'infinity'::timestamptz)
         order by done_at desc
         limit $2
        "#,
        before,
        limit,
    )
    .fetch_all(pool)
    .await
}

/// One of them; `None` if there is no such action, or no refusal ended it.
pub(crate) async fn find(
    pool: &PgPool,
    reactor: &str,
    position: i64,
    target: &str,
) -> sqlx::Result<Option<GivenUp>> {
    sqlx::query_as!(
        GivenUp,
        r#"
        select reactor, position, target, path, due_at, done_at as "ended_at!", attempts,
               outcome as "refusal!"
          from reactor_actions
         where reactor = $1
           and position = $2
           and target = $3
           and done_at is not null
           and outcome <> 'done'
        "#,
        reactor,
        position,
        target,
    )
    .fetch_optional(pool)
    .await
}

/// Lets a sender try the action again at once, unless that has happened since it was read.
pub(crate) async fn retry(pool: &PgPool, action: &GivenUp) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update reactor_actions
           set done_at = null,
               next_attempt_at = clock_timestamp()
         where reactor = $1
           and position = $2
           and target = $3
           and attempts = $4
           and done_at is not null
        "#,
        action.reactor,
        action.position,
        action.target,
        action.attempts,
    )
    .execute(pool)
    .await
    .map(drop)
}
