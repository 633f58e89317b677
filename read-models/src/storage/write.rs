//! Writing a batch: the rows, what is parked and the checkpoint, in one transaction.

use std::sync::Arc;

use fail::fail_point;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Transaction};

use super::{RowBatch, Storage, StorageError, StoredRow};

/// The highest number of rows that one statement writes, so that none takes long.
const STATEMENT_ROWS_MAX: usize = 1_000;

impl Storage {
    /// Writes the rows and the checkpoint together. The write continues if the caller stops waiting for it.
    ///
    /// # Errors
    /// [`StorageError::Fenced`] if the checkpoint is not `from`, or the log does not hold `to`. After any error the caller must forget its
    /// rows in memory, because it does not know what was written.
    pub async fn write(&self, batch: Arc<RowBatch>) -> Result<(), StorageError> {
        let storage = self.clone();
        let write = async move {
            let mut connection = storage.pool.acquire().await?;
            let write = storage.write_in_transaction(&mut connection, &batch);
            let written = storage.answered(write).await;
            if written.is_err() {
                // It may be in a transaction that nobody ends.
                connection.close_on_drop();
            }
            written
        };
        tokio::spawn(write).await?
    }

    async fn write_in_transaction(
        &self,
        connection: &mut PgConnection,
        batch: &RowBatch,
    ) -> Result<(), StorageError> {
        // A crash of Postgres may lose the last commits, because this does not wait until they are on disk.
        // Rows and checkpoint are lost together then, and the feed repeats the events. What is parked is not lost: an
        // operator may have been told of it.
        let begin = if batch.parked.is_empty() {
            "begin; set local synchronous_commit = off"
        } else {
            "begin"
        };
        let mut transaction = connection.begin_with(begin).await?;
        self.advance_checkpoint(&mut transaction, batch).await?;
        for rows in batch.rows.chunks(STATEMENT_ROWS_MAX) {
            self.write_rows(&mut transaction, rows).await?;
        }
        self.park(&mut transaction, &batch.parked).await?;
        fail_point!("projector_in_transaction");
        Ok(transaction.commit().await?)
    }

    pub(super) async fn write_rows(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        rows: &[StoredRow],
    ) -> Result<(), StorageError> {
        let (present, removed): (Vec<_>, Vec<_>) =
            rows.iter().partition(|row| row.document.is_some());
        let ids = |rows: &[&StoredRow]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
        if !removed.is_empty() {
            sqlx::query(AssertSqlSafe(Arc::clone(&self.sql.remove)))
                .bind(self.generation.number)
                .bind(ids(&removed))
                .execute(&mut **transaction)
                .await?;
        }
        if !present.is_empty() {
            let documents = present.iter().map(|row| row.document.as_deref());
            let positions = present.iter().map(|row| row.position);
            sqlx::query(AssertSqlSafe(Arc::clone(&self.sql.upsert)))
                .bind(self.generation.number)
                .bind(ids(&present))
                .bind(documents.collect::<Vec<_>>())
                .bind(positions.collect::<Vec<_>>())
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    /// Moves the checkpoint, unless it is not where this process left it, another fold makes the rows, or the log does
    /// not hold the event that the batch ends with: then the batch may be of a future that the log has lost.
    async fn advance_checkpoint(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        batch: &RowBatch,
    ) -> Result<(), StorageError> {
        // A row that was parked has an older position than the checkpoint, so a copy does not see that it has changed.
        let removes = batch.rows.iter().any(|row| row.document.is_none())
            || !batch.parked.released.is_empty();
        let advanced = sqlx::query!(
            r#"
            update checkpoints
               set timeline = log_head.timeline,
                   position = $7,
                   event_id = $8,
                   in_log = true,
                   last_removal = case when $9 then $7 else last_removal end,
                   blocked = null,
                   updated_at = clock_timestamp()
              from log_head,
                   generations
             where checkpoints.read_model = $1
               and checkpoints.generation = $2
               and checkpoints.shard = $4
               and checkpoints.position = $5
               and checkpoints.event_id is not distinct from $6
               and generations.read_model = $1
               and generations.generation = $2
               and generations.fold_version = $3
               and log_holds($7, $8)
            "#,
            self.read_model,
            self.generation.number,
            self.generation.fold_version,
            self.shard.number,
            batch.from.position,
            batch.from.event_id,
            batch.to.position,
            batch.to.event_id,
            removes,
        )
        .execute(&mut **transaction)
        .await?;
        self.fence(advanced.rows_affected(), batch.from)
    }
}
