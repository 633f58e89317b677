//! Reading the log: a stream, a page of the whole, the head. Any role that may select may do it.

use sqlx::PgPool;
use tidemark_events::{Recorded, Timestamp};
use uuid::Uuid;

/// Where the log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which log it is, after restores.
    pub timeline: i32,
    /// Of the last event; 0 while there is none.
    pub position: i64,
    /// When the last event was taken.
    pub recorded_at: Timestamp,
}

/// How much of the log is in Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The last position of the log.
    pub head: i64,
    /// Kafka has acknowledged everything up to here.
    pub confirmed: i64,
}

/// The log, for reading.
#[derive(Clone, Debug)]
pub struct Log {
    pool: PgPool,
}

impl Log {
    /// The log behind these connections.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Where the log ends.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn head(&self) -> sqlx::Result<Head> {
        sqlx::query_as!(
            Head,
            r#"
            select timeline,
                   position,
                   recorded_at
              from log_head
            "#
        )
        .fetch_one(&self.pool)
        .await
    }

    /// Where the log ends, and up to where the relay has confirmed that Kafka holds it.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn published(&self) -> sqlx::Result<Published> {
        sqlx::query_as!(
            Published,
            r#"
            select head.position as head,
                   relay.position as confirmed
              from log_head as head,
                   relay_progress as relay
            "#
        )
        .fetch_one(&self.pool)
        .await
    }

    /// Postgres's clock, which is the log's.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn now(&self) -> sqlx::Result<Timestamp> {
        sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
            .fetch_one(&self.pool)
            .await
    }

    /// The events of one stream above a version, in order, at most `limit`.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn stream(
        &self,
        stream_id: Uuid,
        after_version: i64,
        limit: i64,
    ) -> sqlx::Result<Vec<Recorded>> {
        sqlx::query_as!(
            Recorded,
            r#"
            select position,
                   event_id,
                   stream_id,
                   version,
                   aggregate,
                   type as event_type,
                   schema_version,
                   data::text as "data!",
                   metadata::text as "metadata!",
                   recorded_at
              from events
             where stream_id = $1
               and version > $2
             order by version
             limit $3
            "#,
            stream_id,
            after_version,
            limit,
        )
        .fetch_all(&self.pool)
        .await
    }

    /// The events above a position, in order, at most `limit`.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn page(&self, after_position: i64, limit: i64) -> sqlx::Result<Vec<Recorded>> {
        sqlx::query_as!(
            Recorded,
            r#"
            select position,
                   event_id,
                   stream_id,
                   version,
                   aggregate,
                   type as event_type,
                   schema_version,
                   data::text as "data!",
                   metadata::text as "metadata!",
                   recorded_at
              from events
             where position > $1
             order by position
             limit $2
            "#,
            after_position,
            limit,
        )
        .fetch_all(&self.pool)
        .await
    }

    /// The events at these positions, in order: what an index of positions points at.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn at(&self, positions: &[i64]) -> sqlx::Result<Vec<Recorded>> {
        sqlx::query_as!(
            Recorded,
            r#"
            select position,
                   event_id,
                   stream_id,
                   version,
                   aggregate,
                   type as event_type,
                   schema_version,
                   data::text as "data!",
                   metadata::text as "metadata!",
                   recorded_at
              from events
             where position = any ($1)
             order by position
            "#,
            positions,
        )
        .fetch_all(&self.pool)
        .await
    }

    /// Where an event is, if it is in the log.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn position_of(&self, event_id: Uuid) -> sqlx::Result<Option<i64>> {
        sqlx::query_scalar!(
            r#"
            select position
              from events
             where event_id = $1
            "#,
            event_id,
        )
        .fetch_optional(&self.pool)
        .await
    }

    /// The stream that owns a claim.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn owner(&self, scope: &str, key: &str) -> sqlx::Result<Option<Uuid>> {
        sqlx::query_scalar!(
            r#"
            select owner_id
              from claims
             where scope = $1
               and key = $2
            "#,
            scope,
            key,
        )
        .fetch_optional(&self.pool)
        .await
    }
}
