//! The states of streams and the owners of claims that the executor knows, bounded in bytes.
//!
//! A state may be ahead of the log while a batch is decided; whoever decided the batch drops it
//! again if the append did not take it.

use lru::LruCache;
use metrics::gauge;
use tidemark_domain::{Claim, Loaded, States};
use tidemark_events::{Event, Timestamp};
use uuid::Uuid;

/// A least-recently-used cache of what decisions rest on.
pub(super) struct Cache {
    streams: LruCache<Uuid, Loaded>,
    claims: LruCache<Claim, Option<Uuid>>,
    bytes: usize,
    bytes_max: usize,
}

impl Cache {
    /// An empty cache for about `bytes_max` bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            streams: LruCache::unbounded(),
            claims: LruCache::unbounded(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Takes a stream in, unless a newer state of it is known.
    pub(super) fn insert_stream(&mut self, id: Uuid, loaded: Loaded) {
        if self.version(id).is_none_or(|known| known < loaded.version) {
            self.remove_stream(id);
            self.bytes += loaded.bytes();
            self.streams.put(id, loaded);
        }
    }

    /// Notes who owns a claim.
    pub(super) fn insert_claim(&mut self, claim: Claim, owner: Option<Uuid>) {
        let bytes = claim_bytes(&claim);
        if self.claims.put(claim, owner).is_none() {
            self.bytes += bytes;
        }
    }

    /// The version of a stream, if it is known.
    pub(super) fn version(&self, id: Uuid) -> Option<i64> {
        self.streams.peek(&id).map(|loaded| loaded.version)
    }

    /// Takes the next event of a stream in. A stream nobody looked at is a new one.
    pub(super) fn apply(&mut self, id: Uuid, event: &Event, at: Timestamp) {
        let loaded = self.streams.get_or_insert_mut(id, Loaded::default);
        let before = if loaded.version == 0 {
            0
        } else {
            loaded.bytes()
        };
        loaded.apply(event, at);
        self.bytes = (self.bytes + loaded.bytes()).saturating_sub(before);
    }

    /// Notes when the log took an event of a stream; a later one may have been decided meanwhile.
    pub(super) fn taken(&mut self, id: Uuid, at: Timestamp) {
        if let Some(loaded) = self.streams.get_mut(&id) {
            loaded.last_at = loaded.last_at.max(Some(at));
        }
    }

    /// Forgets a stream.
    pub(super) fn remove_stream(&mut self, id: Uuid) {
        if let Some(loaded) = self.streams.pop(&id) {
            self.bytes = self.bytes.saturating_sub(loaded.bytes());
        }
    }

    /// Forgets who owns a claim.
    pub(super) fn remove_claim(&mut self, claim: &Claim) {
        if self.claims.pop(claim).is_some() {
            self.bytes = self.bytes.saturating_sub(claim_bytes(claim));
        }
    }

    /// Forgets what was used least recently, down to the bound. Only between batches.
    pub(super) fn shrink(&mut self) {
        while self.bytes > self.bytes_max {
            if let Some((claim, _)) = self.claims.pop_lru() {
                self.bytes = self.bytes.saturating_sub(claim_bytes(&claim));
            }
            match self.streams.pop_lru() {
                Some((_, loaded)) => self.bytes = self.bytes.saturating_sub(loaded.bytes()),
                None if self.claims.is_empty() => self.bytes = 0,
                None => {}
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        gauge!("tidemark_executor_cache_bytes").set(self.bytes as f64);
    }

    /// Marks a stream as just used.
    pub(super) fn touch(&mut self, id: Uuid) {
        self.streams.promote(&id);
    }
}

impl States for Cache {
    fn stream(&self, id: Uuid) -> Option<&Loaded> {
        self.streams.peek(&id)
    }

    fn owner(&self, claim: &Claim) -> Option<Option<Uuid>> {
        self.claims.peek(claim).copied()
    }
}

fn claim_bytes(claim: &Claim) -> usize {
    size_of::<(Claim, Option<Uuid>)>() + claim.key.len()
}
