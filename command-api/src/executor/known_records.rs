//! The idempotency records that this process knows: of its own commands, and those that an append has found. A
//! command whose key is known is answered from here and never reaches a batch.
//!
//! They are a bounded cache: whatever is not here, the append looks up. And they answer only for a short time after an
//! append has shown that the log still held them: a failover that takes them out of the log tells this process nothing.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;
use tidemark_event_store::{IdempotencyRecord, RecordId};
use tidemark_events::Timestamp;
use tidemark_platform::clock::Clock;
use tidemark_platform::config::Executor as Settings;

use super::commit_loop::Settled;
use super::idempotency::replayed_answer;
use super::submission::{Answer, Idempotency};

/// The records, each with the timeline of its position. Clones share them.
#[derive(Clone)]
pub(super) struct KnownRecords {
    records: Arc<Mutex<Records>>,
    clock: Clock,
    /// How long a record answers its key.
    ttl: Duration,
    /// For how long the records answer after the log was seen to hold them.
    trusted: Duration,
}

struct Records {
    by_id: LruCache<RecordId, Known>,
    /// When the log last held all of them; none if that is not known.
    confirmed_at: Option<Instant>,
}

struct Known {
    record: IdempotencyRecord,
    timeline: i32,
}

impl KnownRecords {
    /// No record is known yet.
    pub(super) fn new(settings: &Settings, clock: Clock) -> Self {
        let records_max = NonZeroUsize::new(settings.records_cached_max);
        Self {
            records: Arc::new(Mutex::new(Records {
                by_id: LruCache::new(records_max.unwrap_or(NonZeroUsize::MIN)),
                confirmed_at: None,
            })),
            clock,
            ttl: Duration::from_hours(settings.idempotency_ttl_h),
            trusted: Duration::from_millis(settings.records_trusted_ms),
        }
    }

    /// The answer to a request whose key was used before, if that is known and the log was seen to hold it not long ago.
    pub(super) fn answer(&self, sent: &Idempotency) -> Option<Answer> {
        let mut records = self.lock();
        let confirmed_at = records.confirmed_at?;
        if confirmed_at.elapsed() >= self.trusted {
            return None;
        }
        let known = records.by_id.get(&sent.id)?;
        let is_kept = self.clock.now() < known.record.recorded_at + self.ttl;
        is_kept.then(|| replayed_answer(&known.record, sent, known.timeline))
    }

    /// Remembers a record that is in the log.
    pub(super) fn insert(&self, record: IdempotencyRecord, timeline: i32) {
        self.lock().by_id.put(record.id, Known { record, timeline });
    }

    /// Says that the log held all records at this time: an append that was sent then has found the log as its executor
    /// had left it.
    pub(super) fn confirm(&self, at: Instant) {
        self.lock().confirmed_at = Some(at);
    }

    /// Remembers the records of commands that were recorded at this time.
    pub(super) fn insert_settled(
        &self,
        settled: &[Settled],
        recorded_at: Timestamp,
        timeline: i32,
    ) {
        for Settled { command, position } in settled {
            if let Some(record) = command.written_record(*position, recorded_at) {
                self.insert(record, timeline);
            }
        }
    }

    /// Forgets all records.
    pub(super) fn clear(&self) {
        let mut records = self.lock();
        records.by_id.clear();
        records.confirmed_at = None;
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tidemark_platform::Config;
    use uuid::Uuid;

    use super::*;

    fn sent() -> Idempotency {
        Idempotency {
            id: RecordId::of("user:1", "key"),
            service_key: None,
            request_hash: vec![7; 32],
        }
    }

    /// Knows the record of [`sent`], and trusts it for so long.
    fn known(trusted_ms: u64) -> KnownRecords {
        let mut settings = Config::from_vars([]).unwrap().executor;
        settings.records_trusted_ms = trusted_ms;
        let records = KnownRecords::new(&settings, Clock::system());
        insert(&records);
        records
    }

    fn insert(records: &KnownRecords) {
        let record = IdempotencyRecord {
            id: sent().id,
            request_hash: sent().request_hash,
            status: 201,
            stream_id: Uuid::nil(),
            version: 1,
            position: 1,
            recorded_at: records.clock.now(),
        };
        records.insert(record, 1);
    }

    #[test]
    fn a_record_answers_only_while_the_log_was_just_seen_to_hold_it() {
        let records = known(1_000);
        assert!(records.answer(&sent()).is_none(), "no append has shown it");
        records.confirm(Instant::now());
        assert!(records.answer(&sent()).is_some());
        records.confirm(Instant::now().checked_sub(Duration::from_secs(1)).unwrap());
        assert!(records.answer(&sent()).is_none(), "that is long ago");
        records.confirm(Instant::now());
        records.clear();
        insert(&records);
        assert!(
            records.answer(&sent()).is_none(),
            "what was shown was forgotten"
        );
        let never = known(0);
        never.confirm(Instant::now());
        assert!(never.answer(&sent()).is_none(), "nothing is ever trusted");
    }
}
