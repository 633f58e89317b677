//! The timelines of the log, and the forks that began them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

/// A timeline, and the fork that began it. Of the first timeline, which no fork began, nothing but the id is known.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Timeline {
    /// The number of the timeline, with which each `Tidemark` of it begins.
    #[schema(minimum = 1, maximum = 2_147_483_647, example = 2)]
    pub id: i32,
    /// The timeline that it was forked from.
    #[schema(minimum = 1, maximum = 2_147_483_647, example = 1)]
    pub parent: Option<i32>,
    /// The last position that it shares with its parent.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991i64, example = 4_700)]
    pub forked_at: Option<i64>,
    /// The position of the event that records the fork (`fork.declared`).
    #[schema(minimum = 1, example = 4_711)]
    pub position: Option<i64>,
    /// When an operator declared the fork.
    pub declared_at: Option<DateTime<Utc>>,
    /// The service by which the operator did.
    #[schema(example = "service:operator")]
    pub declared_by: Option<String>,
    /// Why the operator declared it.
    #[schema(example = "the backup of Monday was restored")]
    pub reason: Option<String>,
    /// Whether the log was set back on this timeline, so that commands are refused until an operator declares a fork. Only
    /// the present timeline can be so.
    pub set_back: bool,
}

/// At most `limit` timelines, the present one first, of those before this one.
///
/// # Errors
/// If Postgres fails.
pub async fn list(pool: &PgPool, before: Option<i32>, limit: i64) -> sqlx::Result<Vec<Timeline>> {
    sqlx::query_as!(
        Timeline,
        r#"
        select t.id,
               t.parent,
               t.forked_at,
               t.position,
               e.recorded_at as "declared_at?",
               e.metadata ->> 'actor' as declared_by,
               e.data ->> 'reason' as reason,
               h.set_back and t.id = h.timeline as "set_back!"
          from timelines t
         cross join log_head h
          left join events e
            on e.position = t.position
         where t.id < $1
         order by t.id desc
         limit $2
        "#,
        before.unwrap_or(i32::MAX),
        limit,
    )
    .fetch_all(pool)
    .await
}
