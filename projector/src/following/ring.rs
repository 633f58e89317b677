//! The newest events of the feed, which all subscribers of the process share. The ring never waits for
//! a subscriber: one whose next event has left the ring reads the log until it has caught up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{counter, gauge};
use tidemark_events::Recorded;
use tokio::sync::watch;

use super::page::Page;

/// The newest events, bounded in number and in bytes of data.
#[derive(Debug)]
pub(crate) struct Ring {
    events_max: usize,
    bytes_max: usize,
    buffer: Mutex<Buffer>,
    /// The last position that the feed gave.
    head: watch::Sender<i64>,
}

#[derive(Debug)]
struct Buffer {
    events: VecDeque<Arc<Recorded>>,
    /// The size of the data and metadata of `events`.
    bytes: usize,
    /// The position of the oldest event in the ring, or of the next event while the ring is empty.
    first: i64,
}

impl Ring {
    /// An empty ring, which sends every subscriber to the log until it is started.
    pub(crate) fn new(events_max: usize, bytes_max: usize) -> Self {
        let buffer = Buffer {
            events: VecDeque::new(),
            bytes: 0,
            first: i64::MAX,
        };
        Self {
            events_max,
            bytes_max,
            buffer: Mutex::new(buffer),
            head: watch::Sender::new(0),
        }
    }

    /// Prepares the ring for the events after `head`.
    pub(crate) fn start(&self, head: i64) {
        self.buffer().first = head + 1;
        self.head.send_replace(head);
    }

    /// Adds the next events of the log. They must follow the last ones without a gap.
    pub(crate) fn push(&self, events: Vec<Recorded>) {
        let Some(head) = events.last().map(|event| event.position) else {
            return;
        };
        counter!("tidemark_ring_events_total").increment(events.len() as u64);
        {
            let mut buffer = self.buffer();
            for event in events {
                buffer.bytes += size(&event);
                buffer.events.push_back(Arc::new(event));
            }
            while buffer.events.len() > self.events_max || buffer.bytes > self.bytes_max {
                buffer.remove_oldest();
            }
            measure(&buffer);
        }
        self.head.send_replace(head);
    }

    /// At most `max` events after a position, and no events if the feed has given none yet. `None` if
    /// they have left the ring.
    pub(crate) fn after(&self, position: i64, max: usize) -> Option<Page> {
        let buffer = self.buffer();
        let skipped = usize::try_from(position + 1 - buffer.first).ok()?;
        let events: Vec<_> = buffer
            .events
            .iter()
            .skip(skipped)
            .take(max)
            .cloned()
            .collect();
        Some(Page {
            to: events.last().map_or(position, |event| event.position),
            has_more: skipped + events.len() < buffer.events.len(),
            events,
        })
    }

    /// The last position that the feed gave.
    pub(crate) fn head(&self) -> i64 {
        *self.head.borrow()
    }

    /// Waits until the feed has given an event after `position`.
    pub(crate) async fn wait_beyond(&self, position: i64) {
        // Waiting fails only if the sender was dropped, and `self` owns it.
        let _ = self
            .head
            .subscribe()
            .wait_for(|head| *head > position)
            .await;
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    fn remove_oldest(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.bytes -= size(&event);
            self.first = event.position + 1;
        }
    }
}

fn size(event: &Recorded) -> usize {
    event.data.len() + event.metadata.len()
}

#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn measure(buffer: &Buffer) {
    gauge!("tidemark_ring_events").set(buffer.events.len() as f64);
    gauge!("tidemark_ring_bytes").set(buffer.bytes as f64);
    gauge!("tidemark_ring_first_position").set(buffer.first as f64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::recorded;

    fn positions(ring: &Ring, after: i64, max: usize) -> Option<Vec<i64>> {
        let page = ring.after(after, max)?;
        Some(page.events.iter().map(|event| event.position).collect())
    }

    fn ring(events_max: usize, bytes_max: usize) -> Ring {
        let ring = Ring::new(events_max, bytes_max);
        ring.start(10);
        ring.push((11..=14).map(recorded).collect());
        ring
    }

    #[test]
    fn a_ring_that_has_not_started_sends_every_subscriber_to_the_log() {
        assert_eq!(positions(&Ring::new(8, 1 << 20), 0, 9), None);
    }

    #[test]
    fn events_come_in_order_from_any_position_that_the_ring_holds() {
        let ring = ring(8, 1 << 20);
        assert_eq!(positions(&ring, 10, 9), Some(vec![11, 12, 13, 14]));
        assert_eq!(positions(&ring, 12, 1), Some(vec![13]));
        assert_eq!(positions(&ring, 14, 9), Some(vec![]));
        assert_eq!(positions(&ring, 20, 9), Some(vec![]), "ahead of the feed");
        assert_eq!(positions(&ring, 9, 9), None, "before the feed");
    }

    #[test]
    fn the_oldest_events_leave_when_there_are_too_many() {
        let ring = ring(2, 1 << 20);
        assert_eq!(positions(&ring, 11, 9), None);
        assert_eq!(positions(&ring, 12, 9), Some(vec![13, 14]));
    }

    #[test]
    fn the_oldest_events_leave_when_they_are_too_large() {
        let bytes = size(&recorded(1));
        let ring = ring(8, 3 * bytes);
        assert_eq!(positions(&ring, 10, 9), None);
        assert_eq!(positions(&ring, 11, 9), Some(vec![12, 13, 14]));
        let ring = Ring::new(8, bytes - 1);
        ring.start(0);
        ring.push(vec![recorded(1)]);
        assert_eq!(
            positions(&ring, 0, 9),
            None,
            "an event larger than the ring is read from the log"
        );
        assert_eq!(positions(&ring, 1, 9), Some(vec![]));
    }

    #[tokio::test]
    async fn a_subscriber_that_waits_is_woken_by_the_next_event() {
        let ring = Ring::new(8, 1 << 20);
        ring.start(0);
        let waiting = ring.wait_beyond(0);
        tokio::join!(waiting, async { ring.push(vec![recorded(1)]) });
        ring.wait_beyond(0).await;
        assert_eq!(ring.head(), 1);
    }
}
