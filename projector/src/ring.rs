//! The last events of the feed, for all workers of the process. It waits for nobody: a worker that
//! is behind it reads the log until it is back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{counter, gauge};
use tidemark_events::Recorded;
use tokio::sync::watch;

use crate::source::Page;

/// The newest events, bounded in number and in bytes of data.
#[derive(Debug)]
pub(crate) struct Ring {
    events_max: usize,
    bytes_max: usize,
    kept: Mutex<Kept>,
    head: watch::Sender<i64>,
}

#[derive(Debug)]
struct Kept {
    events: VecDeque<Arc<Recorded>>,
    bytes: usize,
    /// The position of the first event kept, or of the next one if there is none.
    first: i64,
}

impl Ring {
    /// Knows nothing until it is started.
    pub(crate) fn new(events_max: usize, bytes_max: usize) -> Self {
        let kept = Kept {
            events: VecDeque::new(),
            bytes: 0,
            first: i64::MAX,
        };
        Self {
            events_max,
            bytes_max,
            kept: Mutex::new(kept),
            head: watch::Sender::new(0),
        }
    }

    /// The events after `head` will follow.
    pub(crate) fn start(&self, head: i64) {
        self.kept().first = head + 1;
        self.head.send_replace(head);
    }

    /// The next events of the log, right after the last ones.
    pub(crate) fn push(&self, events: Vec<Recorded>) {
        let Some(head) = events.last().map(|event| event.position) else {
            return;
        };
        counter!("tidemark_ring_events_total").increment(events.len() as u64);
        {
            let mut kept = self.kept();
            for event in events {
                kept.bytes += size(&event);
                kept.events.push_back(Arc::new(event));
            }
            while kept.events.len() > self.events_max || kept.bytes > self.bytes_max {
                kept.forget_first();
            }
            measure(&kept);
        }
        self.head.send_replace(head);
    }

    /// The events after a position, at most `max`, none if there is none yet; `None` if they have
    /// left the ring.
    pub(crate) fn after(&self, position: i64, max: usize) -> Option<Page> {
        let kept = self.kept();
        let skipped = usize::try_from(position + 1 - kept.first).ok()?;
        let events: Vec<_> = kept
            .events
            .iter()
            .skip(skipped)
            .take(max)
            .cloned()
            .collect();
        Some(Page {
            to: events.last().map_or(position, |event| event.position),
            is_full: skipped + events.len() < kept.events.len(),
            events,
        })
    }

    /// The last position that the feed gave.
    pub(crate) fn head(&self) -> i64 {
        *self.head.borrow()
    }

    /// Waits until the feed has gone past a position.
    pub(crate) async fn beyond(&self, position: i64) {
        // Fails only if the sender is gone, and it is `self`.
        let _ = self
            .head
            .subscribe()
            .wait_for(|head| *head > position)
            .await;
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget_first(&mut self) {
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
fn measure(kept: &Kept) {
    gauge!("tidemark_ring_events").set(kept.events.len() as f64);
    gauge!("tidemark_ring_bytes").set(kept.bytes as f64);
    gauge!("tidemark_ring_first_position").set(kept.first as f64);
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
    fn a_ring_that_has_not_started_sends_everybody_to_the_log() {
        assert_eq!(positions(&Ring::new(8, 1 << 20), 0, 9), None);
    }

    #[test]
    fn events_are_given_in_order_from_any_position_it_holds() {
        let ring = ring(8, 1 << 20);
        assert_eq!(positions(&ring, 10, 9), Some(vec![11, 12, 13, 14]));
        assert_eq!(positions(&ring, 12, 1), Some(vec![13]));
        assert_eq!(positions(&ring, 14, 9), Some(vec![]));
        assert_eq!(positions(&ring, 20, 9), Some(vec![]), "ahead of the feed");
        assert_eq!(positions(&ring, 9, 9), None, "before the feed");
    }

    #[test]
    fn the_oldest_leave_when_there_are_too_many() {
        let ring = ring(2, 1 << 20);
        assert_eq!(positions(&ring, 11, 9), None);
        assert_eq!(positions(&ring, 12, 9), Some(vec![13, 14]));
    }

    #[test]
    fn the_oldest_leave_when_they_are_too_big() {
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
            "one that never fits is read from the log"
        );
        assert_eq!(positions(&ring, 1, 9), Some(vec![]));
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let ring = Ring::new(8, 1 << 20);
        ring.start(0);
        let waiting = ring.beyond(0);
        tokio::join!(waiting, async { ring.push(vec![recorded(1)]) });
        ring.beyond(0).await;
        assert_eq!(ring.head(), 1);
    }
}
