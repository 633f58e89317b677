//! The time. It is that of Postgres, which a process follows by keeping its offset from the machine's clock.
//! Nothing else reads the machine's wall clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// Tells the time in whole microseconds, as Postgres stores it. Clones follow the same server.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    /// The machine's clock, plus the offset in microseconds of the server that is followed.
    Followed(Arc<AtomicI64>),
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// A clock that shows the machine's time until `follow` is called.
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

    /// The present time.
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

    /// Sets the clock to the time that a server has just told. On a fixed clock it has no effect.
    pub fn follow(&self, server_time: DateTime<Utc>) {
        if let Source::Followed(offset_us) = &self.source {
            let offset = server_time.signed_duration_since(machine_time());
            offset_us.store(offset.num_microseconds().unwrap_or(0), Ordering::Relaxed);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "everybody else is given a `Clock`"
)]
fn machine_time() -> DateTime<Utc> {
    let now = Utc::now();
    // Postgres stores microseconds, so nanoseconds would be lost when a time is read back.
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
