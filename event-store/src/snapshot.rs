//! Snapshots: states of long streams as text, kept beside the log. Only events are the truth; what a
//! state means, and whether this build can use it, is for others to say.

use tidemark_events::Timestamp;
use uuid::Uuid;

use crate::TimedPool;

/// The state of a stream after one of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose.
    pub stream_id: Uuid,
    /// Of the last event that it holds.
    pub version: i64,
    /// When the log took that event.
    pub recorded_at: Timestamp,
    /// The name of the stream's aggregate.
    pub aggregate: String,
    /// What the build that made it calls the shape and meaning of its states.
    pub state_version: i16,
    /// JSON text.
    pub state: String,
}

impl Snapshot {
    /// Those that there are of these streams.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn of(pool: &TimedPool, streams: &[Uuid]) -> sqlx::Result<Vec<Self>> {
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
            streams,
        )
        .fetch_all(&**pool);
        pool.with_timeout(query).await
    }

    /// Keeps the state of a stream after an event that is in the log, unless a later one is kept.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn save(
        pool: &TimedPool,
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
        .execute(&**pool);
        pool.with_timeout(query).await.map(drop)
    }
}
