//! Writing to the log: one call of the SQL function `append` writes the batch of an executor.
//!
//! An executor numbers its batches. If the answer to an append is lost, [`Appender::resolve`] finds
//! out whether the batch was committed; nothing is ever assumed about it.

mod call;
mod columns;
mod group;
mod outcome;

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fail::fail_point;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection, PgPool};
use tidemark_events::{LogPoint, Timestamp};
use tokio::sync::Mutex;
use uuid::Uuid;

use self::call::Call;
use crate::interval::interval;

pub use group::{ClaimOwner, Group, NewEvent, NewIdempotencyRecord, SubjectKeyUse};
pub use outcome::{AppendOutcome, Appended, Conflict, UnseenEvent};

/// Appends the batches of one executor, on a connection that nothing else uses. If a call fails or is
/// given up, its connection is closed, and the next call opens a new one.
#[derive(Debug)]
pub struct Appender {
    executor: Uuid,
    options: PgConnectOptions,
    connection: Mutex<Option<PgConnection>>,
    /// Whether another executor is the contender, so that this one lets it go first.
    contended: AtomicBool,
}

/// What a batch rests on besides what its groups read.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// Nothing is written unless the time is within this range, by the clock of Postgres, when the append has locked
    /// the log.
    pub valid: Option<RangeInclusive<Timestamp>>,
    /// The position at which the log ended after the last batch of the executor that was looked at, if it knows. While
    /// the log ends there, the append does not look up [`Group::known_streams`].
    pub known_head: Option<i64>,
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
            contended: AtomicBool::new(false),
        })
    }

    /// Says that an event was appended on this timeline. If the log does not hold it any more, no executor appends anything
    /// but a fork from now on.
    ///
    /// # Errors
    /// If Postgres does not answer.
    pub async fn report_appended(
        pool: &PgPool,
        timeline: i32,
        event: LogPoint,
    ) -> sqlx::Result<()> {
        sqlx::query!(
            "select report_lost_event($1, $2, $3)",
            timeline,
            event.position,
            event.event_id
        )
        .execute(pool)
        .await
        .map(drop)
    }

    /// Appends the batch with the number `batch`, counted from 1. If another executor was the contender at the
    /// last batch, it goes first.
    ///
    /// # Errors
    /// If the call failed. Then its outcome is unknown, and [`Self::resolve`] finds it out.
    pub async fn append(
        &self,
        batch: i64,
        conditions: Conditions,
        groups: Vec<Group>,
    ) -> sqlx::Result<AppendOutcome> {
        let mut slot = self.connection.lock().await;
        let mut connection = self.connection(&mut slot).await?;
        if self.contended.swap(false, Ordering::Relaxed) {
            sqlx::query!("select yield_to_contender($1)", self.executor)
                .execute(&mut connection)
                .await?;
        }
        fail_point!("append_before");
        let call = Call {
            executor: self.executor,
            batch,
            valid_from: conditions.valid.as_ref().map(|valid| *valid.start()),
            valid_until: conditions.valid.as_ref().map(|valid| *valid.end()),
            known_head: conditions.known_head,
        };
        let answer = call.send(groups, &mut connection).await?;
        *slot = Some(connection);
        self.contended.store(answer.contended, Ordering::Relaxed);
        fail_point!("append_answered");
        answer.try_into()
    }

    /// Removes the executors that have appended nothing for longer than `kept`.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn remove_old(pool: &PgPool, kept: Duration) -> sqlx::Result<()> {
        sqlx::query!("select remove_old_executors($1)", interval(kept))
            .execute(pool)
            .await
            .map(drop)
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

#[cfg(test)]
mod tests;
