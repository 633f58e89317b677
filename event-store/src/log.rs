//! Reading the log: where it ends, its clock, who owns a claim, and (in `events`) the events,
//! of which (in `states`) states are made. Any database role that may select from it can use it.

mod definitions;
mod events;
mod followers;
mod states;

use sha2::{Digest, Sha256};
use tidemark_events::{LogPoint, Recorded, Timestamp};
use uuid::Uuid;

use crate::TimedPool;

pub use definitions::DefinitionPart;
pub use states::{PageLimits, StatePart};

/// The end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The timeline that the log is on now. A log that is restored from a backup starts a new one.
    pub timeline: i32,
    /// The position of the last event; 0 while there is none.
    pub position: i64,
    /// The time at which the last event was recorded.
    pub recorded_at: Timestamp,
    /// Whether the log has lost events, and no fork has been declared since.
    pub is_set_back: bool,
}

/// Why the log was not read on from a point.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// Postgres did not answer.
    #[error("the log cannot be read: {0}")]
    Database(#[from] sqlx::Error),
    /// The log holds another event at this position, or none: it was restored from a backup, or is another one.
    #[error("the log is not the one that it was: it has another event, or none, at position {0}")]
    OtherLog(i64),
}

/// What the log holds after a point: enough to tell its events from others.
#[derive(Debug)]
pub(crate) struct NextEvents {
    /// The timeline that the log is on now.
    pub(crate) timeline: i32,
    /// The position of the last event of the log.
    pub(crate) head: i64,
    /// The [`fingerprint`]s of the events after the point, in order.
    pub(crate) fingerprints: Vec<Vec<u8>>,
}

/// The SHA-256 of all that an event says, as [`Log::next_events`] computes it of what the log holds. What is stored holds no
/// line feed, so no two events are hashed as the same bytes.
pub(crate) fn fingerprint(event: &Recorded) -> Vec<u8> {
    let Recorded {
        position: _,
        event_id,
        stream_id,
        version,
        aggregate: _,
        event_type,
        schema_version,
        data,
        metadata,
        recorded_at,
    } = event;
    let recorded_at = recorded_at.timestamp_micros();
    let text = format!(
        "{event_id}\n{stream_id}\n{version}\n{event_type}\n{schema_version}\n{recorded_at}\n{data}\n{metadata}"
    );
    Sha256::digest(text).to_vec()
}

/// How much of the log is in Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The timeline that the log is on now.
    pub timeline: i32,
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
        let query = || {
            sqlx::query_as!(
                Head,
                r#"
                select timeline,
                       position,
                       recorded_at,
                       set_back as is_set_back
                  from log_head
                "#
            )
            .fetch_one(&*self.pool)
        };
        self.pool.read(query).await
    }

    /// Reads where the log ends, and which event is there.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn end(&self) -> sqlx::Result<LogPoint> {
        let query = || {
            sqlx::query_as!(
                LogPoint,
                r#"
                select log_head.position,
                       events.event_id as "event_id?"
                  from log_head
                  left join events
                    on events.position = log_head.position
                "#
            )
            .fetch_one(&*self.pool)
        };
        self.pool.read(query).await
    }

    /// Reads the [`fingerprint`]s of the events that follow a point, at most `limit`. Postgres computes them, so that no
    /// texts are sent.
    ///
    /// # Errors
    /// If Postgres does not answer the query, or the log does not hold the point.
    pub(crate) async fn next_events(
        &self,
        after: LogPoint,
        limit: i64,
    ) -> Result<NextEvents, FollowError> {
        let query = || {
            sqlx::query!(
                r#"
                select timeline,
                       position as head,
                       log_holds($1, $2) as "is_in_log!",
                       array(
                           select sha256(convert_to(
                                      concat_ws(
                                          chr(10),
                                          event_id,
                                          stream_id,
                                          version,
                                          type,
                                          schema_version,
                                          (extract(epoch from recorded_at) * 1000000)::bigint,
                                          data,
                                          metadata
                                      ),
                                      'UTF8'))
                             from events
                            where events.position > $1
                              and events.position <= $3
                            order by events.position
                       ) as "fingerprints!"
                  from log_head
                "#,
                after.position,
                after.event_id,
                after.position.saturating_add(limit),
            )
            .fetch_one(&*self.pool)
        };
        let next = self.pool.read(query).await?;
        if !next.is_in_log {
            return Err(FollowError::OtherLog(after.position));
        }
        Ok(NextEvents {
            timeline: next.timeline,
            head: next.head,
            fingerprints: next.fingerprints,
        })
    }

    /// Reads where the log ends, and up to where the relay has confirmed that Kafka holds it.
    ///
    /// # Errors
    /// If Postgres does not answer the query, or the log does not hold the point `seen`.
    pub async fn published(&self, seen: LogPoint) -> Result<Published, FollowError> {
        let query = || {
            sqlx::query!(
                r#"
                select head.timeline,
                       head.position as head,
                       relay.position as confirmed,
                       log_holds($1, $2) as "is_in_log!"
                  from log_head as head,
                       relay_progress as relay
                "#,
                seen.position,
                seen.event_id,
            )
            .fetch_one(&*self.pool)
        };
        let found = self.pool.read(query).await?;
        if !found.is_in_log {
            return Err(FollowError::OtherLog(seen.position));
        }
        Ok(Published {
            timeline: found.timeline,
            head: found.head,
            confirmed: found.confirmed,
        })
    }

    /// Reads the clock of Postgres, by which all events are recorded.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn now(&self) -> sqlx::Result<Timestamp> {
        let query =
            || sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(&*self.pool);
        self.pool.read(query).await
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
        let query = || {
            sqlx::query_scalar!(
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
            .fetch_all(&*self.pool)
        };
        self.pool.read(query).await
    }
}
