//! Reading events: of one stream, of a range of positions.

use tidemark_events::{LogPoint, Recorded};
use uuid::Uuid;

use super::{FollowError, Log};

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
        let query = || {
            select_events!(
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
            .fetch_all(&*self.pool)
        };
        self.pool.read(query).await
    }

    /// The events after a position, in order, at most `limit`.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn page(&self, after_position: i64, limit: i64) -> sqlx::Result<Vec<Recorded>> {
        let query = || {
            select_events!(
                r#"
                  from events
                 where position > $1
                 order by position
                 limit $2
                "#,
                after_position,
                limit,
            )
            .fetch_all(&*self.pool)
        };
        self.pool.read(query).await
    }

    /// The events that follow a point, up to a position, in order: those of the given types, or all. The event at
    /// `up_to` is among them whatever its type, so that the caller knows the point where it is. They end earlier once their
    /// data has reached `bytes_max`, so that the last event may exceed it; no event of these types before the last is left
    /// out.
    ///
    /// # Errors
    /// If Postgres does not answer the query, or the log does not hold the point.
    pub async fn follow(
        &self,
        after: LogPoint,
        up_to: i64,
        types: Option<&[&str]>,
        bytes_max: i64,
    ) -> Result<Vec<Recorded>, FollowError> {
        let mut found = Vec::new();
        if after.position > 0 {
            found = self
                .between(after.position, up_to, types, bytes_max)
                .await?;
        }
        if found.is_empty() {
            let end = self
                .end_within(after.position, up_to, types, bytes_max)
                .await?;
            if end == 0 {
                // The log is empty, and may stay so for long.
                return Ok(found);
            }
            found = self.between(after.position, end, types, i64::MAX).await?;
        }
        let mut events = found.into_iter();
        let is_in_log = after.position == 0 || events.next().is_some_and(|it| it.point() == after);
        if is_in_log {
            Ok(events.collect())
        } else {
            Err(FollowError::OtherLog(after.position))
        }
    }

    /// The events from one position to another, with both whatever their type; none if their data could be larger than
    /// `bytes_max`. To know that costs little, because no data is read: what is stored compressed is taken to be as large
    /// as what is compressed best.
    async fn between(
        &self,
        from: i64,
        up_to: i64,
        types: Option<&[&str]>,
        bytes_max: i64,
    ) -> sqlx::Result<Vec<Recorded>> {
        let query = || {
            select_events!(
                r#"
                  from events
                 where position between $1 and $2
                   and ($3::text[] is null or type = any ($3) or position in ($1, $2))
                   and (select coalesce(sum(pg_column_size(data) * case when pg_column_compression(data) is null
                                                                        then 1 else 255 end), 0)
                          from events
                         where position between $1 and $2
                           and ($3::text[] is null or type = any ($3) or position in ($1, $2))) <= $4
                 order by position
                "#,
                from,
                up_to,
                types as _,
                bytes_max,
            )
            .fetch_all(&*self.pool)
        };
        self.pool.read(query).await
    }

    /// The position up to which the events after `after` have data of `bytes_max` at most, but for the last of them.
    async fn end_within(
        &self,
        after: i64,
        up_to: i64,
        types: Option<&[&str]>,
        bytes_max: i64,
    ) -> sqlx::Result<i64> {
        // Each step of the recursion reads the next event by its position, of which none is left out. So none is read
        // beyond the end, whatever Postgres knows of the table when it plans this.
        let query = || {
            sqlx::query_scalar!(
                r#"
                with recursive page as (
                    select $1::bigint as position,
                           0::bigint as bytes
                     union all
                    select next.position,
                           page.bytes + next.bytes
                      from page
                     cross join lateral (
                           select position,
                                  case when $3::text[] is null or type = any ($3) or position = $2
                                       then octet_length(data::text) else 0 end as bytes
                             from events
                            where events.position = page.position + 1
                            limit 1
                      ) as next
                     where page.bytes < $4
                       and page.position < $2
                )
                select max(position) as "end!"
                  from page
                "#,
                after,
                up_to,
                types as _,
                bytes_max,
            )
            .fetch_one(&*self.pool)
        };
        self.pool.read(query).await
    }

    /// The events at these positions, in order.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn at(&self, positions: &[i64]) -> sqlx::Result<Vec<Recorded>> {
        let query = || {
            select_events!(
                r#"
                  from events
                 where position = any ($1)
                 order by position
                "#,
                positions,
            )
            .fetch_all(&*self.pool)
        };
        self.pool.read(query).await
    }

    /// The position of an event; `None` if it is not in the log.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn position_of(&self, event_id: Uuid) -> sqlx::Result<Option<i64>> {
        let query = || {
            sqlx::query_scalar!(
                r#"
                select position
                  from events
                 where event_id = $1
                "#,
                event_id,
            )
            .fetch_optional(&*self.pool)
        };
        self.pool.read(query).await
    }
}
