//! The states of streams and the owners of claims that decisions rest on, bounded in bytes.
//!
//! The cache is ahead of the log while decided commands are not appended yet. If they are not appended, it is
//! made what it was before them ([`Baseline::restore`](super::batch::Baseline::restore)).

use lru::LruCache;
use metrics::gauge;
use tidemark_domain::{Claim, LoadedStream, States};
use tidemark_event_store::UnseenEvent;
use tidemark_events::{Event, Timestamp};
use uuid::Uuid;

/// The state of a stream.
#[derive(Default)]
struct CachedStream {
    loaded: LoadedStream,
    evidence: Evidence,
}

/// Why the state of a stream should be that of the log, apart from decisions that are not appended yet.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Evidence {
    /// It was loaded at some time, or the stream is new: only an append says whether it still is so.
    #[default]
    None,
    /// The appends of the batch with this number and of those after it look it up.
    Asked { batch: i64 },
    /// An append has found it so. That holds as long as [`Cache::foreign_appends`] is this.
    Found { foreign_appends: u64 },
}

/// A cache that evicts what was used least recently.
pub(super) struct Cache {
    streams: LruCache<Uuid, CachedStream>,
    /// Rises whenever another executor may have appended.
    foreign_appends: u64,
    claims: LruCache<Claim, Option<Uuid>>,
    bytes: usize,
    bytes_max: usize,
}

impl Cache {
    /// An empty cache that [`Self::shrink`] keeps to about `bytes_max` bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            streams: LruCache::unbounded(),
            foreign_appends: 0,
            claims: LruCache::unbounded(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Inserts the state of a stream, unless the cache has a newer one.
    pub(super) fn insert_stream(&mut self, id: Uuid, loaded: LoadedStream) {
        if self.version(id).is_none_or(|known| known < loaded.version) {
            self.evict_stream(id);
            self.bytes += stream_bytes(&loaded);
            let evidence = Evidence::None;
            self.streams.put(id, CachedStream { loaded, evidence });
        }
    }

    /// Makes the state of a stream again what it was before, or evicts it if it was not known.
    pub(super) fn restore_stream(&mut self, id: Uuid, before: Option<LoadedStream>) {
        self.evict_stream(id);
        if let Some(loaded) = before {
            self.insert_stream(id, loaded);
        }
    }

    /// Applies the events that follow in the log on a state in the cache. Evicts the stream if they do not,
    /// so that it is loaded.
    pub(super) fn catch_up(&mut self, id: Uuid, unseen: &[UnseenEvent]) {
        let version = self.version(id);
        let newest = unseen.last().map(|event| event.version);
        if newest.is_none() || version > newest {
            return self.evict_stream(id);
        }
        for new in unseen.iter().filter(|event| version < Some(event.version)) {
            match new.decode() {
                Ok(event) if self.version(id) == Some(new.version - 1) => {
                    self.apply(id, &event, new.recorded_at);
                }
                _ => return self.evict_stream(id),
            }
        }
    }

    /// Inserts the owner of a claim.
    pub(super) fn insert_claim(&mut self, claim: Claim, owner: Option<Uuid>) {
        let bytes = claim_bytes(&claim);
        if self.claims.put(claim, owner).is_none() {
            self.bytes += bytes;
        }
    }

    /// Inserts the owner of a claim that was loaded or must be so, unless the cache has one: that was learned while the
    /// load was on its way, and is newer.
    pub(super) fn insert_unknown_claim(&mut self, claim: Claim, owner: Option<Uuid>) {
        if !self.claims.contains(&claim) {
            self.insert_claim(claim, owner);
        }
    }

    /// The version of a stream, if its state is in the cache.
    pub(super) fn version(&self, id: Uuid) -> Option<i64> {
        self.stream(id).map(|loaded| loaded.version)
    }

    /// Applies the next event of a stream to its state. A stream that is not in the cache is new: a
    /// decision reads every other stream before it writes to it.
    pub(super) fn apply(&mut self, id: Uuid, event: &Event, at: Timestamp) {
        let bytes_before = self.stream(id).map_or(0, stream_bytes);
        let cached = self.streams.get_or_insert_mut(id, CachedStream::default);
        cached.loaded.apply(event, at);
        self.bytes = (self.bytes + stream_bytes(&cached.loaded)).saturating_sub(bytes_before);
    }

    /// Sets when the log recorded an event of a stream, unless a later event has been decided meanwhile.
    pub(super) fn set_recorded_at(&mut self, id: Uuid, at: Timestamp) {
        if let Some(CachedStream { loaded, .. }) = self.streams.get_mut(&id) {
            loaded.last_at = loaded.last_at.max(Some(at));
        }
    }

    /// Whether the log is known to have a stream as it was here before decisions that are not appended yet, unless
    /// another executor has appended since the last append of this one.
    pub(super) fn is_known(&self, id: Uuid) -> bool {
        let foreign_appends = self.foreign_appends;
        let cached = self.streams.peek(&id);
        cached.is_some_and(|cached| cached.evidence == Evidence::Found { foreign_appends })
    }

    /// Remembers that the append of a batch looks a stream up which is not known.
    pub(super) fn set_asked(&mut self, id: Uuid, batch: i64) {
        if let Some(cached) = self.streams.peek_mut(&id)
            && !matches!(cached.evidence, Evidence::Asked { .. })
        {
            cached.evidence = Evidence::Asked { batch };
        }
    }

    /// Remembers that the append of a batch has found a stream as it was here, unless the stream was evicted and
    /// loaded while the append was on its way.
    pub(super) fn set_found(&mut self, id: Uuid, batch: i64) {
        let foreign_appends = self.foreign_appends;
        if let Some(cached) = self.streams.peek_mut(&id)
            && matches!(cached.evidence, Evidence::Asked { batch: first } if first <= batch)
        {
            cached.evidence = Evidence::Found { foreign_appends };
        }
    }

    /// Another executor may have appended: no stream is known any more.
    pub(super) const fn note_foreign_append(&mut self) {
        self.foreign_appends += 1;
    }

    /// Marks what a decision has read as used just now.
    pub(super) fn mark_used<'a>(
        &mut self,
        streams: impl Iterator<Item = &'a Uuid>,
        claims: impl Iterator<Item = &'a Claim>,
    ) {
        for id in streams {
            self.streams.promote(id);
        }
        for claim in claims {
            self.claims.promote(claim);
        }
    }

