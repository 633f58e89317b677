//! The actions of reactors that were given up.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

/// An action that was given up.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GivenUpAction {
    /// The name of the reactor.
    #[schema(example = "auction-timer")]
    pub reactor: String,
    /// The position of the event that the action follows from.
    #[schema(minimum = 1, example = 4_711)]
    pub position: i64,
    /// What tells the action from others that follow from that event.
    #[schema(example = "close")]
    pub target: String,
    /// What is posted to the command API; empty if the event could not be answered, so that it is not known what follows.
    #[schema(example = "/v1/auctions/0198a000-0000-7000-8000-000000000000/close")]
    pub path: String,
    /// When the action was due.
    pub due_at: DateTime<Utc>,
    /// When it was given up.
    pub ended_at: DateTime<Utc>,
    /// How often it was tried.
    #[schema(minimum = 1, maximum = 2_147_483_647, example = 1)]
    pub attempts: i32,
    /// Why: the status and the code of the answer, or why the event cannot be answered.
    #[schema(example = "409 auction_over")]
    pub refusal: String,
}

/// A place in the list: when an action ended, its reactor, its position and its target.
pub type Place = (DateTime<Utc>, String, i64, String);

impl GivenUpAction {
    /// Its place in the list.
    #[must_use]
    pub fn place(&self) -> Place {
        (
            self.ended_at,
            self.reactor.clone(),
            self.position,
            self.target.clone(),
        )
    }
}

/// At most `limit` of these actions after this place, the last ended first.
///
/// # Errors
/// If Postgres fails.
pub async fn list(
    pool: &PgPool,
    after: Option<Place>,
    limit: i64,
) -> sqlx::Result<Vec<GivenUpAction>> {
    let (ended_at, reactor, position, target) = match after {
        Some((ended_at, reactor, position, target)) => (Some(ended_at), reactor, position, target),
        None => Default::default(),
    };
    sqlx::query_as!(
        GivenUpAction,
        r#"
        select reactor, position, target, path, due_at, done_at as "ended_at!", attempts,
               outcome as "refusal!"
          from reactor_actions
         where done_at is not null
           and outcome <> 'done'
           and outcome <> 'dropped'
           and done_at <= coalesce($1, 'infinity'::timestamptz)
           and (done_at, reactor, position, target)
               < (coalesce($1, 'infinity'::timestamptz), $2, $3, $4)
         order by done_at desc,
                  reactor desc,
                  position desc,
                  target desc
         limit $5
        "#,
        ended_at,
        reactor,
        position,
        target,
        limit,
    )
    .fetch_all(pool)
    .await
}

/// One of them; `None` if there is no such action, or it was not given up.
///
/// # Errors
/// If Postgres fails.
pub async fn find(
    pool: &PgPool,
    reactor: &str,
    position: i64,
    target: &str,
) -> sqlx::Result<Option<GivenUpAction>> {
    sqlx::query_as!(
        GivenUpAction,
        r#"
        select reactor, position, target, path, due_at, done_at as "ended_at!", attempts,
               outcome as "refusal!"
          from reactor_actions
         where reactor = $1
           and position = $2
           and target = $3
           and done_at is not null
           and outcome <> 'done'
           and outcome <> 'dropped'
        "#,
        reactor,
        position,
        target,
    )
    .fetch_optional(pool)
    .await
}

/// Whether there is an action that was neither done nor dropped, whether or not it was given up.
///
/// # Errors
/// If Postgres fails.
pub async fn is_open(
    pool: &PgPool,
    reactor: &str,
    position: i64,
    target: &str,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        select exists (
            select
              from reactor_actions
             where reactor = $1
               and position = $2
               and target = $3
               and (done_at is null or outcome not in ('done', 'dropped'))
        ) as "is_open!"
        "#,
        reactor,
        position,
        target,
    )
    .fetch_one(pool)
    .await
}
