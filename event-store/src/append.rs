//! Writing to the log: one call of the SQL function `append` writes the batch of an executor.
//!
//! An executor numbers its batches. If the answer to an append is lost, [`Appender::resolve`] finds
//! out whether the batch was committed; nothing is ever assumed about it.

mod columns;
mod group;
mod outcome;

use std::ops::RangeInclusive;

use fail::fail_point;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection, PgPool};
use tidemark_events::Timestamp;
use tokio::sync::Mutex;
use uuid::Uuid;

use self::columns::Columns;
use self::outcome::Answer;

pub use group::{ClaimOwner, Group, NewEvent, NewIdempotencyRecord, SubjectKeyUse};
pub use outcome::{AppendOutcome, Appended, Conflict};

/// Appends the batches of one executor, on a connection that nothing else uses. If a call fails or is
/// given up, its connection is closed, and the next call opens a new one.
#[derive(Debug)]
pub struct Appender {
    executor: Uuid,
    options: PgConnectOptions,
    connection: Mutex<Option<PgConnection>>,
}

impl Appender {
    /// Registers a new executor. Its connection is made like those of `pool`, but is not one of them.
    ///
    /// # Errors
    /// If Postgres does not answer, or the id is taken.
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

    /// Appends the batch with the number `batch`, counted from 1. Nothing is written unless the time is
    /// within `valid`, by the clock of Postgres, when the append has locked the log.
    ///
    /// # Errors
    /// If the call failed. Then its outcome is unknown, and [`Self::resolve`] finds it out.
    pub async fn append(
        &self,
        batch: i64,
        valid: Option<RangeInclusive<Timestamp>>,
        groups: Vec<Group>,
    ) -> sqlx::Result<AppendOutcome> {
        let columns = Columns::from(groups);
        let Columns {
            events,
            streams,
            claims_read,
            claims_written,
            idempotency_records,
            subject_keys,
        } = &columns;
        let mut slot = self.connection.lock().await;
        let mut connection = self.connection(&mut slot).await?;
        fail_point!("append_before");
        let answer = sqlx::query_as!(
            Answer,
            r#"
            select current as "current!",
                   early as "early!",
                   late as "late!",
                   head as "head!",
                   at as "at!",
                   moved::text as conflicts
              from append(
                       $1, $2, $3, $4,
                       $5, $6, $7, $8, $9, $10, $11, $12, $13,
                       $14, $15, $16,
                       $17, $18, $19, $20,
                       $21, $22, $23, $24,
                       $25, $26, $27, $28, $29, $30, $31, $32,
                       $33, $34, $35, $36
                   )
            "#,
            self.executor,
            batch,
            valid.as_ref().map(|valid| *valid.start()),
            valid.as_ref().map(|valid| *valid.end()),
            &events.group,
            &events.id,
            &events.stream,
            &events.version,
            &events.aggregate,
            &events.event_type,
            &events.schema,
            &events.data,
            &events.metadata,
            &streams.group,
            &streams.stream,
            &streams.version,
            &claims_read.group,
            &claims_read.scope,
            &claims_read.key,
            &claims_read.owner as &[Option<Uuid>],
            &claims_written.group,
            &claims_written.scope,
            &claims_written.key,
            &claims_written.owner as &[Option<Uuid>],
            &idempotency_records.group,
            &idempotency_records.principal,
            &idempotency_records.key,
            &idempotency_records.hash,
            &idempotency_records.status as &[Option<i16>],
            &idempotency_records.stream,
            &idempotency_records.version,
            &idempotency_records.last_event as &[Option<i32>],
            &subject_keys.group,
            &subject_keys.subject,
            &subject_keys.version,
            &subject_keys.wrapped as &[Option<Vec<u8>>],
        )
        .fetch_one(&mut connection)
        .await?;
        *slot = Some(connection);
        fail_point!("append_answered");
        answer.try_into()
    }

    /// Whether the batch with the number `batch` was committed. If it was not, it never will be,
    /// because this call takes its number.
    ///
    /// # Errors
    /// If Postgres does not answer. Then the outcome is still unknown: call again.
    pub async fn resolve(&self, batch: i64) -> sqlx::Result<bool> {
        let mut slot = self.connection.lock().await;
        let mut connection = self.connection(&mut slot).await?;
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

    /// Takes the connection out of its slot, or opens a new one. The caller puts it back when its call
    /// has succeeded; otherwise the connection is dropped, which closes it.
    async fn connection(&self, slot: &mut Option<PgConnection>) -> sqlx::Result<PgConnection> {
        match slot.take() {
            Some(connection) => Ok(connection),
            None => self.options.connect().await,
        }
    }
}
