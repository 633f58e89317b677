//! Pages of the log for the subscribers of a process that are behind, so that those which read the same part of it at the
//! same time read it once. It knows nothing of the log's end: near it, each subscriber reads for itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::counter;
use tidemark_event_store::{FollowError, Log, PageLimits, TimedPool};
use tidemark_events::{LogPoint, Recorded};
use tokio::sync::OnceCell;

/// The types of the events that are wanted; `None` if all are.
pub(super) type Types = Option<Arc<[&'static str]>>;

/// Reads the log, and keeps the newest pages up to a size.
#[derive(Debug)]
pub(crate) struct LogPages {
    log: Log,
    bytes_max: usize,
    shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// What each of those wants that read at present, by a number of its own.
    wanted: Vec<(u64, Types)>,
    next_number: u64,
    /// The oldest first.
    kept: VecDeque<Arc<Kept>>,
}

/// A part of the log, which is read by the first that needs it.
#[derive(Debug)]
struct Kept {
    after: LogPoint,
    limits: PageLimits,
    types: Types,
    part: OnceCell<Part>,
}

/// Events that follow each other, and the size of their data and metadata.
#[derive(Debug)]
struct Part {
    events: Vec<Arc<Recorded>>,
    bytes: usize,
}

/// One that reads pages. While it exists, what others read holds what it wants too.
pub(super) struct PageReader {
    pages: Arc<LogPages>,
    number: u64,
    wanted: Types,
}

impl LogPages {
    /// Keeps pages whose data has at most this size together.
    pub(crate) fn new(log: Log, bytes_max: usize) -> Self {
        Self {
            log,
            bytes_max,
            shared: Mutex::default(),
        }
    }

    /// Connections to the log.
    pub(super) fn pool(&self) -> &TimedPool {
        self.log.pool()
    }

    /// One more that reads pages, and wants events of these types.
    pub(super) fn reader(self: Arc<Self>, wanted: Types) -> PageReader {
        let number = {
            let mut shared = self.shared();
            shared.next_number += 1;
            let number = shared.next_number;
            shared.wanted.push((number, wanted.clone()));
            number
        };
        PageReader {
            pages: self,
            number,
            wanted,
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(
        &self,
        after: LogPoint,
        up_to: i64,
        types: &Types,
        limits: PageLimits,
    ) -> Result<Vec<Arc<Recorded>>, FollowError> {
        let events = self
            .log
            .follow(after, up_to, types.as_deref(), limits.bytes)
            .await?;
        counter!("tidemark_log_read_events_total").increment(events.len() as u64);
        Ok(events.into_iter().map(Arc::new).collect())
    }
}

impl PageReader {
    /// The last position of the log.
    ///
    /// # Errors
    /// If Postgres does not answer.
    pub(super) async fn head(&self) -> sqlx::Result<i64> {
        Ok(self.pages.log.head().await?.position)
    }

    /// The events after a point that this reader wants, and perhaps others, up to a position: as many as `limits` allow. The
    /// last of them is where the page ends.
    ///
    /// # Errors
    /// If the log was not read, or does not hold the point.
    pub(super) async fn page(
        &self,
        after: LogPoint,
        head: i64,
        limits: PageLimits,
    ) -> Result<Vec<Arc<Recorded>>, FollowError> {
        // Pages end at the same positions for all, wherever each began to read.
        let up_to = after.position - after.position % limits.events + limits.events;
        if up_to > head {
            return self.pages.read(after, head, &self.wanted, limits).await;
        }
        let kept = self.kept(after, limits);
        let reading = async || {
            let events = self.pages.read(after, up_to, &kept.types, limits).await?;
            let bytes = events.iter().map(|it| it.data.len() + it.metadata.len());
            Ok::<_, FollowError>(Part {
                bytes: bytes.sum(),
                events,
            })
        };
        let part = kept.part.get_or_try_init(reading).await?;
        self.pages.shared().evict(self.pages.bytes_max);
        Ok(part.events.clone())
    }

    /// The part of the log that was read, or is to be read, for all who read now.
    fn kept(&self, after: LogPoint, limits: PageLimits) -> Arc<Kept> {
        let mut shared = self.pages.shared();
        let is_usable = |kept: &&Arc<Kept>| {
            kept.after == after && kept.limits == limits && contains(&kept.types, &self.wanted)
        };
        if let Some(kept) = shared.kept.iter().find(is_usable) {
            return Arc::clone(kept);
        }
        let kept = Arc::new(Kept {
            after,
            limits,
            types: shared.union(),
            part: OnceCell::new(),
        });
        shared.kept.push_back(Arc::clone(&kept));
        kept
    }
}

impl Drop for PageReader {
    fn drop(&mut self) {
        let mut shared = self.pages.shared();
        shared.wanted.retain(|(number, _)| *number != self.number);
        if shared.wanted.is_empty() {
            shared.kept.clear();
        }
    }
}

impl Shared {
    /// What any of those wants that read at present.
    fn union(&self) -> Types {
        let mut union = Vec::new();
        for (_, wanted) in &self.wanted {
            union.extend_from_slice(wanted.as_ref()?);
        }
        union.sort_unstable();
        union.dedup();
        Some(union.into())
    }

    /// Forgets the oldest pages, but for the newest, until the data of the others is small enough.
    fn evict(&mut self, bytes_max: usize) {
        let mut bytes: usize = self.kept.iter().map(|kept| kept.size()).sum();
        while bytes > bytes_max && self.kept.len() > 1 {
            bytes -= self.kept.pop_front().map_or(0, |oldest| oldest.size());
        }
    }
}

impl Kept {
    fn size(&self) -> usize {
        self.part.get().map_or(0, |part| part.bytes)
    }
}

fn contains(types: &Types, wanted: &Types) -> bool {
    match (types, wanted) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(types), Some(wanted)) => wanted.iter().all(|it| types.contains(it)),
    }
}

#[cfg(test)]
mod tests;
