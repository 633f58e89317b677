//! The rows of a read model in Postgres, and the checkpoint up to which they have applied the log. Documents
//! are stored as text, and nothing here reads them.

mod error;
mod parked;
mod rows;
mod skips;
mod sql;
mod write;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, PgPool};
use tidemark_events::LogPoint;
use tokio::time::timeout;
use uuid::Uuid;

pub use error::{StorageError, refuses_a_row};
pub use rows::{
    Checkpoint, Ordered, Parked, ParkedKind, ParkedRow, RowBatch, StoredRow, Untried, document,
};
pub use skips::{Skip, SkippedEvents, skipped_in_row};
pub use write::{NotWritten, ShardBatch, write_together};

use self::sql::Sql;
use crate::{Generation, ReadModel, Shard};

/// The rows and the checkpoint of one shard of a generation of a read model. The table of the rows is
/// `{read_model}_rows`.
#[derive(Clone, Debug)]
pub struct Storage {
    pool: PgPool,
    response_timeout: Duration,
    read_model: &'static str,
    generation: Generation,
    shard: Shard,
    /// The build of the program, by which it is known who tried to make a parked row.
    build: Arc<str>,
    sql: Arc<Sql>,
}

impl Storage {
    /// The storage of a shard of a generation of the read model. A call is given up after `response_timeout`,
    /// which must be longer than Postgres lets a statement run: then Postgres cannot be reached any more.
    #[must_use]
    pub fn new<M: ReadModel>(
        pool: PgPool,
        response_timeout: Duration,
        generation: Generation,
        shard: Shard,
        build: Arc<str>,
    ) -> Self {
        Self {
            pool,
            response_timeout,
            read_model: M::NAME,
            generation,
            shard,
            build,
            sql: Arc::new(Sql::new::<M>()),
        }
    }

    /// The generation whose rows these are.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// The shard whose rows these are.
    #[must_use]
    pub const fn shard(&self) -> Shard {
        self.shard
    }

    /// How far the shard has applied the log.
    ///
    /// # Errors
    /// If Postgres fails, or there is no such shard.
    pub async fn checkpoint(&self) -> sqlx::Result<Checkpoint> {
        let query = sqlx::query!(
            r#"
            select position,
                   event_id,
                   coalesce(timeline, (select timeline from log_head)) as "timeline!",
                   last_removal,
                   log_holds(position, event_id) as "is_in_log!",
                   (blocked is not null or not in_log) as "is_blocked!",
                   state = 'building' as "is_building!",
                   throttle
              from checkpoints
              join generations
             using (read_model, generation)
             where read_model = $1
               and generation = $2
               and shard = $3
            "#,
            self.read_model,
            self.generation.number,
            self.shard.number,
        );
        let found = self.answered(query.fetch_one(&self.pool)).await?;
        Ok(Checkpoint {
            point: LogPoint {
                position: found.position,
                event_id: found.event_id,
            },
            timeline: found.timeline,
            is_in_log: found.is_in_log,
            is_blocked: found.is_blocked,
            last_removal: found.last_removal,
            is_building: found.is_building,
            throttle: found.throttle,
        })
    }

    /// Whether the log holds a point.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn is_in_log(&self, point: LogPoint) -> sqlx::Result<bool> {
        let query = sqlx::query_scalar!(
            r#"select log_holds($1, $2) as "is_in_log!""#,
            point.position,
            point.event_id,
        );
        self.answered(query.fetch_one(&self.pool)).await
    }

    /// The rows with these ids, each without a document if there is no such row. After `bytes_max` of documents the others
    /// are left out, but for the first.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn rows(&self, ids: &[Uuid], bytes_max: usize) -> sqlx::Result<Vec<StoredRow>> {
        let mut found = sqlx::query_as(AssertSqlSafe(Arc::clone(&self.sql.rows)))
            .bind(self.generation.number)
            .bind(ids)
            .fetch(&self.pool);
        let read = async {
            let (mut rows, mut bytes) = (Vec::with_capacity(ids.len()), 0);
            while bytes < bytes_max
                && let Some(row) = found.try_next().await?
            {
                bytes += StoredRow::size(&row);
                rows.push(row);
            }
            Ok(rows)
        };
        self.answered(read).await
    }

    /// Rows of the shard in the order in which they changed last: at most `limit`, of those that changed after the
    /// position in `after`, or with it and have a greater id. After `bytes_max` of documents there is no other.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn changed(
        &self,
        (position, id): (i64, Uuid),
        limit: usize,
        bytes_max: usize,
    ) -> sqlx::Result<Vec<StoredRow>> {
        let query = sqlx::query_as(AssertSqlSafe(Arc::clone(&self.sql.changed)))
            .bind(self.generation.number)
            .bind(position)
            .bind(id)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .bind(self.shard.count)
            .bind(self.shard.number)
            .bind(i64::try_from(bytes_max).unwrap_or(i64::MAX));
        self.answered(query.fetch_all(&self.pool)).await
    }

    /// Stores why nothing after the checkpoint `at` can be applied, for operators to see, and whether the log holds
    /// the checkpoint itself. The next write deletes the reason.
    ///
    /// # Errors
    /// The same as [`Storage::write`].
    pub async fn block(
        &self,
        at: LogPoint,
        reason: &str,
        is_in_log: bool,
    ) -> Result<(), StorageError> {
        let query = sqlx::query!(
            r#"
            update checkpoints
               set blocked = $6,
                   in_log = $7,
                   updated_at = clock_timestamp()
             where read_model = $1
               and generation = $2
               and shard = $3
               and position = $4
               and event_id is not distinct from $5
            "#,
            self.read_model,
            self.generation.number,
            self.shard.number,
            at.position,
            at.event_id,
            reason,
            is_in_log,
        );
        let blocked = self.answered(query.execute(&self.pool)).await?;
        self.fence(blocked.rows_affected(), at)
    }

    async fn answered<T, E: From<sqlx::Error>>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        answered(self.response_timeout, call).await
    }

    fn fence(&self, rows_affected: u64, at: LogPoint) -> Result<(), StorageError> {
        match rows_affected {
            1 => Ok(()),
            _ => Err(self.fenced(at)),
        }
    }

    const fn fenced(&self, at: LogPoint) -> StorageError {
        StorageError::Fenced {
            read_model: self.read_model,
            shard: self.shard.number,
            position: at.position,
        }
    }
}

/// Awaits a call for as long as an answer may take: if the other end of the connection has vanished, none ever
/// comes.
pub(crate) async fn answered<T, E: From<sqlx::Error>>(
    response_timeout: Duration,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match timeout(response_timeout, call).await {
        Ok(answer) => answer,
        Err(_) => Err(sqlx::Error::Io(ErrorKind::TimedOut.into()).into()),
    }
}
