//! Keeps one shard of a read model: writes its rows and checkpoint in Postgres, and then offers what
//! changed to the Redis writer.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use fail::fail_point;
use tidemark_events::LogPoint;
use tidemark_platform::config::Projection;
use tidemark_read_models::storage::{RowBatch, Storage, StoredRow};
use tidemark_read_models::{EventFilter, ReadModel};
use uuid::Uuid;

use super::fold;
use super::fold::KeyedEvent;
use super::redis_writer::RedisWriterHandle;
use super::rows::Rows;
use crate::following::page::Page;
use crate::following::subscriber::{
    Applied, EventError, Subscriber, SubscriberError, SubscriberId,
};

/// The subscriber that keeps one shard of a read model.
pub(crate) struct Worker<M: ReadModel> {
    storage: Storage,
    /// The rows as they are after the last event that was applied. While this process holds the lease
    /// nobody else writes them, and if somebody did, the checkpoint has moved.
    rows: Rows<M>,
    /// The stored checkpoint.
    checkpoint: LogPoint,
    /// When the first event after the checkpoint was applied.
    unwritten_since: Option<Instant>,
    limits: Limits,
    redis_writer: Option<RedisWriterHandle>,
}

/// Bounds on memory and on the size of a transaction.
struct Limits {
    /// The number of rows that stay in memory after they are written.
    cached_rows: usize,
    /// The number of changed rows at which they are written.
    unwritten_rows: usize,
    /// The longest time that changed rows stay unwritten while the log has more events.
    unwritten_time: Duration,
}

impl<M: ReadModel> Worker<M> {
    /// A worker that offers what it has written to `redis_writer`.
    pub(super) fn new(
        storage: Storage,
        settings: &Projection,
        redis_writer: Option<RedisWriterHandle>,
    ) -> Self {
        Self {
            storage,
            rows: Rows::new(),
            checkpoint: LogPoint::START,
            unwritten_since: None,
            limits: Limits {
                cached_rows: settings.cache_rows_max,
                unwritten_rows: settings.batch_rows_max,
                unwritten_time: Duration::from_millis(settings.batch_ms),
            },
            redis_writer,
        }
    }

    /// Reads the rows that these events touch and that are not in memory. The inner error says why a
    /// row that was found cannot be used.
    async fn load(
        &mut self,
        events: &[KeyedEvent<'_>],
    ) -> Result<Result<(), EventError>, SubscriberError> {
        let keys = events.iter().flat_map(|event| &event.keys);
        let missing: HashSet<_> = keys
            .filter(|key| !self.rows.contains(**key))
            .copied()
            .collect();
        if missing.is_empty() {
            return Ok(Ok(()));
        }
        let missing: Vec<_> = missing.into_iter().collect();
        let found = self.storage.rows(&missing).await?;
        for id in missing {
            self.rows.insert_stored(id, None);
        }
        for StoredRow { id, document, .. } in found {
            match read::<M>(id, document.as_deref().unwrap_or_default()) {
                Ok(row) => self.rows.insert_stored(id, Some(row)),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(()))
    }

    /// Whether more pages may be folded before the changed rows are written.
    fn may_defer_writing(&self) -> bool {
        let is_recent = |since: Instant| since.elapsed() < self.limits.unwritten_time;
        self.rows.unwritten() < self.limits.unwritten_rows
            && self.unwritten_since.is_none_or(is_recent)
    }

    /// Writes the changed rows together with the checkpoint `to`.
    async fn write(&mut self, to: LogPoint) -> Result<(), SubscriberError> {
        if to == self.checkpoint {
            return Ok(());
        }
        let batch = Arc::new(RowBatch {
            from: self.checkpoint,
            to,
            rows: self.rows.take_unwritten()?,
        });
        self.storage.write(Arc::clone(&batch)).await?;
        fail_point!("projector_committed");
        if let Some(redis_writer) = &self.redis_writer {
            redis_writer.offer(batch);
        }
        self.checkpoint = to;
        self.unwritten_since = None;
        self.rows.evict(self.limits.cached_rows);
        Ok(())
    }
}

/// A row as it is stored.
///
/// # Errors
/// If it cannot be read, or is not what this build would have written: a newer one has, and what this one does not know
/// of the row would be lost when it writes it.
fn read<M: ReadModel>(id: Uuid, document: &str) -> Result<M::Row, EventError> {
    let failed = |error| EventError::Failed(format!("row {id} cannot be read: {error}"));
    let row = serde_json::from_str(document).map_err(failed)?;
    if serde_json::to_string(&row).map_err(failed)? == document {
        Ok(row)
    } else {
        Err(EventError::NewerRow(id))
    }
}

#[async_trait]
impl<M: ReadModel> Subscriber for Worker<M> {
    fn id(&self) -> SubscriberId {
        SubscriberId {
            kind: "read_model",
            name: M::NAME,
            shard: Some(self.storage.shard().number),
        }
    }

    fn event_filter(&self) -> EventFilter {
        M::EVENTS
    }

    async fn start(&mut self) -> Result<LogPoint, SubscriberError> {
        self.rows = Rows::new();
        self.unwritten_since = None;
        let stored = self.storage.checkpoint().await?;
        self.checkpoint = stored.point;
        if !stored.is_in_log {
            let error = SubscriberError::NotInLog(stored.point.position);
            let reason = error.to_string();
            self.storage.block(stored.point, &reason, false).await?;
            return Err(error);
        }
        if let Some(redis_writer) = &self.redis_writer {
            redis_writer.start_at(self.checkpoint);
        }
        Ok(self.checkpoint)
    }

    async fn apply(&mut self, from: LogPoint, page: &Page) -> Result<Applied, SubscriberError> {
        fail_point!("projector_polled");
        self.unwritten_since.get_or_insert_with(Instant::now);
        let (events, undecodable) = fold::decode::<M>(self.storage.shard(), &page.events);
        let blocked = match self.load(&events).await? {
            // All these events come before the one that cannot be decoded, so an error in the fold is
            // the first one.
            Ok(()) => fold::fold::<M>(&mut self.rows, &events)
                .err()
                .or(undecodable),
            Err(error) => Some((from.position + 1, error)),
        };
        let to = blocked
            .as_ref()
            .map_or(page.to, |(at, _)| page.before(*at).unwrap_or(from));
        if blocked.is_some() || !page.has_more || !self.may_defer_writing() {
            self.write(to).await?;
        }
        Ok(Applied {
            point: to,
            checkpoint: self.checkpoint.position,
            blocked_by: blocked.map(|(_, error)| error),
        })
    }

    async fn block(&mut self, at: LogPoint, reason: &str) -> Result<(), SubscriberError> {
        Ok(self.storage.block(at, reason, true).await?)
    }
}

#[cfg(test)]
mod tests;
