//! Keeps one shard of a read model: writes its rows and checkpoint in Postgres, and then offers what
//! changed to the Redis writer.

mod writing;

use std::collections::HashSet;
use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use fail::fail_point;
use tidemark_event_store::Log;
use tidemark_events::LogPoint;
use tidemark_platform::config::Projection;
use tidemark_read_models::ReadModel;
use tidemark_read_models::storage::{RowBatch, Storage};
use uuid::Uuid;

use super::fold;
use super::fold::{Blocked, Wanted};
use super::joint_writer::JointWriter;
use super::parking::Parking;
use super::redis_writer::RedisWriterHandle;
use super::rows::{RowError, Rows, read_row};
use super::skips::Skips;
use crate::following::failure::{EventError, SubscriberError};
use crate::following::page::Page;
use crate::following::subscriber::{Applied, Building, Subscriber, SubscriberId};

/// The stored types of operators' orders about one row.
pub(super) const ORDER_TYPES: [&str; 3] = [
    "repair.rebuild_requested",
    "repair.retry_requested",
    "repair.skip_requested",
];

/// The subscriber that keeps one shard of a read model.
pub(crate) struct Worker<M: ReadModel> {
    pub(super) storage: Storage,
    /// Where the events are read that wait for parked rows, and those of rows that are made anew.
    pub(super) log: Log,
    pub(super) parking: Parking,
    pub(super) skips: Skips,
    /// The rows as they are after the last event that was applied. While this process holds the lease
    /// nobody else writes them, and if somebody did, the checkpoint has moved.
    pub(super) rows: Rows<M>,
    /// The stored checkpoint.
    pub(super) checkpoint: LogPoint,
    /// Whether it is stored that nothing after the checkpoint can be applied.
    is_blocked: bool,
    /// Whether the shard belongs to a generation that is built, and how.
    building: Option<Building>,
    /// When the first event after the checkpoint was applied.
    unwritten_since: Option<Instant>,
    /// Up to this position, what few events change is written by itself: all of it at once could not be.
    in_parts_until: i64,
    limits: Limits,
    joint_writer: JointWriter,
    /// Until when this worker writes alone, because a write of its own failed or took long.
    alone_until: Option<Instant>,
    redis_writer: Option<RedisWriterHandle>,
}

/// Bounds on memory and on the size of a transaction.
struct Limits {
    /// The number of rows that stay in memory after they are written.
    cached_rows: usize,
    /// The size of these rows.
    cached_bytes: usize,
    /// The number of changed rows at which they are written.
    unwritten_rows: usize,
    /// The size of changed rows at which they are written, and of rows that are read at once.
    unwritten_bytes: usize,
    /// The longest time that changed rows stay unwritten while the log has more events.
    unwritten_time: Duration,
    /// The most rows of which those are looked for that Postgres refuses, and the most events whose rows are written by
    /// themselves after more could not be written at once.
    part: usize,
    /// The most rows that are written together with those of other shards.
    together_rows: usize,
    /// How long a write of a shard may take that delays others.
    together_time: Duration,
    /// How long the shard is written alone after a write that failed or took longer.
    alone_time: Duration,
}

impl<M: ReadModel> Worker<M> {
    /// A worker that offers what it has written to `redis_writer`.
    pub(super) fn new(
        storage: Storage,
        log: Log,
        settings: &Projection,
        joint_writer: JointWriter,
        redis_writer: Option<RedisWriterHandle>,
    ) -> Self {
        Self {
            storage,
            log,
            parking: Parking::default(),
            skips: Skips::default(),
            rows: Rows::new(),
            checkpoint: LogPoint::START,
            is_blocked: false,
            building: None,
            unwritten_since: None,
            in_parts_until: 0,
            limits: Limits {
                cached_rows: settings.cache_rows_max,
                cached_bytes: settings.cache_bytes_max,
                unwritten_rows: settings.batch_rows_max,
                unwritten_bytes: settings.batch_rows_bytes_max,
                unwritten_time: Duration::from_millis(settings.batch_ms),
                part: settings.part_max,
                together_rows: settings.batch_max,
                together_time: Duration::from_millis(settings.together_ms),
                alone_time: Duration::from_millis(settings.alone_ms),
            },
            joint_writer,
            alone_until: None,
            redis_writer,
        }
    }

