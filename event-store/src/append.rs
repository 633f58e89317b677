//! Writing the log: one call of one function for the batch of an executor.
//!
//! An executor numbers its batches. What became of a batch whose answer was lost is asked with
//! [`Appender::resolve`], never guessed.

use serde::Deserialize;
use sqlx::PgPool;
use tidemark_events::{Encoded, Timestamp};
use uuid::Uuid;

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

/// An idempotency record to write with its command's events.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// Who sent the command.
    pub principal: String,
    /// The key they sent with it.
    pub key: String,
    /// HMAC-SHA-256 of the request.
    pub request_hash: Vec<u8>,
    /// The HTTP status of the answer.
    pub status: i16,
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
    pub records: Vec<NewRecord>,
    /// Keys used and brought.
    pub keys: Vec<KeyUse>,
}

/// Something that a group rested on and that is not so any more. The group was not written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Moved {
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
    Record {
        /// Place of the group in the batch.
        group: usize,
        /// The principal.
        scope: String,
        /// The idempotency key.
        key: String,
    },
    /// A subject's key is gone, or somebody brought it first.
    Subject {
        /// Place of the group in the batch.
        group: usize,
        /// Whose.
        id: Uuid,
    },
}

impl Moved {
    /// Place of the group in the batch.
    #[must_use]
    pub const fn group(&self) -> usize {
        match self {
            Self::Stream { group, .. }
            | Self::Claim { group, .. }
            | Self::Record { group, .. }
            | Self::Subject { group, .. } => *group,
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
    pub moved: Vec<Moved>,
}

/// The answer to a batch.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The batch was this executor's next.
    Done(Appended),
    /// It was not: another process took the number, or the executor is forgotten. Nothing was done.
    NotCurrent,
}

/// The writing side of one executor.
#[derive(Clone, Debug)]
pub struct Appender {
    pool: PgPool,
    executor: Uuid,
}

impl Appender {
    /// Makes a row for a new executor.
    ///
    /// # Errors
    /// If Postgres cannot be asked, or the id is taken.
    pub async fn register(pool: PgPool, executor: Uuid) -> sqlx::Result<Self> {
        sqlx::query!("select register_executor($1)", executor)
            .execute(&pool)
            .await?;
        Ok(Self { pool, executor })
    }

    /// Appends batch number `batch`, counting from 1.
    ///
    /// # Errors
    /// If the call failed. Then its outcome is unknown until [`Self::resolve`] tells.
    pub async fn append(&self, batch: i64, groups: Vec<Group>) -> sqlx::Result<Outcome> {
        let columns = Columns::from(groups);
        let Columns { e, s, c, w, i, k } = &columns;
        let row = sqlx::query!(
            r#"
            select current as "current!",
                   head as "head!",
                   at as "at!",
                   moved::text as moved
              from append(
                       $1, $2,
                       $3, $4, $5, $6, $7, $8, $9, $10, $11,
                       $12, $13, $14,
                       $15, $16, $17, $18,
                       $19, $20, $21, $22,
                       $23, $24, $25, $26, $27, $28, $29, $30,
                       $31, $32, $33, $34
                   )
            "#,
            self.executor,
            batch,
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
            &i.status,
            &i.stream,
            &i.version,
            &i.event as &[Option<i32>],
            &k.group,
            &k.subject,
            &k.version,
            &k.wrapped as &[Option<Vec<u8>>],
        )
        .fetch_one(&self.pool)
        .await?;
        if !row.current {
            return Ok(Outcome::NotCurrent);
        }
        let moved = serde_json::from_str(row.moved.as_deref().unwrap_or("[]"))
            .map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Outcome::Done(Appended {
            head: row.head,
            at: row.at,
            moved,
        }))
    }

