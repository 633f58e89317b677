//! The rows of a read model in Postgres, and the checkpoint up to which they have applied the log. Documents
//! are stored as text, and nothing here reads them.

mod error;
mod sql;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use fail::fail_point;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};
use tokio::time::timeout;
use uuid::Uuid;

pub use error::StorageError;

use self::sql::Sql;
use crate::Shard;

/// The only generation that is built yet. Every table and Redis key has a place for the number already.
pub const GENERATION: i32 = 1;

/// The highest number of rows that one statement writes, so that none takes long.
const STATEMENT_ROWS_MAX: usize = 1_000;

/// A row as it is stored after some events.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredRow {
    /// The id of the row.
    pub id: Uuid,
    /// The document as JSON text; none if the row was removed.
    #[sqlx(rename = "doc")]
    pub document: Option<String>,
    /// The position of the last event that changed the row.
    pub position: i64,
}

/// The rows that the events after `from` up to `to` changed. They are written together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowBatch {
    /// The checkpoint before the write.
    pub from: i64,
    /// The checkpoint after the write.
    pub to: i64,
    /// The rows that changed, each once.
    pub rows: Vec<StoredRow>,
}

/// How far a shard has applied the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The position up to which all events are in the rows of the shard.
    pub position: i64,
    /// The checkpoint of the last write that removed a row. A copy of the rows as of this checkpoint or a later
    /// one is brought up to date by the rows that changed since. An older copy must be read anew, because a
    /// removed row leaves no trace.
    pub last_removal: i64,
}

/// The rows and the checkpoint of one shard of a generation of a read model. The table of the rows is
/// `{read_model}_rows`.
#[derive(Clone, Debug)]
pub struct Storage {
    pool: PgPool,
    response_timeout: Duration,
    read_model: &'static str,
    generation: i32,
    shard: Shard,
    sql: Arc<Sql>,
}

impl Storage {
    /// The storage of a shard of a generation of the read model. A call is given up after `response_timeout`,
    /// which must be longer than Postgres lets a statement run: then Postgres cannot be reached any more.
    #[must_use]
    pub fn new(
        pool: PgPool,
        response_timeout: Duration,
        read_model: &'static str,
        generation: i32,
        shard: Shard,
    ) -> Self {
        Self {
            pool,
            response_timeout,
            read_model,
            generation,
            shard,
            sql: Arc::new(Sql::new(read_model)),
        }
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
        let query = sqlx::query_as!(
            Checkpoint,
            r#"
            select position,
                   last_removal
              from checkpoints
             where read_model = $1
               and generation = $2
               and shard = $3
            "#,
            self.read_model,
            self.generation,
            self.shard.number,
        );
        self.answered(query.fetch_one(&self.pool)).await
    }

