//! Filling a bucket from the rows, in short reads: a long one would keep Postgres from tidying up.
//!
//! The checkpoint is read first. Rows read after it may be newer, which does no harm: a bucket's
//! checkpoint says what it has at least.

use tidemark_platform::ids::new_id;
use tidemark_read_models::redis::Guard;
use tidemark_read_models::storage::Checkpoint;

use super::{Error, Follower};

impl Follower {
    /// Makes sure that the bucket has all rows up to a checkpoint, and returns that. Reads only what
    /// changed where the bucket has the rest.
    pub(super) async fn refill(&self) -> Result<i64, Error> {
        let stored = self.storage.checkpoint().await?;
        let held = self.bucket.checkpoint().await?;
        if held == Some(stored.position) {
            return Ok(stored.position);
        }
        self.measures.refills.increment(1);
        let (guard, changed_after) = match held {
            Some(held) if changes_suffice(held, stored) => (Guard::Checkpoint(held), held),
            _ => {
                let filling = new_id();
                self.bucket.start_filling(filling).await?;
                (Guard::Filling(filling), 0)
            }
        };
        let mut after = None;
        loop {
            let page = self
                .storage
                .page(changed_after, after, self.script_documents_max)
                .await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(last.id);
            self.measures.documents.increment(page.len() as u64);
            if !self.bucket.write(guard, &page, None).await? {
                return Err(Error::Overtaken);
            }
        }
        if !self.bucket.write(guard, &[], Some(stored.position)).await? {
            return Err(Error::Overtaken);
        }
        Ok(stored.position)
    }
}

/// Whether the rows that changed since say all that a bucket with this checkpoint lacks. One that is
/// ahead of the rows knew another log, or commits that Postgres lost: it starts anew.
const fn changes_suffice(held: i64, stored: Checkpoint) -> bool {
    stored.last_removal <= held && held < stored.position
}
