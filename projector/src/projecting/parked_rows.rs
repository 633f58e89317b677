//! The parked rows of all read models, for operators: which they are, and letting one be tried again, with or without
//! the first event that it lacks.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

/// A parked row.
#[derive(Debug, Serialize)]
pub(crate) struct ParkedRow {
    pub(crate) read_model: String,
    pub(crate) generation: i32,
    pub(crate) id: Uuid,
    /// `row` or `stream`: what could not be applied.
    pub(crate) kind: String,
    /// The first event that the row lacks.
    pub(crate) position: i64,
    /// Why it cannot be applied.
    pub(crate) reason: String,
    pub(crate) attempts: i32,
    pub(crate) parked_at: DateTime<Utc>,
    /// How many events wait for the row.
    pub(crate) waiting: i64,
}

/// At most `limit` of those that were parked before a time, or of all, the last parked first; of one row, if `of` names it.
pub(crate) async fn list(
    pool: &PgPool,
    of: Option<(&str, Uuid)>,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> sqlx::Result<Vec<ParkedRow>> {
    let (read_model, id) = of.unzip();
    sqlx::query_as!(
        ParkedRow,
        r#"
        select read_model, generation, id, kind, position, reason, attempts, parked_at,
               (select count(*)
                  from parked_events e
                 where e.read_model = parked.read_model
                   and e.generation = parked.generation
                   and e.id = parked.id) as "waiting!"
          from parked
         where ($1::text is null or read_model = $1)
           and ($2::uuid is null or id = $2)
           and parked_at < coalesce($3, 'infinity'::timestamptz)
         order by parked_at desc
         limit $4
        "#,
        read_model,
        id,
        before,
        limit,
    )
    .fetch_all(pool)
    .await
}

/// Has the row tried again, unless it is not parked at that event any more.
pub(crate) async fn retry(pool: &PgPool, row: &ParkedRow) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update parked
           set tried_by = ''
         where read_model = $1
           and generation = $2
           and id = $3
           and position = $4
        "#,
        row.read_model,
        row.generation,
        row.id,
        row.position,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Has the row tried again without the first event that it lacks, unless it is not parked at that event any more.
pub(crate) async fn skip(pool: &PgPool, row: &ParkedRow) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with skipped as (
            update parked
               set tried_by = '',
                   position = coalesce(
                       (select min(e.position)
                          from parked_events e
                         where e.read_model = $1
                           and e.generation = $2
                           and e.id = $3
                           and e.position > $4),
                       position)
             where read_model = $1
               and generation = $2
               and id = $3
               and position = $4
            returning 1
        )
        delete from parked_events
         where read_model = $1
           and generation = $2
           and id = $3
           and position = $4
           and exists (select from skipped)
        "#,
        row.read_model,
        row.generation,
        row.id,
        row.position,
    )
    .execute(pool)
    .await
    .map(drop)
}
