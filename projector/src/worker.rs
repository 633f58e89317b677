//! Keeps one shard of a read model: rows and checkpoint in Postgres, and then the documents in Redis.

mod fold;
mod rows;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use fail::fail_point;
use tidemark_platform::config::Projection;
use tidemark_read_models::storage::{Batch, Document, Storage};
use tidemark_read_models::{EventFilter, ReadModel};

use self::fold::Step;
use self::rows::Rows;
use crate::follower::Copies;
use crate::source::Page;
use crate::subscriber::{Applied, Failure, Identity, Obstacle, Subscriber};

/// The subscriber behind a shard of a read model.
pub(crate) struct Worker<M: ReadModel> {
    storage: Storage,
    /// Rows as they are after the last event that was applied. Nobody else writes them while the lease
    /// is held, and the checkpoint tells if somebody did.
    rows: Rows<M>,
    /// The checkpoint.
    written: i64,
    /// When the first event after it was applied.
    unwritten_since: Option<Instant>,
    limits: Limits,
    copies: Option<Copies>,
}

/// Where memory and transactions end.
struct Limits {
    cache_rows: usize,
    batch_rows: usize,
    batch: Duration,
}

impl<M: ReadModel> Worker<M> {
    /// A worker that offers what it wrote to `copies`.
    pub(crate) fn new(storage: Storage, settings: &Projection, copies: Option<Copies>) -> Self {
        Self {
            storage,
            rows: Rows::new(),
            written: 0,
            unwritten_since: None,
            limits: Limits {
                cache_rows: settings.cache_rows_max,
                batch_rows: settings.batch_rows_max,
                batch: Duration::from_millis(settings.batch_ms),
            },
            copies,
        }
    }

    /// Gets the rows that these steps touch and that are not in memory.
    async fn load(&mut self, steps: &[Step<'_>]) -> Result<Result<(), Obstacle>, Failure> {
        let keys = steps.iter().flat_map(|step| &step.keys);
        let unknown: HashSet<_> = keys
            .filter(|key| !self.rows.knows(**key))
            .copied()
            .collect();
        if unknown.is_empty() {
            return Ok(Ok(()));
        }
        let unknown: Vec<_> = unknown.into_iter().collect();
        let found = self.storage.rows(&unknown).await?;
        for id in unknown {
            self.rows.learn(id, None);
        }
        for Document { id, doc, .. } in found {
            match serde_json::from_str(doc.as_deref().unwrap_or_default()) {
                Ok(row) => self.rows.learn(id, Some(row)),
                Err(error) => {
                    let reason = format!("row {id} cannot be read: {error}");
                    return Ok(Err(Obstacle::Failed(reason)));
                }
            }
        }
        Ok(Ok(()))
    }

    /// Whether more pages may be folded before what is in memory is written.
    fn may_wait(&self) -> bool {
        let is_young = |since: Instant| since.elapsed() < self.limits.batch;
        self.rows.changed() < self.limits.batch_rows && self.unwritten_since.is_none_or(is_young)
    }

    /// Writes the rows that changed since the last time, and the checkpoint.
    async fn write(&mut self, to: i64) -> Result<(), Failure> {
        if to <= self.written {
            return Ok(());
        }
        let batch = Arc::new(Batch {
            from: self.written,
            to,
            documents: self.rows.take_changes()?,
        });
        self.storage.write(Arc::clone(&batch)).await?;
        fail_point!("projector_committed");
        if let Some(copies) = &self.copies {
            copies.offer(batch);
        }
        self.written = to;
        self.unwritten_since = None;
        self.rows.forget_oldest(self.limits.cache_rows);
        Ok(())
    }
}

#[async_trait]
impl<M: ReadModel> Subscriber for Worker<M> {
    fn identity(&self) -> Identity {
        Identity {
            kind: "read_model",
            name: M::NAME,
            shard: Some(self.storage.shard().number),
        }
    }

    fn wanted(&self) -> EventFilter {
        M::EVENTS
    }

    async fn start(&mut self) -> Result<i64, Failure> {
        self.rows = Rows::new();
        self.unwritten_since = None;
        self.written = self.storage.checkpoint().await?.position;
        if let Some(copies) = &self.copies {
            copies.stands_at(self.written);
        }
        Ok(self.written)
    }

    async fn apply(&mut self, from: i64, page: &Page) -> Result<Applied, Failure> {
        fail_point!("projector_polled");
        self.unwritten_since.get_or_insert_with(Instant::now);
        let (steps, unreadable) = fold::read::<M>(self.storage.shard(), &page.events);
        let stopped = match self.load(&steps).await? {
            // The fold stops before the event that could not be read, if it stops at all.
            Ok(()) => fold::fold::<M>(&mut self.rows, &steps).err().or(unreadable),
            Err(obstacle) => Some((from + 1, obstacle)),
        };
        let to = stopped.as_ref().map_or(page.to, |(at, _)| at - 1);
        if stopped.is_some() || !page.is_full || !self.may_wait() {
            self.write(to).await?;
        }
        Ok(Applied {
            position: to,
            checkpoint: self.written,
            obstacle: stopped.map(|(_, obstacle)| obstacle),
        })
    }

    async fn block(&mut self, position: i64, reason: &str) -> Result<(), Failure> {
        Ok(self.storage.block(position, reason).await?)
    }
}

#[cfg(test)]
mod tests;
