//! What the states of streams are made of: the events, and snapshots, which are the states of long streams,
//! stored beside the log, so that loading a stream need not read all its events. The events alone are
//! authoritative, so snapshots may be lost.
//!
//! This module stores states as text. Whether a build understands a state is for its caller to decide.

use futures::stream::BoxStream;
use tidemark_events::{DecodeError, Event, Timestamp};
use uuid::Uuid;

use super::Log;

/// A snapshot of a stream, or an event after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatePart {
    /// The stream.
    pub stream_id: Uuid,
    /// The version of the event, or of the last one that the snapshot includes.
    pub version: i64,
    /// The time at which that event was recorded.
    pub recorded_at: Timestamp,
    /// The name of the stream's aggregate.
    pub aggregate: String,
    /// The type of the event; none if this is a snapshot.
    pub event_type: Option<String>,
    /// The version of the event's schema, or of the state's format and meaning by the build that stored it.
    pub schema_version: i16,
    /// The data of the event, or the state, as JSON text.
    pub data: String,
}

/// How much of a stream, or of the log, is read at once at most. It is read on while fewer events and fewer bytes were
/// read, so the last event may exceed the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimits {
    /// How many events.
    pub events: i64,
    /// How much text there is in the snapshot and in the data of the events together.
    pub bytes: i64,
}

impl StatePart {
    /// Decodes the event; none if this is a snapshot.
    ///
    /// # Errors
    /// See [`Event::decode`].
    #[must_use]
    pub fn decode(&self) -> Option<Result<Event, DecodeError>> {
        let event_type = self.event_type.as_ref()?;
        Some(Event::decode(event_type, self.schema_version, &self.data))
    }
}

impl Log {
    /// What the states of several streams are made of, with one query: of each stream the events after the
    /// version in the same place, in order, as many as `limits` allows. If that is none, first the snapshot, if
    /// there is one, and then the events after it. The caller must limit the time that reading takes.
    #[must_use]
    pub fn states<'a>(
        &'a self,
        stream_ids: &'a [Uuid],
        after_versions: &'a [Option<i64>],
        limits: PageLimits,
    ) -> BoxStream<'a, sqlx::Result<StatePart>> {
        // Each step of the recursion reads the next event of every stream, so that no more is read than the limits allow.
        sqlx::query_as!(
            StatePart,
            r#"
            with recursive part as (
                select wanted.id,
                       coalesce(kept.version, wanted.after_version, 0) as version,
                       kept.recorded_at,
                       kept.aggregate,
                       null::text as type,
                       kept.state_version as schema_version,
                       kept.state as data,
                       0::bigint as events,
                       coalesce(octet_length(kept.state), 0)::bigint as bytes
                  from unnest($1::uuid[], $2::bigint[]) as wanted (id, after_version)
                  left join lateral (
                       select version, recorded_at, aggregate, state_version, state::text as state
                         from snapshots
                        where snapshots.stream_id = wanted.id
                          and wanted.after_version is null
                        limit 1
                  ) as kept on true
                 union all
                select part.id,
                       next.version,
                       next.recorded_at,
                       next.aggregate,
                       next.type,
                       next.schema_version,
                       next.data,
                       part.events + 1,
                       part.bytes + octet_length(next.data)
                  from part
                 cross join lateral (
                       select version, recorded_at, aggregate, type, schema_version, data::text as data
                         from events
                        where events.stream_id = part.id
                          and events.version = part.version + 1
                        limit 1
                  ) as next
                 where part.events < $3
                   and part.bytes < $4
            )
            select id as "stream_id!",
                   version as "version!",
                   recorded_at as "recorded_at!",
                   aggregate as "aggregate!",
                   type as "event_type?",
                   schema_version as "schema_version!",
                   data as "data!"
              from part
             where data is not null
             order by id, version
            "#,
            stream_ids,
            after_versions as &[Option<i64>],
            limits.events,
            limits.bytes,
        )
        .fetch(&*self.pool)
    }

    /// Stores the state of a stream after an event that is in the log, unless a later one is stored.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn save_snapshot(
        &self,
        stream_id: Uuid,
        version: i64,
        state_version: i16,
        state: &str,
    ) -> sqlx::Result<()> {
        let query = sqlx::query!(
            "select save_snapshot($1, $2, $3, $4)",
            stream_id,
            version,
            state_version,
            state,
        )
        .execute(&*self.pool);
        self.pool.with_timeout(query).await.map(drop)
    }
}
