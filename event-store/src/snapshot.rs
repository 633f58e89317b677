//! Snapshots: the states of long streams, stored beside the log, so that loading a stream need not read
//! all its events. The events alone are authoritative, so snapshots may be lost.
//!
//! This module stores states as text. Whether a build understands a state is for its caller to decide.

use sqlx::PgPool;
use tidemark_events::Timestamp;
use uuid::Uuid;

use crate::TimedPool;

/// The state of a stream after one of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The stream whose state it is.
    pub stream_id: Uuid,
    /// The version of the last event that the state includes.
    pub version: i64,
    /// The time at which that event was recorded.
    pub recorded_at: Timestamp,
    /// The name of the stream's aggregate.
    pub aggregate: String,
    /// The version of the state's format and meaning, by the build that stored it.
    pub state_version: i16,
    /// The state as JSON text.
    pub state: String,
}

impl Snapshot {
    /// Reads the snapshots of these streams. A stream that has none is left out.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn load(pool: &TimedPool, stream_ids: &[Uuid]) -> sqlx::Result<Vec<Self>> {
        let connections: &PgPool = pool;
        let query = sqlx::query_as!(
            Self,
            r#"
            select stream_id,
                   version,
                   recorded_at,
                   aggregate,
                   state_version,
                   state::text as "state!"
              from snapshots
             where stream_id = any ($1)
            "#,
            stream_ids,
        )
        .fetch_all(connections);
        pool.with_timeout(query).await
    }

    /// Stores the state of a stream after an event that is in the log, unless a later one is stored.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn save(
        pool: &TimedPool,
        stream_id: Uuid,
        version: i64,
        state_version: i16,
        state: &str,
    ) -> sqlx::Result<()> {
        let connections: &PgPool = pool;
        let query = sqlx::query!(
            "select save_snapshot($1, $2, $3, $4)",
            stream_id,
            version,
            state_version,
            state,
        )
        .execute(connections);
        pool.with_timeout(query).await.map(drop)
    }
}
