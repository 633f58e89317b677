//! The time: that of Postgres, followed by an offset. The one place that reads the machine's wall clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// The time, in microseconds as Postgres keeps it. Clones share what they follow.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    /// The machine's clock, plus its distance in microseconds to the clock that is followed.
    Followed(Arc<AtomicI64>),
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// A clock that shows the machine's time until it is told another.
    #[must_use]
    pub fn system() -> Self {
        Self {
            source: Source::Followed(Arc::default()),
        }
    }

    /// A clock that stands still.
    #[must_use]
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self {
            source: Source::Fixed(at),
        }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.source {
            Source::Followed(offset_us) => {
                let machine = machine_time();
                let offset = TimeDelta::microseconds(offset_us.load(Ordering::Relaxed));
                machine.checked_add_signed(offset).unwrap_or(machine)
            }
            Source::Fixed(at) => *at,
        }
    }

    /// Follows a server that said just now what time it is. A fixed clock follows nobody.
    pub fn follow(&self, server_time: DateTime<Utc>) {
        if let Source::Followed(offset_us) = &self.source {
            let offset = server_time.signed_duration_since(machine_time());
            offset_us.store(offset.num_microseconds().unwrap_or(0), Ordering::Relaxed);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the edge: others take a `Clock`"
)]
fn machine_time() -> DateTime<Utc> {
    let now = Utc::now();
    // Postgres keeps microseconds: more would differ after a round trip.
    DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::Clock;

    #[test]
    fn clones_follow_the_same_server() {
        let clock = Clock::system();
        let server = clock.now() + TimeDelta::days(400);
        clock.clone().follow(server);
        let ahead = clock.now() - server;
        assert!(
            ahead >= TimeDelta::zero() && ahead < TimeDelta::minutes(1),
            "{ahead}"
        );
    }

    #[test]
    fn a_fixed_clock_stands_still() {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let clock = Clock::fixed(at);
        clock.follow(at + TimeDelta::days(1));
        assert_eq!(clock.now(), at);
    }
}
