//! The parked rows of all read models.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

use super::COUNTED_MAX;
use crate::storage::ParkedKind;

/// A row that waits because an event could not be applied to it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ParkedRow {
    /// The read model of the row.
    #[schema(example = "auction")]
    pub read_model: String,
    /// The generation of the row.
    #[schema(minimum = 1, maximum = 2_147_483_647, example = 1)]
    pub generation: i32,
    /// The id of the row; or of a stream that waits because an event of it cannot be read which alone says which rows it is about.
    /// A stream has 8 as its version here, and the number of the shard at its end.
    pub id: Uuid,
    /// What could not be applied: `row` if the fold failed or Postgres refuses what it made, `stream` if the event
    /// cannot be read. It is shown as it is stored, so that a kind which only a newer build has breaks no answer of
    /// this one.
    #[schema(value_type = ParkedKind)]
    pub kind: String,
    /// The first event that the row lacks.
    #[schema(minimum = 1, example = 4_711)]
    pub position: i64,
    /// Why it cannot be applied.
    #[schema(example = "the fold failed: attempt to subtract with overflow")]
    pub reason: String,
    /// How often it was tried to make the row.
    #[schema(minimum = 1, maximum = 2_147_483_647, example = 1)]
    pub attempts: i32,
    /// When the row was parked.
    pub parked_at: DateTime<Utc>,
    /// How many events wait for the row. At most 10,000 are counted.
    #[schema(minimum = 0, example = 3)]
    pub waiting: i64,
}

/// A place in the list: when a row was parked, its read model, its generation and its id.
pub type Place = (DateTime<Utc>, String, i32, Uuid);

impl ParkedRow {
    /// Its place in the list.
    #[must_use]
    pub fn place(&self) -> Place {
        (
            self.parked_at,
            self.read_model.clone(),
            self.generation,
            self.id,
        )
    }
}

/// At most `limit` parked rows after this place, the last parked first.
///
/// # Errors
/// If Postgres fails.
pub async fn list(pool: &PgPool, after: Option<Place>, limit: i64) -> sqlx::Result<Vec<ParkedRow>> {
    let (parked_at, read_model, generation, id) = match after {
        Some((parked_at, read_model, generation, id)) => {
            (Some(parked_at), read_model, generation, id)
        }
        None => Default::default(),
    };
    sqlx::query_as!(
        ParkedRow,
        r#"
        select p.read_model, p.generation, p.id, p.kind, p.position, p.reason, p.attempts, p.parked_at,
               (select count(*)
                  from (select
                          from parked_events e
                         where e.read_model = p.read_model
                           and e.generation = p.generation
                           and e.id = p.id
                         limit $5) counted) as "waiting!"
          from parked p
          join generations g
            on g.read_model = p.read_model
           and g.generation = p.generation
           and g.state <> 'dropped'
         where (p.parked_at, p.read_model, p.generation, p.id)
               < (coalesce($1, 'infinity'::timestamptz), $2, $3, $4)
         order by p.parked_at desc,
                  p.read_model desc,
                  p.generation desc,
                  p.id desc
         limit $6
        "#,
        parked_at,
        read_model,
        generation,
        id,
        COUNTED_MAX,
        limit,
    )
    .fetch_all(pool)
    .await
}

/// The parked row with this id; `None` if no such row is parked. If it is in several generations, that of the one that
/// serves, or else the one that was parked last.
///
/// # Errors
/// If Postgres fails.
pub async fn find(pool: &PgPool, read_model: &str, id: Uuid) -> sqlx::Result<Option<ParkedRow>> {
    sqlx::query_as!(
        ParkedRow,
        r#"
        select p.read_model, p.generation, p.id, p.kind, p.position, p.reason, p.attempts, p.parked_at,
               (select count(*)
                  from (select
                          from parked_events e
                         where e.read_model = p.read_model
                           and e.generation = p.generation
                           and e.id = p.id
                         limit $3) counted) as "waiting!"
          from generations g
          join parked p
            on p.read_model = g.read_model
           and p.generation = g.generation
           and p.id = $2
         where g.read_model = $1
           and g.state <> 'dropped'
         order by g.state = 'serving' desc,
                  p.parked_at desc
         limit 1
        "#,
        read_model,
        id,
        COUNTED_MAX,
    )
    .fetch_optional(pool)
    .await
}
