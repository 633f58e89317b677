//! Writing the log: one call of one function for the batch of an executor.
//!
//! An executor numbers its batches. What became of a batch whose answer was lost is asked with
//! [`Appender::resolve`], never guessed.

mod columns;

use fail::fail_point;
use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection, PgPool};
use tidemark_events::{Encoded, Timestamp};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::IdempotencyRecord;
use columns::Columns;

/// An event to append.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// UUIDv7.
    pub event_id: Uuid,
    /// Its stream.
    pub stream_id: Uuid,
    /// The place it takes in its stream.
    pub version: i64,
    /// The name of its aggregate.
    pub aggregate: &'static str,
    /// Type, schema version and data.
    pub encoded: Encoded,
    /// Who and why, JSON text.
    pub metadata: String,
}

/// The idempotency record of a command: it must not exist, and is written if the command is done.
#[derive(Clone, Debug)]
pub struct NewIdempotencyRecord {
    /// Who sent the command.
    pub principal: String,
    /// The key they sent with it.
    pub key: String,
    /// HMAC-SHA-256 of the request.
    pub request_hash: Vec<u8>,
    /// The HTTP status of the answer; none if the command was refused, which leaves no record.
    pub status: Option<i16>,
    /// The stream of the answer.
    pub stream_id: Uuid,
    /// Its version after the command.
    pub version: i64,
    /// The place of the command's last event within its group; none if it wrote none.
    pub last_event: Option<usize>,
}

/// A data subject's key that a command's sealed values need.
#[derive(Clone, Debug)]
pub struct KeyUse {
    /// Whose.
    pub subject: Uuid,
    /// Which.
    pub version: i32,
    /// The wrapped key where the command brings it; otherwise it must exist.
    pub wrapped: Option<Vec<u8>>,
}

/// Commands that are written together or not at all, and what they rest on.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// In order.
    pub events: Vec<NewEvent>,
    /// Streams read or written, with the version known before this batch (0: none).
    pub streams: Vec<(Uuid, i64)>,
    /// Claims read, with the owner known before this batch.
    pub claims_read: Vec<(&'static str, String, Option<Uuid>)>,
    /// Claims written, each once, with the owner afterwards.
    pub claims_written: Vec<(&'static str, String, Option<Uuid>)>,
    /// Idempotency records.
    pub records: Vec<NewIdempotencyRecord>,
    /// Keys used and brought.
    pub keys: Vec<KeyUse>,
}

/// Something that a group rested on and that is not so any more. The group was not written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Conflict {
    /// A stream has another version.
    Stream {
        /// Place of the group in the batch.
        group: usize,
        /// Which stream.
        id: Uuid,
    },
    /// A claim has another owner.
    Claim {
        /// Place of the group in the batch.
        group: usize,
        /// The claim's scope.
        scope: String,
        /// The claim's key.
        key: String,
    },
    /// The command was done before.
    #[serde(rename = "record")]
    IdempotencyRecord {
        /// Place of the group in the batch.
        group: usize,
        /// What was recorded then.
        record: IdempotencyRecord,
    },
    /// A subject's key is gone, or somebody brought it first.
    #[serde(rename = "subject")]
    SubjectKey {
        /// Place of the group in the batch.
        group: usize,
        /// Whose.
        id: Uuid,
    },
}

impl Conflict {
    /// Place of the group in the batch.
    #[must_use]
    pub const fn group(&self) -> usize {
        match self {
            Self::Stream { group, .. }
            | Self::Claim { group, .. }
            | Self::IdempotencyRecord { group, .. }
            | Self::SubjectKey { group, .. } => *group,
        }
    }
}

/// What an append did.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The head before. The events of the groups written follow it, in their order.
    pub head: i64,
    /// When they were taken.
    pub at: Timestamp,
    /// Empty if every group was written; each group named here was not.
    pub conflicts: Vec<Conflict>,
}

/// The answer to a batch.
#[derive(Clone, Debug)]
pub enum AppendOutcome {
    /// The batch was this executor's next.
    Appended(Appended),
    /// It was not: another process took the number, or the executor is forgotten. Nothing was done.
    NotCurrent,
    /// It came after the time until which it was valid, at this time. Nothing was done.
    Late(Timestamp),
}

