//! Letting a parked row be tried again, with or without the first event that it lacks.

use sqlx::PgPool;
use tidemark_read_models::operations::parked::ParkedRow;

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
