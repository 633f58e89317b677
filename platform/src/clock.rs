//! The time. It is that of Postgres, which a process follows by the machine's monotonic clock: whoever hears
//! the time from Postgres passes it on, and in between monotonic time moves it. The machine's wall clock is
//! read once, for the time before Postgres has answered; a later step of it changes nothing.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// How often a server is asked for its time. It is no setting: the clocks of two machines drift apart by less
/// than a millisecond meanwhile.
const INTERVAL: Duration = Duration::from_secs(10);

/// How far ahead, in microseconds, the clock may be because two clocks drift apart, and not because the
/// server's was set back. It is no setting: a machine of which it does not hold, within [`INTERVAL`], is broken,
/// and a wrong value would hide that the server's clock was set back.
const DRIFT_MAX_US: i64 = 1_000;

/// Tells the time in whole microseconds, as Postgres stores it. Clones follow the same server.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Followed(Arc<Followed>),
    Fixed(DateTime<Utc>),
}

/// The clock of a server.
#[derive(Debug)]
struct Followed {
    /// The moment from which monotonic time is counted.
    origin: Instant,
    /// What the server's clock showed at that moment, in microseconds since 1970.
    server_at_origin: AtomicI64,
}

impl Clock {
    /// A clock that goes on from the machine's time until `follow` is called.
    #[must_use]
    pub fn system() -> Self {
        Self::starting_at(machine_time())
    }

    /// A clock that goes on from this time until `follow` is called.
    fn starting_at(now: DateTime<Utc>) -> Self {
        Self {
            source: Source::Followed(Arc::new(Followed {
                origin: Instant::now(),
                server_at_origin: AtomicI64::new(now.timestamp_micros()),
            })),
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
            Source::Followed(server) => {
                let at_origin = server.server_at_origin.load(Ordering::Relaxed);
                let now = at_origin.saturating_add(micros(server.origin.elapsed()));
                DateTime::from_timestamp_micros(now).unwrap_or_default()
            }
            Source::Fixed(at) => *at,
        }
    }

    /// Follows a server, which `ask` asks for its time, again and again for ever.
    pub async fn follow_for_ever<F, E>(self, ask: impl Fn() -> F)
    where
        F: Future<Output = Result<DateTime<Utc>, E>>,
        E: Display,
    {
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            ticks.tick().await;
            let asked_at = Instant::now();
            match ask().await {
                Ok(server_time) => self.follow(server_time, asked_at),
                Err(error) => tracing::warn!(%error, "the time cannot be asked for"),
            }
        }
    }

    /// Follows a server that was asked at `asked_at` and has just told its time. The server looked at its
    /// clock at some moment in between. As long as what is known agrees with that, but for what the two
    /// clocks drift apart, it is kept; otherwise the clock is set back to the told time. So it is never
    /// further ahead of the server than they drift apart, and an answer that took seconds to come is no
    /// reason to be behind by seconds. On a fixed clock it has no effect.
    pub fn follow(&self, server_time: DateTime<Utc>, asked_at: Instant) {
        if let Source::Followed(server) = &self.source {
            let told = server_time.timestamp_micros();
            let asked_at = micros(asked_at.saturating_duration_since(server.origin));
            let answered_at = micros(server.origin.elapsed());
            let known = server.server_at_origin.load(Ordering::Relaxed);
            let followed = followed(known, told, asked_at, answered_at);
            server.server_at_origin.store(followed, Ordering::Relaxed);
        }
    }
}

/// What the server's clock showed at the origin, given what was `known` of that and the time that the server
/// has `told`. It was asked and answered so long after the origin.
const fn followed(known: i64, told: i64, asked_at: i64, answered_at: i64) -> i64 {
    let at_latest = told.saturating_sub(asked_at);
    let at_earliest = told.saturating_sub(answered_at);
    if known < at_earliest || known > at_latest.saturating_add(DRIFT_MAX_US) {
        at_earliest
    } else if known > at_latest {
        at_latest
    } else {
        known
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[expect(
    clippy::disallowed_methods,
    reason = "everybody else is given a `Clock`"
)]
fn machine_time() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use chrono::{DateTime, TimeDelta, Utc};

    use super::{Clock, followed};

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn clones_follow_the_same_server() {
        let clock = Clock::starting_at(noon());
        for server in [TimeDelta::days(400), TimeDelta::days(-400)].map(|step| noon() + step) {
            clock.clone().follow(server, Instant::now());
            let ahead = clock.now() - server;
            assert!(ahead >= TimeDelta::zero(), "{ahead}");
            assert!(ahead < TimeDelta::minutes(1), "{ahead}");
        }
    }

    #[test]
    fn what_a_fast_answer_told_is_kept_until_another_contradicts_it() {
        // Of a server that is ahead, no more is known than that it told the time when it answered.
        let known = followed(0, 1_000_000, 50, 60);
        assert_eq!(known, 1_000_000 - 60);
        // An answer that took long agrees with it, whenever within that time the server was asked.
        assert_eq!(followed(known, 1_000_500, 100, 2_000), known);
        // The clock of the server was set ahead, and set back.
        assert_eq!(followed(known, 9_000_000, 100, 2_000), 9_000_000 - 2_000);
        assert_eq!(followed(known, 500, 100, 2_000), 500 - 2_000);
    }

    #[test]
    fn a_slow_answer_takes_back_no_more_than_what_the_clocks_have_drifted_apart() {
        let known = followed(0, 1_000_000, 50, 60);
        // The server looked at its clock just when it was asked, and ours is 1 us ahead by now.
        let asked_at = 500;
        let told = known + asked_at - 1;
        assert_eq!(followed(known, told, asked_at, 1_200_000), known - 1);
    }

    #[test]
    fn a_fixed_clock_stands_still() {
        let clock = Clock::fixed(noon());
        clock.follow(noon() + TimeDelta::days(1), Instant::now());
        assert_eq!(clock.now(), noon());
    }
}