/// The writing side of one executor, on a connection of its own: one call is one round trip, and
/// whatever became of the last one, the next begins on a connection that is known to be good.
#[derive(Debug)]
pub struct Appender {
    executor: Uuid,
    options: PgConnectOptions,
    connection: Mutex<Option<PgConnection>>,
}

impl Appender {
    /// Makes a row for a new executor. Of `pool` only the address and the limits are used.
    ///
    /// # Errors
    /// If Postgres cannot be asked, or the id is taken.
    pub async fn register(pool: &PgPool, executor: Uuid) -> sqlx::Result<Self> {
        let options = PgConnectOptions::clone(&pool.connect_options());
        let mut connection = options.connect().await?;
        sqlx::query!("select register_executor($1)", executor)
            .execute(&mut connection)
            .await?;
        Ok(Self {
            executor,
            options,
            connection: Mutex::new(Some(connection)),
        })
    }

    /// Appends batch number `batch`, counting from 1, unless it is later than `valid_until` by the clock
    /// of Postgres when its turn comes.
    ///
    /// # Errors
    /// If the call failed. Then its outcome is unknown until [`Self::resolve`] tells.
    pub async fn append(
        &self,
        batch: i64,
        valid_until: Option<Timestamp>,
        groups: Vec<Group>,
    ) -> sqlx::Result<AppendOutcome> {
        let columns = Columns::from(groups);
        let Columns { e, s, c, w, i, k } = &columns;
        let mut slot = self.connection.lock().await;
        let mut connection = self.take(&mut slot).await?;
        fail_point!("append_before");
        let row = sqlx::query!(
            r#"
            select current as "current!",
                   late as "late!",
                   head as "head!",
                   at as "at!",
                   moved::text as moved
              from append(
                       $1, $2, $3,
                       $4, $5, $6, $7, $8, $9, $10, $11, $12,
                       $13, $14, $15,
                       $16, $17, $18, $19,
                       $20, $21, $22, $23,
                       $24, $25, $26, $27, $28, $29, $30, $31,
                       $32, $33, $34, $35
                   )
            "#,
            self.executor,
            batch,
            valid_until,
            &e.group,
            &e.id,
            &e.stream,
            &e.version,
            &e.aggregate,
            &e.event_type,
            &e.schema,
            &e.data,
            &e.metadata,
            &s.group,
            &s.stream,
            &s.version,
            &c.group,
            &c.scope,
            &c.key,
            &c.owner as &[Option<Uuid>],
            &w.group,
            &w.scope,
            &w.key,
            &w.owner as &[Option<Uuid>],
            &i.group,
            &i.principal,
            &i.key,
            &i.hash,
            &i.status as &[Option<i16>],
            &i.stream,
            &i.version,
            &i.event as &[Option<i32>],
            &k.group,
            &k.subject,
            &k.version,
            &k.wrapped as &[Option<Vec<u8>>],
        )
        .fetch_one(&mut connection)
        .await?;
        *slot = Some(connection);
        fail_point!("append_unanswered");
        if !row.current {
            return Ok(AppendOutcome::NotCurrent);
        }
        if row.late {
            return Ok(AppendOutcome::Late(row.at));
        }
        let conflicts = serde_json::from_str(row.moved.as_deref().unwrap_or("[]"))
            .map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(AppendOutcome::Appended(Appended {
            head: row.head,
            at: row.at,
            conflicts,
        }))
    }

    /// Whether batch number `batch` is in the log. If it is not, it never will be.
    ///
    /// # Errors
    /// If Postgres cannot be asked: ask again.
    pub async fn resolve(&self, batch: i64) -> sqlx::Result<bool> {
        let mut slot = self.connection.lock().await;
        let mut connection = self.take(&mut slot).await?;
        let committed = sqlx::query_scalar!(
            r#"select resolve_batch($1, $2) as "committed!""#,
            self.executor,
            batch
        )
        .fetch_one(&mut connection)
        .await?;
        *slot = Some(connection);
        Ok(committed)
    }

    /// The connection, or a new one. Whoever takes it puts it back once its call has succeeded: one
    /// whose call failed, or was given up, is closed.
    async fn take(&self, slot: &mut Option<PgConnection>) -> sqlx::Result<PgConnection> {
        match slot.take() {
            Some(connection) => Ok(connection),
            None => self.options.connect().await,
        }
    }
}
