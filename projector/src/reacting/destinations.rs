//! The destinations of an effect, such as hosts: how many calls each has in flight, and which of them are left alone because
//! they do not answer (a circuit breaker). A destination is forgotten once nothing is known of it but that it answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::gauge;
use tokio::time::Instant;

/// What each destination is granted by one process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The most calls in flight.
    pub(super) in_flight_max: usize,
    /// After so many calls in a row without an answer the destination is left alone.
    pub(super) failures_max: u32,
    /// For how long at first. That doubles each time that a call afterwards gets no answer either.
    pub(super) pause_min: Duration,
    /// For how long at most.
    pub(super) pause_max: Duration,
}

/// The destinations that are called, or left alone.
#[derive(Clone, Debug)]
pub(super) struct Destinations {
    /// The name of the effect.
    effect: &'static str,
    limits: Limits,
    known: Arc<Mutex<HashMap<String, Destination>>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Destination {
    in_flight: usize,
    /// The calls in a row that got no answer.
    failures: u32,
    left_alone: Option<LeftAlone>,
}

#[derive(Clone, Copy, Debug)]
struct LeftAlone {
    until: Instant,
    pause: Duration,
}

/// How many more calls some destinations may have; all others may have as many as the limit says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) destinations: Vec<String>,
    pub(super) calls: Vec<i64>,
    /// The next time at which one of them is not left alone any more.
    pub(super) more_at: Option<Instant>,
}

impl Destinations {
    pub(super) fn new(effect: &'static str, limits: Limits) -> Self {
        Self {
            effect,
            limits,
            known: Arc::default(),
        }
    }

    /// The most calls that a destination may have in flight.
    pub(super) const fn in_flight_max(&self) -> usize {
        self.limits.in_flight_max
    }

    /// Which destinations may have fewer calls than the limit.
    pub(super) fn room(&self) -> Room {
        let now = Instant::now();
        let mut room = Room::default();
        for (name, destination) in &*self.known() {
            let calls = destination.room(&self.limits, now);
            room.destinations.push(name.clone());
            room.calls.push(i64::try_from(calls).unwrap_or(i64::MAX));
            if let Some(LeftAlone { until, .. }) = destination.left_alone
                && until > now
            {
                room.more_at = Some(room.more_at.map_or(until, |at| at.min(until)));
            }
        }
        room
    }

    /// Begins a call, which is in flight until it is dropped.
    pub(super) fn call(&self, destination: String) -> Call {
        self.known()
            .entry(destination.clone())
            .or_default()
            .in_flight += 1;
        Call {
            destinations: self.clone(),
            destination,
        }
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Destination)) {
        let mut known = self.known();
        let Some(destination) = known.get_mut(name) else {
            return;
        };
        let was_left_alone = destination.left_alone.is_some();
        change(destination);
        let is_left_alone = destination.left_alone.is_some();
        if destination.in_flight == 0 && destination.failures == 0 {
            known.remove(name);
        }
        if is_left_alone == was_left_alone {
            return;
        }
        let effect = self.effect;
        if is_left_alone {
            tracing::warn!(
                effect,
                destination = name,
                "it does not answer, and is left alone for a while"
            );
        } else {
            tracing::info!(effect, destination = name, "it answers again");
        }
        let left_alone = known.values().filter(|it| it.left_alone.is_some()).count();
        let left_alone = u32::try_from(left_alone).unwrap_or(u32::MAX);
        gauge!("tidemark_effect_left_alone_destinations", "effect" => effect).set(left_alone);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Destination>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Destination {
    /// How many more calls it may have. One that was left alone has one at a time until it answers.
    fn room(&self, limits: &Limits, now: Instant) -> usize {
        let most = match self.left_alone {
            Some(LeftAlone { until, .. }) if now < until => 0,
            Some(_) => 1,
            None => limits.in_flight_max,
        };
        most.saturating_sub(self.in_flight)
    }

    fn fail(&mut self, limits: &Limits, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures < limits.failures_max {
            return;
        }
        let pause = match self.left_alone {
            // The call was in flight before.
            Some(LeftAlone { until, .. }) if now < until => return,
            Some(LeftAlone { pause, .. }) => (pause * 2).min(limits.pause_max),
            None => limits.pause_min,
        };
        let until = now + pause;
        self.left_alone = Some(LeftAlone { until, pause });
    }
}

/// A call that is in flight.
#[derive(Debug)]
pub(super) struct Call {
    destinations: Destinations,
    destination: String,
}

impl Call {
    /// Says whether the destination has answered.
    pub(super) fn tell(&self, has_answered: bool) {
        let limits = &self.destinations.limits;
        self.destinations.change(&self.destination, |it| {
            if has_answered {
                (it.failures, it.left_alone) = (0, None);
            } else {
                it.fail(limits, Instant::now());
            }
        });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.destinations
            .change(&self.destination, |it| it.in_flight -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn destinations() -> Destinations {
        let limits = Limits {
            in_flight_max: 3,
            failures_max: 2,
            pause_min: SECOND,
            pause_max: 3 * SECOND,
        };
        Destinations::new("ring", limits)
    }

    /// How many more calls the destination `a` may have.
    fn room(destinations: &Destinations) -> i64 {
        let Room {
            destinations,
            calls,
            ..
        } = destinations.room();
        let known = destinations.iter().position(|it| it == "a");
        known.map_or(3, |index| calls[index])
    }

    fn call(destinations: &Destinations, has_answered: bool) {
        destinations.call("a".to_owned()).tell(has_answered);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_in_flight_take_room_until_they_end() {
        let destinations = destinations();
        let calls: Vec<_> = (0..3).map(|_| destinations.call("a".to_owned())).collect();
        let other = destinations.call("b".to_owned());
        assert_eq!(room(&destinations), 0);
        drop(calls);
        assert_eq!(room(&destinations), 3);
        drop(other);
        assert_eq!(destinations.room(), Room::default(), "both are forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_is_left_alone_longer_and_longer_and_then_called_once() {
        let destinations = destinations();
        call(&destinations, false);
        assert_eq!(room(&destinations), 3);
        for seconds in [1, 2, 3, 3] {
            call(&destinations, false);
            assert_eq!(room(&destinations), 0);
            let until = Instant::now() + seconds * SECOND;
            assert_eq!(destinations.room().more_at, Some(until));
            tokio::time::advance(seconds * SECOND).await;
            assert_eq!(room(&destinations), 1);
            assert_eq!(destinations.room().more_at, None);
        }
        call(&destinations, true);
        assert_eq!(destinations.room(), Room::default());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_were_in_flight_when_it_was_left_alone_make_it_no_longer() {
        let destinations = destinations();
        let calls: Vec<_> = (0..3).map(|_| destinations.call("a".to_owned())).collect();
        for call in &calls {
            call.tell(false);
        }
        assert_eq!(destinations.room().more_at, Some(Instant::now() + SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_between_failures_begins_their_count_anew() {
        let destinations = destinations();
        for has_answered in [false, true, false] {
            call(&destinations, has_answered);
        }
        assert_eq!(room(&destinations), 3);
    }
}
