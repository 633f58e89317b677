//! What a subscriber is given at once: the next events of the log.

use std::sync::Arc;

use tidemark_event_store::PageLimits;
use tidemark_events::{LogPoint, Recorded};
use tidemark_platform::config::Projection;

/// The next events of the log, in order.
#[derive(Debug)]
pub(crate) struct Page {
    /// All events up to `to` that the subscriber wants, and perhaps others.
    pub(crate) events: Vec<Arc<Recorded>>,
    /// Where the page ends. The log has no other wanted events up to here.
    pub(crate) to: LogPoint,
    /// Whether the log had more events after `to` when the page was read.
    pub(crate) has_more: bool,
    /// Whether what it changes is to be written at once, although the log has more.
    pub(crate) is_to_be_written: bool,
}

/// How much of the log is read at once.
pub(super) fn page_limits(settings: &Projection) -> PageLimits {
    PageLimits {
        events: i64::try_from(settings.batch_max).unwrap_or(i64::MAX),
        bytes: settings.batch_bytes_max,
    }
}

impl Page {
    /// Keeps so many events, and returns a page with the others, if there are any.
    pub(super) fn split_off(&mut self, events: usize) -> Option<Self> {
        let others = self.events.split_off(events.min(self.events.len()));
        let last = self.events.last().filter(|_| !others.is_empty())?.point();
        let rest = Self {
            events: others,
            ..*self
        };
        self.to = last;
        self.has_more = true;
        Some(rest)
    }

    /// The last event of the page before a position.
    pub(crate) fn before(&self, position: i64) -> Option<LogPoint> {
        let mut earlier = self
            .events
            .iter()
            .rev()
            .skip_while(|event| event.position >= position);
        earlier.next().map(|event| event.point())
    }
}