    /// Evicts the state of a stream.
    pub(super) fn evict_stream(&mut self, id: Uuid) {
        if let Some(cached) = self.streams.pop(&id) {
            self.bytes = self.bytes.saturating_sub(stream_bytes(&cached.loaded));
        }
    }

    /// Evicts the owner of a claim.
    pub(super) fn evict_claim(&mut self, claim: &Claim) {
        if self.claims.pop(claim).is_some() {
            self.bytes = self.bytes.saturating_sub(claim_bytes(claim));
        }
    }

    /// Evicts everything.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.bytes_max);
    }

    /// Evicts what was used least recently until the bound is kept: streams, unless there are more claims than streams. So
    /// the claims, which are few, stay.
    pub(super) fn shrink(&mut self) {
        while self.bytes > self.bytes_max {
            let evicted = if self.claims.len() > self.streams.len() {
                self.claims.pop_lru().map(|(claim, _)| claim_bytes(&claim))
            } else {
                let stream = self.streams.pop_lru();
                stream.map(|(_, cached)| stream_bytes(&cached.loaded))
            };
            self.bytes = evicted.map_or(0, |bytes| self.bytes.saturating_sub(bytes));
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge is a floating-point number"
        )]
        gauge!("tidemark_executor_cache_bytes").set(self.bytes as f64);
    }
}

impl States for Cache {
    fn stream(&self, id: Uuid) -> Option<&LoadedStream> {
        self.streams.peek(&id).map(|cached| &cached.loaded)
    }

    fn owner(&self, claim: &Claim) -> Option<Option<Uuid>> {
        self.claims.peek(claim).copied()
    }
}

/// What an entry takes besides what it holds: two links, what the allocator adds, and its place in the hash table.
const ENTRY_BYTES: usize = 64;

fn stream_bytes(loaded: &LoadedStream) -> usize {
    size_of::<(Uuid, Evidence)>() + loaded.bytes() + ENTRY_BYTES
}

fn claim_bytes(claim: &Claim) -> usize {
    size_of::<(Claim, Option<Uuid>)>() + claim.key.len() + ENTRY_BYTES
}

#[cfg(test)]
mod tests;
