//! Pauses that grow while nothing happens.

use std::time::Duration;

/// A pause that doubles each time that it is taken, from `min` to `max`.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Begins with `min`.
    #[must_use]
    pub const fn new(min: Duration, max: Duration) -> Self {
        Self {
            min,
            max,
            next: min,
        }
    }

    /// The pause to make now.
    pub fn take(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.max);
        pause
    }

    /// Begins anew, because something has happened.
    pub const fn reset(&mut self) {
        self.next = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_until_something_happens() {
        let [min, max] = [5, 100].map(Duration::from_millis);
        let mut backoff = Backoff::new(min, max);
        let pauses: Vec<_> = (0..7).map(|_| backoff.take().as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 100, 100]);
        backoff.reset();
        assert_eq!(backoff.take(), min);
    }
}
