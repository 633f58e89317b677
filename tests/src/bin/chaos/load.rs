//! The load: clients that send commands and read their own writes, and what they saw.

use std::time::{Duration, Instant};

/// Clients at work, until they are told to stop.
pub(crate) struct Load {}

/// What the clients saw so far. The difference of two tallies is what they saw in between.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Commands that were accepted (2xx).
    pub(crate) accepted: u64,
    /// Commands that were refused for good (4xx).
    pub(crate) refused: u64,
    /// Attempts that were answered 503.
    pub(crate) unavailable: u64,
    /// Attempts whose outcome nobody knows: no answer came.
    pub(crate) unknown: u64,
    /// Attempts that were answered 5xx other than 503: never right.
    pub(crate) errors: u64,
    /// Reads that were answered (2xx).
    pub(crate) reads: u64,
    /// Reads that failed or were answered 503.
    pub(crate) failed_reads: u64,
}

impl Load {
    /// What the clients saw so far.
    pub(crate) fn tally(&self) -> Tally {
        Tally::default()
    }

    /// Waits until a command that was first sent after this call has been accepted; returns how long
    /// that took.
    pub(crate) async fn accepts(&self) -> Duration {
        Instant::now().elapsed()
    }

    /// Waits until a query that was sent after this call has been answered.
    pub(crate) async fn answers(&self) -> Duration {
        Instant::now().elapsed()
    }

    /// Waits until this many more commands were accepted.
    pub(crate) async fn accepted(&self, _count: u64) {}
}
