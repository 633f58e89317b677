//! What a subscriber is given at once: the next events of the log.

use std::sync::Arc;

use tidemark_events::Recorded;

/// The next events of the log, in order.
#[derive(Debug)]
pub(crate) struct Page {
    /// All events up to `to` that the subscriber wants, and perhaps others.
    pub(crate) events: Vec<Arc<Recorded>>,
    /// The position where the page ends. The log has no other wanted events up to here.
    pub(crate) to: i64,
    /// Whether the log had more events after `to` when the page was read.
    pub(crate) has_more: bool,
}
