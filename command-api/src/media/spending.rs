//! How long pictures of each user were looked at, so that nobody takes all of the time that there is for everybody's.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::admission::Share;

/// A share may spend as much as it may in this time, again and again.
const PERIOD: Duration = Duration::from_mins(1);

/// What each share has spent lately. A share that has spent nothing has no entry.
#[derive(Debug)]
pub(super) struct Spending {
    max: Duration,
    spent: Mutex<HashMap<Share, Spent>>,
}

/// What was spent and is not given back yet, at a time.
#[derive(Clone, Copy, Debug)]
struct Spent {
    time: Duration,
    at: Instant,
}

impl Spending {
    /// A share may spend up to `max` at once, and gets that back within [`PERIOD`].
    pub(super) fn new(max: Duration) -> Self {
        Self {
            max,
            spent: Mutex::default(),
        }
    }

    /// How long a share has to wait until it may spend more; none if it need not.
    pub(super) fn wait(&self, share: &Share, now: Instant) -> Option<Duration> {
        let spent = self.lock().get(share).copied()?;
        let over = self.left(spent, now).checked_sub(self.max)?;
        // What is spent to the last bit is over by nothing, and given back at once.
        Some(
            over.mul_f64(self.periods_of_second())
                .max(Duration::from_secs(1)),
        )
    }

    /// Counts what a share has spent.
    pub(super) fn spend(&self, share: Share, time: Duration, now: Instant) {
        let mut spent = self.lock();
        spent.retain(|_, it| !self.left(*it, now).is_zero());
        let left = spent.get(&share).map(|it| self.left(*it, now));
        let time = left.unwrap_or_default() + time;
        spent.insert(share, Spent { time, at: now });
    }

    /// What is not given back yet.
    fn left(&self, spent: Spent, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(spent.at);
        let given_back = passed.div_f64(self.periods_of_second());
        spent.time.saturating_sub(given_back)
    }

    /// How long it takes until a second is given back, in seconds.
    fn periods_of_second(&self) -> f64 {
        PERIOD.div_duration_f64(self.max)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Share, Spent>> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn share(name: &str) -> Share {
        Share::Service(name.into())
    }

    #[test]
    fn a_share_that_has_spent_its_time_waits_until_it_is_given_back() {
        let spending = Spending::new(seconds(20));
        let begin = Instant::now();
        let wait = |name, after| spending.wait(&share(name), begin + seconds(after));
        assert_eq!(wait("greedy", 0), None);
        spending.spend(share("greedy"), seconds(12), begin);
        assert_eq!(wait("greedy", 0), None);
        spending.spend(share("greedy"), seconds(12), begin);
        // Of 24 seconds 4 are to be given back, one in three.
        assert_eq!(wait("greedy", 0), Some(seconds(12)));
        assert_eq!(wait("greedy", 9), Some(seconds(3)));
        assert_eq!(wait("greedy", 13), None);
        assert_eq!(wait("modest", 0), None);
    }

    #[test]
    fn what_was_spent_is_forgotten_when_it_is_given_back() {
        let spending = Spending::new(seconds(20));
        let begin = Instant::now();
        spending.spend(share("one"), seconds(10), begin);
        spending.spend(share("other"), seconds(1), begin + seconds(29));
        assert_eq!(spending.lock().len(), 2);
        spending.spend(share("other"), seconds(1), begin + seconds(31));
        assert_eq!(spending.lock().len(), 1);
    }
}
