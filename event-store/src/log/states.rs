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
    /// version in the same place, in order, at most `limit`. If that is none, first the snapshot, if there is
    /// one, and then the events after it. The caller must limit the time that reading takes.
    #[must_use]
    pub fn states<'a>(
        &'a self,
        stream_ids: &'a [Uuid],
        after_versions: &'a [Option<i64>],
        limit: i64,
    ) -> BoxStream<'a, sqlx::Result<StatePart>> {
        sqlx::query_as!(
            StatePart,
            r#"
            with wanted as (
                select w.id, w.after_version, kept.*
                  from unnest($1::uuid[], $2::bigint[]) as w (id, after_version)
                  left join lateral (
                       select version, recorded_at, aggregate, state_version, state::text as state
                         from snapshots
                        where snapshots.stream_id = w.id
                          and w.after_version is null
                        limit 1
                  ) as kept on true
            )
            select id as "stream_id!",
                   version as "version!",
                   recorded_at as "recorded_at!",
                   aggregate as "aggregate!",
                   null as "event_type?",
                   state_version as "schema_version!",
                   state as "data!"
              from wanted
             where version is not null
             union all
            select id, next.version, next.recorded_at, next.aggregate, next.type, next.schema_version, next.data::text
              from wanted
             cross join lateral (
                   select *
                     from events
                    where events.stream_id = wanted.id
                      and events.version > coalesce(wanted.after_version, wanted.version, 0)
                    order by events.version
                    limit $3
             ) as next
             order by 1, 2
            "#,
            stream_ids,
            after_versions as &[Option<i64>],
            limit,
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
