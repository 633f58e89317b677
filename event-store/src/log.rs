//! Reading the log: a stream, a page of the whole, the head. Any role that may select may do it.

use futures::stream::BoxStream;
use tidemark_events::{Recorded, Timestamp};
use uuid::Uuid;

use crate::TimedPool;

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
    pool: TimedPool,
}

impl Log {
    /// The log behind these connections.
    #[must_use]
    pub const fn new(pool: TimedPool) -> Self {
        Self { pool }
    }

    /// The connections by which it is read.
    #[must_use]
    pub const fn pool(&self) -> &TimedPool {
        &self.pool
    }

    /// Where the log ends.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
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

    /// Where the log ends, and up to where the relay has confirmed that Kafka holds it.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
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

    /// Postgres's clock, which is the log's.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn now(&self) -> sqlx::Result<Timestamp> {
        let query =
            sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(&*self.pool);
        self.pool.with_timeout(query).await
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
        let query = sqlx::query_as!(
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
        .fetch_all(&*self.pool);
        self.pool.with_timeout(query).await
    }

    /// The events of each stream above the version beside it, in order, at most `limit` of each.
    #[must_use]
    pub fn streams<'a>(
        &'a self,
        streams: &'a [Uuid],
        after_versions: &'a [i64],
        limit: i64,
    ) -> BoxStream<'a, sqlx::Result<Recorded>> {
        sqlx::query_as!(
            Recorded,
            r#"
            select events.position as "position!",
                   events.event_id as "event_id!",
                   events.stream_id as "stream_id!",
                   events.version as "version!",
                   events.aggregate as "aggregate!",
                   events.type as "event_type!",
                   events.schema_version as "schema_version!",
                   events.data::text as "data!",
                   events.metadata::text as "metadata!",
                   events.recorded_at as "recorded_at!"
              from unnest($1::uuid[], $2::bigint[]) as wanted (stream_id, after_version)
             cross join lateral (
                   select *
                     from events
                    where events.stream_id = wanted.stream_id
                      and events.version > wanted.after_version
                    order by events.version
                    limit $3
             ) as events
             order by events.stream_id, events.version
            "#,
            streams,
            after_versions,
            limit,
        )
        .fetch(&*self.pool)
    }

    /// The events above a position, in order, at most `limit`.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn page(&self, after_position: i64, limit: i64) -> sqlx::Result<Vec<Recorded>> {
        let query = sqlx::query_as!(
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
        .fetch_all(&*self.pool);
        self.pool.with_timeout(query).await
    }

    /// The events above a position up to another, in order: those of these types, or all.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn between(
        &self,
        after_position: i64,
        position: i64,
        types: Option<&[&str]>,
    ) -> sqlx::Result<Vec<Recorded>> {
        let query = sqlx::query_as!(
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
               and position <= $2
               and ($3::text[] is null or type = any ($3))
             order by position
            "#,
            after_position,
            position,
            types as _,
        )
        .fetch_all(&*self.pool);
        self.pool.with_timeout(query).await
    }

    /// The events at these positions, in order: what an index of positions points at.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn at(&self, positions: &[i64]) -> sqlx::Result<Vec<Recorded>> {
        let query = sqlx::query_as!(
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
        .fetch_all(&*self.pool);
        self.pool.with_timeout(query).await
    }

    /// Where an event is, if it is in the log.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn position_of(&self, event_id: Uuid) -> sqlx::Result<Option<i64>> {
        let query = sqlx::query_scalar!(
            r#"
            select position
              from events
             where event_id = $1
            "#,
            event_id,
        )
        .fetch_optional(&*self.pool);
        self.pool.with_timeout(query).await
    }

    /// The stream that owns each claim, in their order. They come as scopes and keys beside them.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn owners(
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
