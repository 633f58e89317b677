//! Reading the log: where it ends, its clock, who owns a claim, and (in `events`) the events,
//! of which (in `states`) states are made. Any database role that may select from it can use it.

mod events;
mod states;

use tidemark_events::Timestamp;
use uuid::Uuid;

use crate::TimedPool;

pub use states::StatePart;

/// The end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The timeline that the log is on now. A log that is restored from a backup starts a new one.
    pub timeline: i32,
    /// The position of the last event; 0 while there is none.
    pub position: i64,
    /// The time at which the last event was recorded.
    pub recorded_at: Timestamp,
}

/// How much of the log is in Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The position of the last event of the log.
    pub head: i64,
    /// The position up to which Kafka has acknowledged every event.
    pub confirmed: i64,
}

/// The log, for reading.
#[derive(Clone, Debug)]
pub struct Log {
    pool: TimedPool,
}

impl Log {
    /// The log in the database that `pool` connects to.
    #[must_use]
    pub const fn new(pool: TimedPool) -> Self {
        Self { pool }
    }

    /// The connections through which the log is read.
    #[must_use]
    pub const fn pool(&self) -> &TimedPool {
        &self.pool
    }

    /// Reads where the log ends.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn head(&self) -> sqlx::Result<Head> {
        let query = sqlx::query_as!(
            Head,
            r#"
            select timeline,
                   position,
                   recorded_at
              from log_head
            "#
        )
        .fetch_one(&*self.pool);
        self.pool.with_timeout(query).await
    }

    /// Reads where the log ends, and up to where the relay has confirmed that Kafka holds it.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn published(&self) -> sqlx::Result<Published> {
        let query = sqlx::query_as!(
            Published,
            r#"
            select head.position as head,
                   relay.position as confirmed
              from log_head as head,
                   relay_progress as relay
            "#
        )
        .fetch_one(&*self.pool);
        self.pool.with_timeout(query).await
    }

    /// Reads the clock of Postgres, by which all events are recorded.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn now(&self) -> sqlx::Result<Timestamp> {
        let query =
            sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(&*self.pool);
        self.pool.with_timeout(query).await
    }

    /// The stream that owns each claim, in the order of the claims; `None` where nobody does. The
    /// claims come as two slices of equal length.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn claim_owners(
        &self,
        scopes: &[String],
        keys: &[String],
    ) -> sqlx::Result<Vec<Option<Uuid>>> {
        let query = sqlx::query_scalar!(
            r#"
            select held.owner_id as "owner_id?"
              from unnest($1::text[], $2::text[]) with ordinality as wanted (scope, key, place)
              left join lateral (
                   select owner_id
                     from claims
                    where claims.scope = wanted.scope
                      and claims.key = wanted.key
                    limit 1
              ) as held on true
             order by wanted.place
            "#,
            scopes,
            keys,
        )
        .fetch_all(&*self.pool);
        self.pool.with_timeout(query).await
    }
}
