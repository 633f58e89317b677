//! What has been sent and not yet acknowledged, in the order of the log.

use std::collections::VecDeque;
use std::time::Instant;

/// The positions after the confirmed one that the relay has dealt with. The confirmed position is
/// the last before the first one that is still open, whatever was acknowledged behind it.
#[derive(Debug)]
pub(super) struct Window {
    confirmed: i64,
    /// The positions after `confirmed`: when each was sent, none once it is acknowledged.
    open: VecDeque<Option<Instant>>,
}

impl Window {
    /// Everything up to `confirmed` is in Kafka.
    pub(super) const fn new(confirmed: i64) -> Self {
        Self {
            confirmed,
            open: VecDeque::new(),
        }
    }

    pub(super) const fn confirmed(&self) -> i64 {
        self.confirmed
    }

    /// Nothing is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// When the oldest record in flight was sent.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.open.front().copied().flatten()
    }

    /// The last position dealt with.
    pub(super) fn last(&self) -> i64 {
        self.confirmed + i64::try_from(self.open.len()).unwrap_or(i64::MAX)
    }

    /// The next position was sent.
    pub(super) fn sent(&mut self, at: Instant) {
        self.open.push_back(Some(at));
    }

    /// The next position is in Kafka already.
    pub(super) fn skipped(&mut self) {
        self.open.push_back(None);
        self.advance();
    }

    /// A position sent earlier was acknowledged.
    pub(super) fn acknowledged(&mut self, position: i64) {
        let place = usize::try_from(position - self.confirmed - 1).ok();
        if let Some(open) = place.and_then(|place| self.open.get_mut(place)) {
            *open = None;
        }
        self.advance();
    }

    fn advance(&mut self) {
        while self.open.front() == Some(&None) {
            self.open.pop_front();
            self.confirmed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(count: usize) -> Window {
        let mut window = Window::new(10);
        let now = Instant::now();
        (0..count).for_each(|_| window.sent(now));
        window
    }

    #[test]
    fn confirms_in_the_order_of_the_log() {
        let mut window = sent(3);
        window.acknowledged(13);
        assert_eq!(window.confirmed(), 10);
        window.acknowledged(11);
        assert_eq!(window.confirmed(), 11);
        window.acknowledged(12);
        assert_eq!((window.confirmed(), window.is_empty()), (13, true));
    }

    #[test]
    fn what_is_there_already_needs_no_acknowledgement() {
        let mut window = sent(1);
        window.skipped();
        assert_eq!((window.confirmed(), window.last()), (10, 12));
        window.acknowledged(11);
        assert_eq!(window.confirmed(), 12);
        window.skipped();
        assert_eq!(window.confirmed(), 13);
    }
}