    /// Whether batch number `batch` is in the log. If it is not, it never will be.
    ///
    /// # Errors
    /// If Postgres cannot be asked: ask again.
    pub async fn resolve(&self, batch: i64) -> sqlx::Result<bool> {
        sqlx::query_scalar!(
            r#"select resolve_batch($1, $2) as "committed!""#,
            self.executor,
            batch
        )
        .fetch_one(&self.pool)
        .await
    }
}

#[derive(Default)]
struct Events {
    group: Vec<i32>,
    id: Vec<Uuid>,
    stream: Vec<Uuid>,
    version: Vec<i64>,
    aggregate: Vec<String>,
    event_type: Vec<String>,
    schema: Vec<i16>,
    data: Vec<String>,
    metadata: Vec<String>,
}

#[derive(Default)]
struct Streams {
    group: Vec<i32>,
    stream: Vec<Uuid>,
    version: Vec<i64>,
}

#[derive(Default)]
struct Claims {
    group: Vec<i32>,
    scope: Vec<String>,
    key: Vec<String>,
    owner: Vec<Option<Uuid>>,
}

#[derive(Default)]
struct Records {
    group: Vec<i32>,
    principal: Vec<String>,
    key: Vec<String>,
    hash: Vec<Vec<u8>>,
    status: Vec<i16>,
    stream: Vec<Uuid>,
    version: Vec<i64>,
    event: Vec<Option<i32>>,
}

#[derive(Default)]
struct SubjectKeys {
    group: Vec<i32>,
    subject: Vec<Uuid>,
    version: Vec<i32>,
    wrapped: Vec<Option<Vec<u8>>>,
}

/// The groups as the parallel arrays that the function takes, named by its prefixes.
#[derive(Default)]
struct Columns {
    e: Events,
    s: Streams,
    c: Claims,
    w: Claims,
    i: Records,
    k: SubjectKeys,
}

impl From<Vec<Group>> for Columns {
    fn from(groups: Vec<Group>) -> Self {
        let mut columns = Self::default();
        for (place, group) in (0..).zip(groups) {
            columns.add(place, group);
        }
        columns
    }
}

impl Columns {
    fn add(&mut self, place: i32, group: Group) {
        let events_before = self.e.id.len();
        for event in group.events {
            self.e.add(place, event);
        }
        for (stream, version) in group.streams {
            self.s.group.push(place);
            self.s.stream.push(stream);
            self.s.version.push(version);
        }
        for claim in group.claims_read {
            self.c.add(place, claim);
        }
        for claim in group.claims_written {
            self.w.add(place, claim);
        }
        for record in group.records {
            self.i.add(place, events_before, record);
        }
        for key in group.keys {
            self.k.group.push(place);
            self.k.subject.push(key.subject);
            self.k.version.push(key.version);
            self.k.wrapped.push(key.wrapped);
        }
    }
}

impl Events {
    fn add(&mut self, place: i32, event: NewEvent) {
        self.group.push(place);
        self.id.push(event.event_id);
        self.stream.push(event.stream_id);
        self.version.push(event.version);
        self.aggregate.push(event.aggregate.to_owned());
        self.event_type.push(event.encoded.event_type);
        self.schema.push(event.encoded.schema_version);
        self.data.push(event.encoded.data);
        self.metadata.push(event.metadata);
    }
}

impl Claims {
    fn add(&mut self, place: i32, (scope, key, owner): (&'static str, String, Option<Uuid>)) {
        self.group.push(place);
        self.scope.push(scope.to_owned());
        self.key.push(key);
        self.owner.push(owner);
    }
}

impl Records {
    fn add(&mut self, place: i32, events_before: usize, record: NewRecord) {
        self.group.push(place);
        self.principal.push(record.principal);
        self.key.push(record.key);
        self.hash.push(record.request_hash);
        self.status.push(record.status);
        self.stream.push(record.stream_id);
        self.version.push(record.version);
        // Places count from 1 over the whole batch.
        self.event.push(
            record
                .last_event
                .and_then(|event| i32::try_from(events_before + event + 1).ok()),
        );
    }
}
