//! What has been sent and not yet acknowledged, in the order of the log.

use std::collections::VecDeque;

/// The positions after the confirmed one that the relay has dealt with. The confirmed position is
/// the last before the first one that is still open, whatever was acknowledged behind it.
#[derive(Debug)]
pub(super) struct Window {
    confirmed: i64,
    /// Whether each position after `confirmed` is acknowledged.
    done: VecDeque<bool>,
}

impl Window {
    /// Everything up to `confirmed` is in Kafka.
    pub(super) const fn new(confirmed: i64) -> Self {
        Self {
            confirmed,
            done: VecDeque::new(),
        }
    }

    pub(super) const fn confirmed(&self) -> i64 {
        self.confirmed
    }

    /// Nothing is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.done.is_empty()
    }

    /// The last position dealt with.
    pub(super) fn last(&self) -> i64 {
        self.confirmed + i64::try_from(self.done.len()).unwrap_or(i64::MAX)
    }

    /// The next position was sent.
    pub(super) fn sent(&mut self) {
        self.done.push_back(false);
    }

    /// The next position is in Kafka already.
    pub(super) fn skipped(&mut self) {
        self.done.push_back(true);
        self.advance();
    }

    /// A position sent earlier was acknowledged.
    pub(super) fn acknowledged(&mut self, position: i64) {
        let place = usize::try_from(position - self.confirmed - 1).ok();
        if let Some(done) = place.and_then(|place| self.done.get_mut(place)) {
            *done = true;
        }
        self.advance();
    }

    fn advance(&mut self) {
        while self.done.front() == Some(&true) {
            self.done.pop_front();
            self.confirmed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(count: usize) -> Window {
        let mut window = Window::new(10);
        (0..count).for_each(|_| window.sent());
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
