//! Keeps one shard of a read model: rows and checkpoint in Postgres, and then the documents in Redis.

mod fold;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use fail::fail_point;
use lru::LruCache;
use tidemark_events::Recorded;
use tidemark_read_models::ReadModel;
use tidemark_read_models::storage::{Batch, Document, Storage};
use uuid::Uuid;

use self::fold::{Rows, Step};
use crate::follower::Copies;
use crate::subscriber::{Applied, Failure, Name, Obstacle, Subscriber};

/// The subscriber behind a shard of a read model.
pub(crate) struct Worker<M: ReadModel> {
    storage: Storage,
    /// Rows as they are in Postgres. Nobody else writes them while the lease is held, and the
    /// checkpoint tells if somebody did.
    recent: LruCache<Uuid, Option<M::Row>>,
    copies: Option<Copies>,
}

impl<M: ReadModel> Worker<M> {
    /// A worker that keeps at most `cache_rows_max` rows in memory, and offers what it wrote to
    /// `copies`.
    pub(crate) fn new(storage: Storage, cache_rows_max: usize, copies: Option<Copies>) -> Self {
        let cache_rows_max = NonZeroUsize::new(cache_rows_max).unwrap_or(NonZeroUsize::MIN);
        Self {
            storage,
            recent: LruCache::new(cache_rows_max),
            copies,
        }
    }

    /// The rows that these steps touch, each known or known to be missing. They leave the cache, so
    /// that a batch that fails leaves nothing behind.
    async fn rows(&mut self, steps: &[Step<'_>]) -> Result<Result<Rows<M>, Obstacle>, Failure> {
        let mut rows = Rows::<M>::new();
        let mut unknown = Vec::new();
        for key in steps.iter().flat_map(|step| &step.keys) {
            if !rows.contains_key(key) {
                let recent = self.recent.pop(key);
                if recent.is_none() {
                    unknown.push(*key);
                }
                rows.insert(*key, recent.flatten());
            }
        }
        if !unknown.is_empty() {
            for Document { id, doc, .. } in self.storage.rows(&unknown).await? {
                match serde_json::from_str(doc.as_deref().unwrap_or_default()) {
                    Ok(row) => rows.insert(id, Some(row)),
                    Err(error) => {
                        return Ok(Err(Obstacle::Failed(format!(
                            "row {id} cannot be read: {error}"
                        ))));
                    }
                };
            }
        }
        Ok(Ok(rows))
    }
}

#[async_trait]
impl<M: ReadModel> Subscriber for Worker<M> {
    fn name(&self) -> Name {
        Name {
            kind: "read_model",
            name: M::NAME,
            shard: Some(self.storage.shard().number),
        }
    }

    async fn start(&mut self) -> Result<i64, Failure> {
        self.recent.clear();
        let position = self.storage.checkpoint().await?.position;
        if let Some(copies) = &self.copies {
            copies.stands_at(position);
        }
        Ok(position)
    }

    async fn apply(&mut self, from: i64, events: &[Arc<Recorded>]) -> Result<Applied, Failure> {
        fail_point!("projector_polled");
        let (steps, mut obstacle) = fold::read::<M>(self.storage.shard(), events);
        let mut rows = match self.rows(&steps).await? {
            Ok(rows) => rows,
            Err(obstacle) => {
                return Ok(Applied {
                    position: from,
                    obstacle: Some(obstacle),
                });
            }
        };
        let folded = fold::fold::<M>(&mut rows, &steps);
        let touched = folded.touched;
        // The fold stops at an event before the one that could not be read, if it stops at all.
        obstacle = folded.obstacle.or(obstacle);
        let last = events.last().map_or(from, |event| event.position);
        let to = obstacle.as_ref().map_or(last, |(position, _)| position - 1);
        if to > from {
            let documents = documents::<M>(&rows, &touched)?;
            let batch = Arc::new(Batch {
                from,
                to,
                documents,
            });
            self.storage.write(Arc::clone(&batch)).await?;
            fail_point!("projector_committed");
            if let Some(copies) = &self.copies {
                copies.offer(batch);
            }
            for (id, row) in rows {
                self.recent.put(id, row);
            }
        }
        Ok(Applied {
            position: to,
            obstacle: obstacle.map(|(_, obstacle)| obstacle),
        })
    }

    async fn block(&mut self, position: i64, reason: &str) -> Result<(), Failure> {
        Ok(self.storage.block(position, reason).await?)
    }
}

/// The rows that changed, each as of the last event that touched it.
fn documents<M: ReadModel>(
    rows: &Rows<M>,
    touched: &HashMap<Uuid, i64>,
) -> Result<Vec<Document>, Failure> {
    let document = |(&id, &position): (&Uuid, &i64)| {
        let row = rows.get(&id).and_then(Option::as_ref);
        let doc = row.map(serde_json::to_string).transpose()?;
        Ok(Document { id, doc, position })
    };
    touched.iter().map(document).collect()
}

#[cfg(test)]
mod tests;
