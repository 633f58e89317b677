//! Filling a bucket from the rows, in many short reads: one long read would keep Postgres from
//! removing old row versions.
//!
//! The checkpoint of the rows is read first. Rows that are read after it may be newer, which does no
//! harm: the bucket's checkpoint promises what the bucket has at least. Rows are read in the order in which they
//! changed, so that of many only those are read that did. One that changes meanwhile is met where it is then.

use tidemark_events::LogPoint;
use tidemark_platform::ids::new_id;
use tidemark_read_models::redis::{Guard, ScriptLimits};
use tidemark_read_models::storage::Checkpoint;
use uuid::Uuid;

use super::{Error, RedisWriter};

impl RedisWriter {
    /// Makes sure that the bucket has all rows up to the checkpoint of the rows, and returns that
    /// checkpoint. If the bucket has the older rows, only those that changed since are read.
    pub(super) async fn refill(&self) -> Result<LogPoint, Error> {
        let rows = self.storage.checkpoint().await?;
        let bucket = self.bucket.checkpoint().await?;
        if bucket == Some(rows.point) {
            return Ok(rows.point);
        }
        self.measurements.refills.increment(1);
        let (guard, changed_after) = match bucket {
            Some(bucket)
                if changes_suffice(bucket.position, rows)
                    && self.storage.is_in_log(bucket).await? =>
            {
                (Guard::Checkpoint(bucket), bucket.position)
            }
            Some(_) | None => {
                let filling = new_id();
                self.bucket.start_filling(filling).await?;
                (Guard::Filling(filling), 0)
            }
        };
        let ScriptLimits { documents, bytes } = self.script;
        let mut after = (changed_after, Uuid::max());
        loop {
            let changed = self.storage.changed(after, documents, bytes);
            let page = changed.await?;
            let Some(last) = page.last() else {
                break;
            };
            after = (last.position, last.id);
            self.measurements.documents.increment(page.len() as u64);
            for part in self.script.divide(&page) {
                if !self.bucket.write(guard, part, None).await? {
                    return Err(Error::Overtaken);
                }
            }
            // No row that changed up to the checkpoint is left, and whoever writes fast is not chased.
            if !self.script.are_reached_by(&page) {
                break;
            }
        }
        // Without its document, so that its readers ask Postgres.
        let parked = self.storage.parked().await?;
        if !self.bucket.write(guard, &parked, Some(rows.point)).await? {
            return Err(Error::Overtaken);
        }
        Ok(rows.point)
    }
}

/// Whether the rows that changed after the bucket's checkpoint are all that the bucket lacks. They are
/// not if a row was removed meanwhile, since no changed row tells of it; nor if the bucket is ahead of
/// the rows, since then it has documents of another log or of commits that Postgres has lost.
const fn changes_suffice(bucket: i64, rows: Checkpoint) -> bool {
    rows.last_removal <= bucket && bucket < rows.point.position
}