    /// The rows with these ids, as far as they exist.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn rows(&self, ids: &[Uuid]) -> sqlx::Result<Vec<StoredRow>> {
        let query = sqlx::query_as(AssertSqlSafe(Arc::clone(&self.sql.rows)))
            .bind(self.generation)
            .bind(ids);
        self.answered(query.fetch_all(&self.pool)).await
    }

    /// A page of the rows of the shard that changed after the position `changed_after`, in the order of their
    /// ids: at most `limit` rows, whose ids are greater than `after`.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn page(
        &self,
        changed_after: i64,
        after: Option<Uuid>,
        limit: usize,
    ) -> sqlx::Result<Vec<StoredRow>> {
        let query = sqlx::query_as(AssertSqlSafe(Arc::clone(&self.sql.page)))
            .bind(self.generation)
            .bind(changed_after)
            .bind(after)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .bind(self.shard.count)
            .bind(self.shard.number);
        self.answered(query.fetch_all(&self.pool)).await
    }

    /// Writes the rows and the checkpoint together. The write continues if the caller stops waiting for it.
    ///
    /// # Errors
    /// [`StorageError::Fenced`] if the checkpoint is not `from`. After any error the caller must forget its
    /// rows in memory, because it does not know what was written.
    pub async fn write(&self, batch: Arc<RowBatch>) -> Result<(), StorageError> {
        let storage = self.clone();
        let write = async move { storage.answered(storage.write_in_transaction(&batch)).await };
        tokio::spawn(write).await?
    }

    /// Stores why the event after `position` cannot be applied, for operators to see. The next write deletes
    /// the reason.
    ///
    /// # Errors
    /// The same as [`Storage::write`].
    pub async fn block(&self, position: i64, reason: &str) -> Result<(), StorageError> {
        let query = sqlx::query!(
            r#"
            update checkpoints
               set blocked = $5,
                   updated_at = clock_timestamp()
             where read_model = $1
               and generation = $2
               and shard = $3
               and position = $4
            "#,
            self.read_model,
            self.generation,
            self.shard.number,
            position,
            reason,
        );
        let blocked = self.answered(query.execute(&self.pool)).await?;
        self.fence(blocked.rows_affected(), position)
    }

    /// Awaits a call for as long as an answer may take: if the other end of the connection has vanished, none
    /// ever comes.
    async fn answered<T, E: From<sqlx::Error>>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match timeout(self.response_timeout, call).await {
            Ok(answer) => answer,
            Err(_) => Err(sqlx::Error::Io(ErrorKind::TimedOut.into()).into()),
        }
    }

    async fn write_in_transaction(&self, batch: &RowBatch) -> Result<(), StorageError> {
        // A crash of Postgres may lose the last commits, because this does not wait until they are on disk.
        // Rows and checkpoint are lost together then, and the feed repeats the events.
        let begin = "begin; set local synchronous_commit = off";
        let mut transaction = self.pool.begin_with(begin).await?;
        self.advance_checkpoint(&mut transaction, batch).await?;
        for rows in batch.rows.chunks(STATEMENT_ROWS_MAX) {
            self.write_rows(&mut transaction, rows).await?;
        }
        fail_point!("projector_in_transaction");
        Ok(transaction.commit().await?)
    }

    async fn write_rows(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        rows: &[StoredRow],
    ) -> Result<(), StorageError> {
        let (present, removed): (Vec<_>, Vec<_>) =
            rows.iter().partition(|row| row.document.is_some());
        let ids = |rows: &[&StoredRow]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
        if !removed.is_empty() {
            sqlx::query(AssertSqlSafe(Arc::clone(&self.sql.remove)))
                .bind(self.generation)
                .bind(ids(&removed))
                .execute(&mut **transaction)
                .await?;
        }
        if !present.is_empty() {
            let documents = present.iter().map(|row| row.document.as_deref());
            let positions = present.iter().map(|row| row.position);
            sqlx::query(AssertSqlSafe(Arc::clone(&self.sql.upsert)))
                .bind(self.generation)
                .bind(ids(&present))
                .bind(documents.collect::<Vec<_>>())
                .bind(positions.collect::<Vec<_>>())
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    async fn advance_checkpoint(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        batch: &RowBatch,
    ) -> Result<(), StorageError> {
        let removes = batch.rows.iter().any(|row| row.document.is_none());
        let advanced = sqlx::query!(
            r#"
            update checkpoints
               set position = $5,
                   last_removal = case when $6 then $5 else last_removal end,
                   blocked = null,
                   updated_at = clock_timestamp()
             where read_model = $1
               and generation = $2
               and shard = $3
               and position = $4
            "#,
            self.read_model,
            self.generation,
            self.shard.number,
            batch.from,
            batch.to,
            removes,
        )
        .execute(&mut **transaction)
        .await?;
        self.fence(advanced.rows_affected(), batch.from)
    }

    fn fence(&self, rows_affected: u64, position: i64) -> Result<(), StorageError> {
        match rows_affected {
            1 => Ok(()),
            _ => Err(StorageError::Fenced {
                read_model: self.read_model,
                shard: self.shard.number,
                position,
            }),
        }
    }
}
