//! The rows of a read model in Postgres, and how far they have applied the log. It stores documents
//! as text and knows nothing of what they say.

mod sql;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use fail::fail_point;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};
use tokio::task::JoinError;
use tokio::time::timeout;
use uuid::Uuid;

use self::sql::Sql;
use crate::Shard;

/// The only generation that is built yet; every table and key already holds it.
pub const GENERATION: i32 = 1;

/// Rows written by one statement at most, so that none takes long.
const STATEMENT_ROWS: usize = 1_000;

/// Longer than Postgres lets any statement take: after that nobody is there.
const SILENCE: Duration = Duration::from_secs(10);

/// A row after some events.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Document {
    /// Whose document it is.
    pub id: Uuid,
    /// JSON text; none where the row is gone.
    pub doc: Option<String>,
    /// Of the last event that touched it.
    pub position: i64,
}

/// What the events after `from`, up to `to`, make of the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The checkpoint before.
    pub from: i64,
    /// The checkpoint after.
    pub to: i64,
    /// The rows that were touched, each once.
    pub documents: Vec<Document>,
}

/// How far a shard has applied the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// All events up to here are in the rows of the shard.
    pub position: i64,
    /// Where a row was last removed: rows that changed since say all that there is to know.
    pub last_removal: i64,
}

/// Why rows could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The checkpoint is not where this worker left it: another one works here, or this one's last
    /// write has another outcome than it believes.
    #[error("the checkpoint of shard {shard} of `{read_model}` is no longer at {position}")]
    Fenced {
        /// The read model.
        read_model: &'static str,
        /// The number of its shard.
        shard: i32,
        /// Where this worker left it.
        position: i64,
    },
    /// Postgres could not do it.
    #[error("the rows cannot be read or written: {0}")]
    Database(#[from] sqlx::Error),
    /// The process ends.
    #[error("interrupted: {0}")]
    Interrupted(#[from] JoinError),
}

/// The rows of one shard of a generation of a read model. Their table is `{read_model}_rows`.
#[derive(Clone, Debug)]
pub struct Storage {
    pool: PgPool,
    read_model: &'static str,
    generation: i32,
    shard: Shard,
    sql: Arc<Sql>,
}

impl Storage {
    /// The rows of that shard of that generation.
    #[must_use]
    pub fn new(pool: PgPool, read_model: &'static str, generation: i32, shard: Shard) -> Self {
        Self {
            pool,
            read_model,
            generation,
            shard,
            sql: Arc::new(Sql::new(read_model)),
        }
    }

    /// Which rows these are.
    #[must_use]
    pub const fn shard(&self) -> Shard {
        self.shard
    }

    /// How far the log is applied.
    ///
    /// # Errors
    /// If Postgres cannot be asked, or there is no such shard.
    pub async fn checkpoint(&self) -> sqlx::Result<Checkpoint> {
        sqlx::query_as!(
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
        )
        .fetch_one(&self.pool)
        .await
    }

    /// Those of the rows that exist.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn rows(&self, ids: &[Uuid]) -> sqlx::Result<Vec<Document>> {
        sqlx::query_as(AssertSqlSafe(Arc::clone(&self.sql.rows)))
            .bind(self.generation)
            .bind(ids)
            .fetch_all(&self.pool)
            .await
    }

    /// The rows of the shard that changed after a position, by id, at most `limit` after an id.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn page(
        &self,
        changed_after: i64,
        after: Option<Uuid>,
        limit: usize,
    ) -> sqlx::Result<Vec<Document>> {
        sqlx::query_as(AssertSqlSafe(Arc::clone(&self.sql.page)))
            .bind(self.generation)
            .bind(changed_after)
            .bind(after)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .bind(self.shard.shards)
            .bind(self.shard.number)
            .fetch_all(&self.pool)
            .await
    }

    /// Writes rows and checkpoint, both or neither. Runs to its end even if nobody waits for it.
    ///
    /// # Errors
    /// [`StorageError::Fenced`] if the checkpoint is elsewhere; after any error the caller's rows in
    /// memory are worth nothing.
    pub async fn write(&self, batch: Arc<Batch>) -> Result<(), StorageError> {
        let storage = self.clone();
        let write = async move { timeout(SILENCE, storage.transaction(&batch)).await };
        let written = tokio::spawn(write).await?;
        written.map_err(|_| sqlx::Error::Io(ErrorKind::TimedOut.into()))?
    }

    /// Says why the event after `position` cannot be applied. The next write takes it back.
    ///
    /// # Errors
    /// As [`Storage::write`].
    pub async fn block(&self, position: i64, reason: &str) -> Result<(), StorageError> {
        let blocked = sqlx::query!(
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
        )
        .execute(&self.pool)
        .await?;
        self.fence(blocked.rows_affected(), position)
    }

    async fn transaction(&self, batch: &Batch) -> Result<(), StorageError> {
        // May be lost in a crash: rows and checkpoint go back together, and the feed repeats.
        let begin = "begin; set local synchronous_commit = off";
        let mut transaction = self.pool.begin_with(begin).await?;
        self.advance(&mut transaction, batch).await?;
        for documents in batch.documents.chunks(STATEMENT_ROWS) {
            self.store(&mut transaction, documents).await?;
        }
        fail_point!("projector_in_transaction");
        Ok(transaction.commit().await?)
    }

    async fn store(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        documents: &[Document],
    ) -> Result<(), StorageError> {
        let (kept, gone): (Vec<_>, Vec<_>) = documents
            .iter()
            .partition(|document| document.doc.is_some());
        let ids = |documents: &[&Document]| documents.iter().map(|it| it.id).collect::<Vec<_>>();
        if !gone.is_empty() {
            sqlx::query(AssertSqlSafe(Arc::clone(&self.sql.remove)))
                .bind(self.generation)
                .bind(ids(&gone))
                .execute(&mut **transaction)
                .await?;
        }
        if !kept.is_empty() {
            let docs = kept.iter().map(|document| document.doc.as_deref());
            let positions = kept.iter().map(|document| document.position);
            sqlx::query(AssertSqlSafe(Arc::clone(&self.sql.upsert)))
                .bind(self.generation)
                .bind(ids(&kept))
                .bind(docs.collect::<Vec<_>>())
                .bind(positions.collect::<Vec<_>>())
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    async fn advance(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        batch: &Batch,
    ) -> Result<(), StorageError> {
        let removes = batch
            .documents
            .iter()
            .any(|document| document.doc.is_none());
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
