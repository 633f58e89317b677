//! Reading events: of one stream, of a range of positions.

use tidemark_events::Recorded;
use uuid::Uuid;

use super::Log;

/// A checked query for whole events. Its arguments are the part of the statement that begins with
/// `from`, and the parameters.
macro_rules! select_events {
    ($from:literal, $($parameters:tt)+) => {
        sqlx::query_as!(
            Recorded,
            r#"
            select position as "position!",
                   event_id as "event_id!",
                   stream_id as "stream_id!",
                   version as "version!",
                   aggregate as "aggregate!",
                   type as "event_type!",
                   schema_version as "schema_version!",
                   data::text as "data!",
                   metadata::text as "metadata!",
                   recorded_at as "recorded_at!"
            "# + $from,
            $($parameters)+
        )
    };
}

impl Log {
    /// The events of one stream after a version, in order, at most `limit`.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn stream(
        &self,
        stream_id: Uuid,
        after_version: i64,
        limit: i64,
    ) -> sqlx::Result<Vec<Recorded>> {
        let query = select_events!(
            r#"
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

    /// The events after a position, in order, at most `limit`.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn page(&self, after_position: i64, limit: i64) -> sqlx::Result<Vec<Recorded>> {
        let query = select_events!(
            r#"
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

    /// The events after one position and up to another, in order: those of the given types, or all.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn between(
        &self,
        after_position: i64,
        up_to_position: i64,
        types: Option<&[&str]>,
    ) -> sqlx::Result<Vec<Recorded>> {
        let query = select_events!(
            r#"
              from events
             where position > $1
               and position <= $2
               and ($3::text[] is null or type = any ($3))
             order by position
            "#,
            after_position,
            up_to_position,
            types as _,
        )
        .fetch_all(&*self.pool);
        self.pool.with_timeout(query).await
    }

    /// The events at these positions, in order.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn at(&self, positions: &[i64]) -> sqlx::Result<Vec<Recorded>> {
        let query = select_events!(
            r#"
              from events
             where position = any ($1)
             order by position
            "#,
            positions,
        )
        .fetch_all(&*self.pool);
        self.pool.with_timeout(query).await
    }

    /// The position of an event; `None` if it is not in the log.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
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
}
