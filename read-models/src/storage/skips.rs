//! Which events operators have skipped, each for one row.

use sqlx::PgPool;
use uuid::Uuid;

use super::Storage;

/// An event that a row does without, because an operator ordered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skip {
    /// The id of the row.
    pub id: Uuid,
    /// The event that the row does without.
    pub position: i64,
    /// The position of the order.
    pub ordered_at: i64,
}

/// What is skipped in a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkippedEvents {
    /// The end of the log when the generation was begun, as far as the log still is the one that it was. What was ordered
    /// up to there has never been applied in this generation.
    pub begun_at: i64,
    /// All that has been ordered.
    pub skips: Vec<Skip>,
}

impl Storage {
    /// What operators have skipped in the shard.
    ///
    /// # Errors
    /// If Postgres fails, or there is no such generation.
    pub async fn skipped(&self) -> sqlx::Result<SkippedEvents> {
        let begun_at = sqlx::query_scalar!(
            r#"
            select least(
                       g.begun_at,
                       (select min(t.forked_at)
                          from timelines t
                         where t.id > g.begun_on)
                   ) as "begun_at!"
              from generations g
             where g.read_model = $1
               and g.generation = $2
            "#,
            self.read_model,
            self.generation.number,
        );
        // A stream waits in each shard, under an id of version 8.
        let skips = sqlx::query_as!(
            Skip,
            r#"
            select row_id as id,
                   position,
                   ordered_at
              from skipped_events
             where read_model = $1
               and (shard_of(row_id, $2) = $3 or substr(row_id::text, 15, 1) = '8')
             order by ordered_at
            "#,
            self.read_model,
            self.shard.count,
            self.shard.number,
        );
        let here = |skip: Skip| Skip {
            id: self.shard.id_here(skip.id),
            ..skip
        };
        let skips = self.answered(skips.fetch_all(&self.pool)).await?;
        Ok(SkippedEvents {
            begun_at: self.answered(begun_at.fetch_one(&self.pool)).await?,
            skips: skips.into_iter().map(here).collect(),
        })
    }
}

/// The positions of the events that a row of a read model does without.
///
/// # Errors
/// If Postgres fails.
pub async fn skipped_in_row(pool: &PgPool, read_model: &str, id: Uuid) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"
        select position
          from skipped_events
         where read_model = $1
           and row_id = $2
        "#,
        read_model,
        id,
    )
    .fetch_all(pool)
    .await
}
