//! How a worker writes what it has folded: together with other shards if it can delay none of them, and without the rows that
//! Postgres refuses.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use fail::fail_point;
use metrics::counter;
use tidemark_events::LogPoint;
use tidemark_read_models::ReadModel;
use tidemark_read_models::storage::{
    Parked, ParkedKind, ParkedRow, RowBatch, StorageError, StoredRow,
};
use uuid::Uuid;

use super::Worker;
use crate::following::failure::SubscriberError;
use crate::projecting::joint_writer::{Folding, WriteAlone};
use crate::projecting::rows::Changed;

impl<M: ReadModel> Worker<M> {
    /// Writes the changed rows together with the checkpoint `to`. Rows that Postgres refuses are parked. If many rows cannot be
    /// written at once, nothing is, and the worker must start again, to write them in parts: so it keeps what it has done,
    /// however many are refused. What is written when
    /// the shard `is_level` with the log is written together with what other shards of this process write, if these wait for
    /// what it was `folding`.
    pub(super) async fn write(
        &mut self,
        to: LogPoint,
        is_level: bool,
        folding: Option<Folding>,
    ) -> Result<(), SubscriberError> {
        if to == self.checkpoint {
            return Ok(());
        }
        let mut changed_by = HashMap::new();
        let mut rows = Vec::new();
        for Changed { id, positions, row } in self.rows.take_unwritten() {
            match row {
                Ok(row) => {
                    rows.push(row);
                    changed_by.insert(id, positions);
                }
                Err(error) => self.park(id, &positions, &error),
            }
        }
        let mut batch = Arc::new(RowBatch {
            from: self.checkpoint,
            to,
            rows,
            parked: self.parking.take_unwritten(),
        });
        let timeline = match self.store(&batch, is_level, folding).await {
            Err(error) if self.may_divide(&batch) && error.is_to_be_divided() => {
                self.in_parts_until = to.position;
                let rows = batch.rows.len();
                return Err(SubscriberError::ToBeDivided { rows, error });
            }
            Err(error) if error.is_of_a_row() => {
                self.store_without_refused(&mut batch, changed_by).await?
            }
            written => written?,
        };
        fail_point!("projector_committed");
        self.checkpoint = to;
        self.is_blocked = false;
        self.unwritten_since = None;
        for ParkedRow {
            id,
            position,
            reason,
            ..
        } in &batch.parked.rows
        {
            counter!("tidemark_projection_parked_total", "read_model" => M::NAME).increment(1);
            tracing::error!(read_model = M::NAME, row = %id, position, reason, "a row is parked");
        }
        self.offer(batch, timeline);
        self.rows
            .evict(self.limits.cached_rows, self.limits.cached_bytes);
        Ok(())
    }

    /// Whether a batch is large, and not itself a part of one that was.
    fn may_divide(&self, batch: &RowBatch) -> bool {
        batch.rows.len() > self.limits.part && batch.from.position >= self.in_parts_until
    }

    /// Stores a batch without the rows that Postgres refuses, which are parked. Returns the timeline of the log.
    async fn store_without_refused(
        &mut self,
        batch: &mut Arc<RowBatch>,
        mut changed_by: HashMap<Uuid, Vec<i64>>,
    ) -> Result<i32, StorageError> {
        let refused = self.storage.refused(Arc::clone(batch)).await?;
        let remaining = Arc::make_mut(batch);
        self.parking.put_back(std::mem::take(&mut remaining.parked));
        for (id, reason) in refused {
            remaining.rows.retain(|row| row.id != id);
            let positions = changed_by.remove(&id).unwrap_or_default();
            self.park(id, &positions, &reason);
        }
        remaining.parked = self.parking.take_unwritten();
        self.storage.write(Arc::clone(batch)).await
    }

    /// Stores a batch, together with those of other shards if it can delay none of them. Returns the timeline of the log.
    async fn store(
        &mut self,
        batch: &Arc<RowBatch>,
        is_level: bool,
        folding: Option<Folding>,
    ) -> Result<i32, StorageError> {
        let is_small =
            batch.parked == Parked::default() && batch.rows.len() <= self.limits.together_rows;
        let mut may_delay_others = folding.is_none();
        if let Some(folding) = folding.filter(|_| is_small) {
            let storage = self.storage.clone();
            let together = self.joint_writer.write(folding, storage, Arc::clone(batch));
            match together.await {
                Ok(timeline) => return Ok(timeline),
                Err(WriteAlone { is_at_fault }) => may_delay_others = is_at_fault,
            }
        }
        let began = Instant::now();
        let stored = self.storage.write(Arc::clone(batch)).await;
        let is_slow = began.elapsed() > self.limits.together_time;
        // Large batches, such as of a generation that is built, take long by nature, and are written alone in any case.
        if is_level && (stored.is_err() || (may_delay_others && is_slow)) {
            tracing::warn!(
                read_model = M::NAME,
                shard = self.storage.shard().number,
                "is written alone for a while"
            );
            self.alone_until = Some(began + self.limits.alone_time);
        }
        stored
    }

    /// Parks a row that cannot be written as the events at these positions changed it.
    fn park(&mut self, id: Uuid, positions: &[i64], reason: &str) {
        self.rows.forget(id);
        for position in positions {
            self.parking.park(ParkedRow {
                id,
                kind: ParkedKind::Row,
                position: *position,
                reason: reason.to_owned(),
            });
        }
    }

    /// Offers a batch that was written on this timeline to the Redis writer. Documents that are parked are taken out of Redis, so that
    /// their readers ask Postgres.
    pub(in crate::projecting) fn offer(&self, mut batch: Arc<RowBatch>, timeline: i32) {
        let Some(redis_writer) = &self.redis_writer else {
            return;
        };
        if !batch.parked.rows.is_empty() {
            let RowBatch { rows, parked, .. } = Arc::make_mut(&mut batch);
            rows.extend(
                parked
                    .rows
                    .iter()
                    .map(|row| StoredRow::removed(row.id, row.position)),
            );
        }
        redis_writer.offer(batch, timeline);
    }
}