    /// Reads the rows that these events touch and that are not in memory, until they are large. Returns of how many of the
    /// events all rows are in memory then: of one at least. The inner error is that of a row that this build must leave
    /// alone.
    async fn load(
        &mut self,
        events: &[Wanted<'_>],
    ) -> Result<Result<usize, EventError>, SubscriberError> {
        loop {
            let missing = self.missing(events);
            if missing.is_empty() {
                return Ok(Ok(events.len()));
            }
            let bytes_max = self.limits.unwritten_bytes;
            for stored in self.storage.rows(&missing, bytes_max).await? {
                let row = match stored.document.as_ref().map(|_| read_row::<M>(&stored)) {
                    None => Ok(None),
                    Some(Ok(row)) => Ok(Some(row)),
                    Some(Err(RowError::Unreadable(error))) => Err(error),
                    Some(Err(RowError::Newer)) => {
                        return Ok(Err(EventError::NewerRow(stored.id)));
                    }
                };
                self.rows.insert_stored(stored.id, row, stored.size());
            }
            let is_loaded = |event: &&Wanted<'_>| self.missing(slice::from_ref(*event)).is_empty();
            let loaded = events.iter().take_while(is_loaded).count();
            if loaded > 0 {
                return Ok(Ok(loaded));
            }
        }
    }

    /// The rows that these events touch and that are not in memory, in the order in which they are needed.
    fn missing(&self, events: &[Wanted<'_>]) -> Vec<Uuid> {
        let keys = events.iter().flat_map(Wanted::keys).copied();
        let is_missing = |key: &Uuid| !self.rows.contains(*key) && !self.parking.contains(*key);
        let mut seen = HashSet::new();
        keys.filter(is_missing)
            .filter(|key| seen.insert(*key))
            .collect()
    }

    /// Applies a page, and writes in between where the rows in memory become too large. Returns where it cannot go on, and
    /// why.
    async fn apply_parts(
        &mut self,
        from: LogPoint,
        page: &Page,
    ) -> Result<Option<Blocked>, SubscriberError> {
        let (mut events, undecodable) = fold::decode::<M>(self.storage.shard(), &page.events);
        let mut after = from;
        loop {
            let mut loaded = match self.load(&events).await? {
                Ok(loaded) => loaded,
                Err(error) => return Ok(Some((after.position + 1, error))),
            };
            if after.position < self.in_parts_until {
                loaded = loaded.min(self.limits.part);
            }
            let mut rest = events.split_off(loaded);
            let next = rest.first().map(Wanted::position);
            let next = next.or(undecodable.as_ref().map(|(at, _)| *at));
            let mut to = next.map_or(page.to, |next| page.before(next).unwrap_or(after));
            let stopped = self.fold(page, after.position, events, to.position).await?;
            if let Some((at, mut left)) = stopped {
                left.append(&mut rest);
                (to, rest) = (at, left);
            } else if rest.is_empty() {
                return Ok(undecodable);
            }
            self.write(to, false, None).await?;
            self.unwritten_since = Some(Instant::now());
            (events, after) = (rest, to);
        }
    }

    /// Whether more may be folded after a position before the changed rows are written.
    pub(super) fn may_defer_writing(&self, at: LogPoint) -> bool {
        let is_recent = |since: Instant| since.elapsed() < self.limits.unwritten_time;
        at.position >= self.in_parts_until
            && self.rows.unwritten() + self.parking.unwritten() < self.limits.unwritten_rows
            && self.rows.unwritten_bytes() < self.limits.unwritten_bytes
            && self.unwritten_since.is_none_or(is_recent)
    }
}

#[async_trait]
impl<M: ReadModel> Subscriber for Worker<M> {
    fn id(&self) -> SubscriberId {
        SubscriberId {
            kind: "read_model",
            name: M::NAME,
            generation: Some(self.storage.generation().number),
            shard: Some(self.storage.shard().number),
        }
    }

    fn event_types(&self) -> Option<Vec<&'static str>> {
        let types = M::EVENTS.types()?;
        Some([types, &ORDER_TYPES].concat())
    }

    async fn start(&mut self) -> Result<LogPoint, SubscriberError> {
        self.rows = Rows::new();
        self.unwritten_since = None;
        let stored = self.storage.checkpoint().await?;
        self.checkpoint = stored.point;
        self.is_blocked = stored.is_blocked;
        self.building = stored.is_building.then(|| Building {
            events_per_second: stored.throttle.map(i32::unsigned_abs),
        });
        if !stored.is_in_log {
            let error = SubscriberError::NotInLog(stored.point.position);
            let reason = error.to_string();
            self.storage.block(stored.point, &reason, false).await?;
            return Err(error);
        }
        let parked = self.storage.parked().await?;
        self.parking = Parking::of(parked.into_iter().map(|row| row.id));
        self.skips = Skips::of(self.storage.skipped().await?);
        if let Some(redis_writer) = &self.redis_writer {
            redis_writer.start_at(self.checkpoint, stored.timeline);
        }
        Ok(self.checkpoint)
    }

    async fn apply(&mut self, from: LogPoint, page: &Page) -> Result<Applied, SubscriberError> {
        fail_point!("projector_polled");
        self.unwritten_since.get_or_insert_with(Instant::now);
        let is_level = !page.has_more;
        let is_alone = self.alone_until.is_some_and(|until| Instant::now() < until);
        let folding = (is_level && !is_alone).then(|| self.joint_writer.begin_folding());
        let blocked = self.apply_parts(from, page).await?;
        let to = blocked
            .as_ref()
            .map_or(page.to, |(at, _)| page.before(*at).unwrap_or(from));
        let may_defer = !is_level && !page.is_to_be_written && self.may_defer_writing(to);
        if blocked.is_some() || !may_defer {
            self.write(to, is_level, folding).await?;
        }
        Ok(Applied {
            point: to,
            checkpoint: self.checkpoint.position,
            blocked_by: blocked.map(|(_, error)| error),
        })
    }

    fn building(&self) -> Option<Building> {
        self.building
    }

    fn parked(&self) -> usize {
        self.parking.rows()
    }

    fn needs_check(&self) -> bool {
        self.parking.rows() > 0
    }

    async fn check(&mut self, at: LogPoint) -> Result<(), SubscriberError> {
        self.write(at, false, None).await?;
        self.remake_parked().await
    }

    async fn block(&mut self, at: LogPoint, reason: &str) -> Result<(), SubscriberError> {
        Ok(self.storage.block(at, reason, true).await?)
    }

    async fn unblock(&mut self) -> Result<(), SubscriberError> {
        if self.is_blocked {
            let nothing = RowBatch::empty(self.checkpoint);
            self.storage.write(Arc::new(nothing)).await?;
            self.is_blocked = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
