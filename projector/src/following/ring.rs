//! The newest events of the feed, which all subscribers of the process share. The ring never waits for
//! a subscriber: one whose next event has left the ring reads the log until it has caught up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::{counter, gauge};
use tidemark_event_store::PageLimits;
use tidemark_events::{LogPoint, Recorded};
use tokio::sync::watch;

use super::page::Page;

/// The newest events, bounded in number and in bytes of data.
#[derive(Debug)]
pub(crate) struct Ring {
    events_max: usize,
    bytes_max: usize,
    buffer: Mutex<Buffer>,
    head: watch::Sender<Head>,
}

/// How far the feed has come.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    /// The last position that the feed gave.
    position: i64,
    /// When the feed gave it.
    at: Option<Instant>,
    /// How often the ring was discarded.
    discarded: u64,
}

#[derive(Debug)]
struct Buffer {
    events: VecDeque<Arc<Recorded>>,
    /// The size of the data and metadata of `events`.
    bytes: usize,
    /// Where the oldest event in the ring, or the next event while the ring is empty, follows. None while the feed has
    /// not started.
    before: Option<LogPoint>,
}

impl Ring {
    /// An empty ring, which sends every subscriber to the log until it is started.
    pub(crate) fn new(events_max: usize, bytes_max: usize) -> Self {
        let buffer = Buffer {
            events: VecDeque::new(),
            bytes: 0,
            before: None,
        };
        Self {
            events_max,
            bytes_max,
            buffer: Mutex::new(buffer),
            head: watch::Sender::default(),
        }
    }

    /// Prepares the ring for the events after `head`.
    pub(crate) fn start(&self, head: LogPoint) {
        self.buffer().before = Some(head);
        self.head.send_modify(|it| it.position = head.position);
    }

    /// Drops all events because the log is not the one that it was. Every subscriber that waits starts again from its
    /// checkpoint, and is sent to the log until the ring is started again.
    pub(crate) fn discard(&self) {
        let mut buffer = self.buffer();
        buffer.events.clear();
        buffer.bytes = 0;
        buffer.before = None;
        self.head.send_modify(|it| it.discarded += 1);
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
        self.head.send_modify(|it| {
            it.position = head;
            it.at = Some(Instant::now());
        });
    }

    /// The events after a point, as many as `max` allows, and no events if the feed has given none yet. `None` if they have left the
    /// ring, or if the ring holds another event at that position.
    pub(crate) fn after(&self, point: LogPoint, max: PageLimits) -> Option<Page> {
        let buffer = self.buffer();
        let skipped = usize::try_from(point.position - buffer.before?.position).ok()?;
        if buffer.point_after(skipped).is_some_and(|it| it != point) {
            return None;
        }
        let mut bytes = 0;
        let events: Vec<_> = buffer
            .events
            .iter()
            .skip(skipped)
            .take(usize::try_from(max.events).unwrap_or(usize::MAX))
            .take_while(|event| {
                let has_room = bytes < max.bytes;
                bytes += i64::try_from(event.data.len()).unwrap_or(i64::MAX);
                has_room
            })
            .cloned()
            .collect();
        Some(Page {
            to: events.last().map_or(point, |event| event.point()),
            has_more: skipped + events.len() < buffer.events.len(),
            is_to_be_written: false,
            events,
        })
    }

    /// The last position that the feed gave.
    pub(crate) fn head(&self) -> i64 {
        self.head.borrow().position
    }

    /// Whether the feed has given an event within this time.
    pub(super) fn has_grown_within(&self, time: Duration) -> bool {
        self.head.borrow().at.is_some_and(|at| at.elapsed() < time)
    }

    /// How often the ring was discarded because the log was not the one that it was.
    pub(crate) fn discarded(&self) -> u64 {
        self.head.borrow().discarded
    }

    /// Waits until the feed has given an event after `position`, or the ring was discarded more often than
    /// `discarded`.
    pub(crate) async fn wait_beyond(&self, position: i64, discarded: u64) {
        let is_over = |head: &Head| head.position > position || head.discarded > discarded;
        // Waiting fails only if the sender was dropped, and `self` owns it.
        let _ = self.head.subscribe().wait_for(is_over).await;
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    fn remove_oldest(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.bytes -= size(&event);
            self.before = Some(event.point());
        }
    }

    /// The point after so many events of the ring, if it holds so many.
    fn point_after(&self, events: usize) -> Option<LogPoint> {
        match events.checked_sub(1) {
            None => self.before,
            Some(last) => self.events.get(last).map(|event| event.point()),
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
    let first = buffer.before.map_or(0, |before| before.position + 1);
    gauge!("tidemark_ring_first_position").set(first as f64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::recorded;

    /// So many events of any size.
    const fn events(max: i64) -> PageLimits {
        PageLimits {
            events: max,
            bytes: i64::MAX,
        }
    }

    fn positions(ring: &Ring, after: i64, max: i64) -> Option<Vec<i64>> {
        let page = ring.after(recorded(after).point(), events(max))?;
        Some(page.events.iter().map(|event| event.position).collect())
    }

    fn ring(events_max: usize, bytes_max: usize) -> Ring {
        let ring = Ring::new(events_max, bytes_max);
        ring.start(recorded(10).point());
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
    fn a_page_ends_once_it_is_large_and_has_an_event_at_least() {
        let ring = ring(8, 1 << 20);
        let size = i64::try_from(recorded(1).data.len()).unwrap();
        for (bytes, expected) in [(1, 11), (size, 11), (size + 1, 12), (9 * size, 14)] {
            let page = ring.after(recorded(10).point(), PageLimits { events: 9, bytes });
            let page = page.unwrap();
            assert_eq!(page.to.position, expected);
            assert_eq!(page.has_more, expected < 14);
        }
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
        ring.start(LogPoint::START);
        ring.push(vec![recorded(1)]);
        assert!(
            ring.after(LogPoint::START, events(9)).is_none(),
            "an event larger than the ring is read from the log"
        );
        assert_eq!(positions(&ring, 1, 9), Some(vec![]));
    }

    #[tokio::test]
    async fn a_subscriber_that_waits_is_woken_by_the_next_event() {
        let ring = Ring::new(8, 1 << 20);
        ring.start(LogPoint::START);
        let waiting = ring.wait_beyond(0, 0);
        tokio::join!(waiting, async { ring.push(vec![recorded(1)]) });
        ring.wait_beyond(0, 0).await;
        assert_eq!(ring.head(), 1);
    }

    #[test]
    fn a_subscriber_that_comes_from_another_log_is_sent_to_the_log() {
        let ring = ring(8, 1 << 20);
        for position in [10, 12] {
            let elsewhere = LogPoint {
                position,
                event_id: Some(uuid::Uuid::from_u128(99)),
            };
            assert!(ring.after(elsewhere, events(9)).is_none());
        }
    }

    #[tokio::test]
    async fn a_subscriber_that_waits_is_woken_when_the_ring_is_discarded() {
        let ring = ring(8, 1 << 20);
        tokio::join!(ring.wait_beyond(14, 0), async { ring.discard() });
        assert_eq!(positions(&ring, 12, 9), None);
        ring.start(recorded(12).point());
        assert_eq!(positions(&ring, 12, 9), Some(vec![]));
    }
}
