//! How often clients saw what.

use std::ops::Sub;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use serde::{Deserialize, Serialize};

/// What the clients saw so far. The difference of two tallies is what they saw in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Commands that were accepted (2xx).
    pub(crate) accepted: u64,
    /// Commands that were refused for good (4xx).
    pub(crate) refused: u64,
    /// Attempts, of commands and queries, that were answered 503.
    pub(crate) unavailable: u64,
    /// Attempts, of commands and queries, that were not answered.
    pub(crate) unanswered: u64,
    /// Commands' third attempts, and all after those.
    pub(crate) second_retries: u64,
    /// Attempts, of commands and queries, that were answered 5xx other than 503, which is never
    /// right.
    pub(crate) other_errors: u64,
    /// Queries that were answered (2xx, or 404).
    pub(crate) reads: u64,
    /// Queries that were not answered, or otherwise.
    pub(crate) failed_reads: u64,
}

/// A tally that clients count in.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) unavailable: AtomicU64,
    pub(super) unanswered: AtomicU64,
    pub(super) second_retries: AtomicU64,
    pub(super) other_errors: AtomicU64,
    pub(super) reads: AtomicU64,
    pub(super) failed_reads: AtomicU64,
}

/// Counts one more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl Counters {
    /// What was counted so far.
    pub(super) fn read(&self) -> Tally {
        Tally {
            accepted: self.accepted.load(Relaxed),
            refused: self.refused.load(Relaxed),
            unavailable: self.unavailable.load(Relaxed),
            unanswered: self.unanswered.load(Relaxed),
            second_retries: self.second_retries.load(Relaxed),
            other_errors: self.other_errors.load(Relaxed),
            reads: self.reads.load(Relaxed),
            failed_reads: self.failed_reads.load(Relaxed),
        }
    }
}

impl Sub for Tally {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            accepted: self.accepted - earlier.accepted,
            refused: self.refused - earlier.refused,
            unavailable: self.unavailable - earlier.unavailable,
            unanswered: self.unanswered - earlier.unanswered,
            second_retries: self.second_retries - earlier.second_retries,
            other_errors: self.other_errors - earlier.other_errors,
            reads: self.reads - earlier.reads,
            failed_reads: self.failed_reads - earlier.failed_reads,
        }
    }
}
