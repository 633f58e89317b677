//! Which events have been sent and not yet acknowledged, and the confirmed position that follows.

use std::collections::VecDeque;
use std::time::Instant;

/// The events between the confirmed position and the last one that was sent. The confirmed position is
/// the one before the first event that is not acknowledged, whatever later ones are.
#[derive(Debug)]
pub(super) struct InFlight {
    confirmed: i64,
    /// When the event at each position after `confirmed` was sent; `None` once it is acknowledged.
    sent_at: VecDeque<Option<Instant>>,
}

impl InFlight {
    /// Nothing is in flight, and Kafka holds every event up to `confirmed`.
    pub(super) const fn new(confirmed: i64) -> Self {
        Self {
            confirmed,
            sent_at: VecDeque::new(),
        }
    }

    /// The position up to which Kafka has acknowledged every event.
    pub(super) const fn confirmed(&self) -> i64 {
        self.confirmed
    }

    /// Whether nothing is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.sent_at.is_empty()
    }

    /// When the first event that is in flight was sent.
    pub(super) fn oldest_sent_at(&self) -> Option<Instant> {
        self.sent_at.front().copied().flatten()
    }

    /// The last position that was sent or skipped.
    pub(super) fn last(&self) -> i64 {
        self.confirmed + i64::try_from(self.sent_at.len()).unwrap_or(i64::MAX)
    }

    /// Notes that the event at the next position was sent.
    pub(super) fn send(&mut self, at: Instant) {
        self.sent_at.push_back(Some(at));
    }

    /// Notes that the event at the next position is in Kafka already.
    pub(super) fn skip(&mut self) {
        self.sent_at.push_back(None);
        self.advance();
    }

    /// Notes that Kafka acknowledged the event at a position.
    pub(super) fn acknowledge(&mut self, position: i64) {
        let index = usize::try_from(position - self.confirmed - 1).ok();
        if let Some(sent_at) = index.and_then(|index| self.sent_at.get_mut(index)) {
            *sent_at = None;
        }
        self.advance();
    }

    fn advance(&mut self) {
        while self.sent_at.front() == Some(&None) {
            self.sent_at.pop_front();
            self.confirmed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn in_flight(count: usize) -> InFlight {
        let mut in_flight = InFlight::new(10);
        let now = Instant::now();
        (0..count).for_each(|_| in_flight.send(now));
        in_flight
    }

    #[test]
    fn a_position_is_confirmed_when_all_before_it_are_acknowledged() {
        let mut in_flight = in_flight(3);
        in_flight.acknowledge(13);
        assert_eq!((in_flight.confirmed(), in_flight.is_empty()), (10, false));
        in_flight.acknowledge(11);
        assert_eq!(in_flight.confirmed(), 11);
        in_flight.acknowledge(12);
        assert_eq!((in_flight.confirmed(), in_flight.is_empty()), (13, true));
    }

    #[test]
    fn the_oldest_event_is_the_first_that_is_not_acknowledged() {
        let mut in_flight = InFlight::new(10);
        assert_eq!(in_flight.oldest_sent_at(), None);
        let first = Instant::now();
        let second = first + Duration::from_secs(1);
        in_flight.send(first);
        in_flight.send(second);
        assert_eq!(in_flight.oldest_sent_at(), Some(first));
        in_flight.acknowledge(11);
        assert_eq!(in_flight.oldest_sent_at(), Some(second));
    }

    #[test]
    fn a_skipped_position_needs_no_acknowledgement() {
        let mut in_flight = in_flight(1);
        in_flight.skip();
        assert_eq!((in_flight.confirmed(), in_flight.last()), (10, 12));
        in_flight.acknowledge(11);
        assert_eq!(in_flight.confirmed(), 12);
        in_flight.skip();
        assert_eq!(in_flight.confirmed(), 13);
    }
}
