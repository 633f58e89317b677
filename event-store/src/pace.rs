//! How often something is done that costs as much for one event as for many.

use std::time::Duration;

use tokio::time::Instant;

/// One turn an interval under load. After a pause two turns are taken at once: what comes then is often little.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    /// When the turns that were taken would have ended if each took an interval.
    ends_at: Instant,
}

impl Pace {
    /// No turn was taken yet.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            ends_at: Instant::now(),
        }
    }

    /// When the next turn may be taken; it may be in the past.
    #[must_use]
    pub fn next(&self) -> Instant {
        self.ends_at
            .checked_sub(self.interval)
            .unwrap_or(self.ends_at)
    }

    /// Takes a turn now.
    pub fn take(&mut self) {
        self.ends_at = self.ends_at.max(Instant::now()) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, sleep_until};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_turns_are_taken_at_once_after_a_pause_and_then_one_an_interval() {
        let interval = Duration::from_millis(10);
        let mut pace = Pace::new(interval);
        for _ in 0..2 {
            let began = Instant::now();
            let mut taken = Vec::new();
            for _ in 0..5 {
                sleep_until(pace.next()).await;
                pace.take();
                taken.push(began.elapsed().as_millis());
            }
            assert_eq!(taken, [0, 0, 10, 20, 30]);
            sleep(3 * interval).await;
        }
    }
}
