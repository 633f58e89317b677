//! The destinations of an effect, such as hosts: how many calls each has in flight, and which of them are left alone because
//! they do not answer (a circuit breaker).
//!
//! Many users call one destination, and what one of them asks for must not cost the others their calls. So there are two bounds
//! and two breakers of the same kind: those of the destination as a whole, and those of each user there. What a call shows
//! decides which one it counts for. A destination that cannot be reached is away for everybody. One that is reached and does not
//! answer, or says that it has too much to do, may do so because of what this user asked for, and counts as reached for all others.
//! A call that no user has made counts for the whole, whatever it shows.
//!
//! Whoever comes first leaves places for others: a user may have one more call only if more places are free than the user has calls
//! there. So the first one takes half of them, the next one half of the rest, and so on, and of eight places the last one waits for a
//! fourth user.
//!
//! What is known is forgotten when nothing is in flight and no call has failed lately, since clients name the destinations.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::gauge;
use tokio::time::Instant;
use uuid::Uuid;

use super::effects::Contact;

/// What each destination is granted by one process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The most calls in flight.
    pub(super) in_flight_max: usize,
    /// The most of these that are one user's.
    pub(super) owner_in_flight_max: usize,
    /// After so many calls in a row that failed it is left alone.
    pub(super) failures_max: u32,
    /// For how long at first. That doubles each time that a call afterwards fails too.
    pub(super) pause_min: Duration,
    /// For how long at most. If no call is made for as long after a pause, or after a failure, nothing waits, and it is forgotten.
    pub(super) pause_max: Duration,
}

/// The destinations that are called, or left alone.
#[derive(Clone, Debug)]
pub(super) struct Destinations {
    /// The name of the effect.
    effect: &'static str,
    limits: Limits,
    known: Arc<Mutex<Known>>,
}

type Known = HashMap<Access, State>;

/// Who calls a destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Access {
    destination: String,
    /// One user, or with none everybody together.
    owner_id: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    in_flight: usize,
    /// The calls in a row that failed.
    failures: u32,
    left_alone: Option<LeftAlone>,
    /// Until when the failures are of interest; none without one.
    remembered_until: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct LeftAlone {
    until: Instant,
    pause: Duration,
}

impl Destinations {
    pub(super) fn new(effect: &'static str, limits: Limits) -> Self {
        Self {
            effect,
            limits,
            known: Arc::default(),
        }
    }

    /// The next time at which one of them is not left alone any more.
    pub(super) fn more_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut known = self.known();
        self.forget(&mut known, now);
        let left_alone = known.values().filter_map(|it| it.left_alone);
        let ends = left_alone.map(|it| it.until);
        ends.filter(|until| *until > now).min()
    }

    /// Begins a call for this user, or for none, if there is room for it. It is in flight until it is dropped.
    pub(super) fn begin(&self, destination: String, owner_id: Option<Uuid>) -> Option<Call> {
        let of_all = Access {
            destination: destination.clone(),
            owner_id: None,
        };
        let of_owner = owner_id.map(|owner_id| Access {
            destination,
            owner_id: Some(owner_id),
        });
        let now = Instant::now();
        let mut known = self.known();
        let state = |access| known.get(access).copied().unwrap_or_default();
        let free = state(&of_all).room(self.limits.in_flight_max, now);
        let has_room = of_owner.as_ref().is_none_or(|of_owner| {
            let state = state(of_owner);
            free > state.in_flight && state.room(self.limits.owner_in_flight_max, now) > 0
        });
        if free == 0 || !has_room {
            return None;
        }
        for access in [Some(&of_all), of_owner.as_ref()].into_iter().flatten() {
            known.entry(access.clone()).or_default().in_flight += 1;
        }
        drop(known);
        Some(Call {
            destinations: self.clone(),
            of_all,
            of_owner,
        })
    }

    fn change(&self, access: &Access, change: impl FnOnce(&mut State)) {
        let mut known = self.known();
        let Some(state) = known.get_mut(access) else {
            return;
        };
        let was_left_alone = state.left_alone.is_some();
        change(state);
        let is_left_alone = state.left_alone.is_some();
        if state.in_flight == 0 && state.remembered_until.is_none() {
            known.remove(access);
        }
        if is_left_alone == was_left_alone {
            return;
        }
        let (effect, owner_id) = (self.effect, access.owner_id);
        let destination = &access.destination;
        if is_left_alone {
            tracing::warn!(
                effect,
                destination,
                ?owner_id,
                "it does not answer, and is left alone for a while"
            );
        } else {
            tracing::info!(effect, destination, ?owner_id, "it answers again");
        }
        self.show(&known);
    }

    /// Forgets what failed long ago. If anything had waited for it, it would have been called since.
    fn forget(&self, known: &mut Known, now: Instant) {
        let count = known.len();
        known.retain(|_, it| it.in_flight > 0 || it.remembered_until.is_some_and(|it| now < it));
        if known.len() < count {
            self.show(known);
        }
    }

    /// Shows operators how many are left alone.
    fn show(&self, known: &Known) {
        let left_alone = known.values().filter(|it| it.left_alone.is_some()).count();
        let left_alone = u32::try_from(left_alone).unwrap_or(u32::MAX);
        gauge!("tidemark_effect_left_alone_destinations", "effect" => self.effect).set(left_alone);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many more calls there may be. After a pause there is one at a time until one succeeds.
    fn room(&self, most: usize, now: Instant) -> usize {
        let most = match self.left_alone {
            Some(LeftAlone { until, .. }) if now < until => 0,
            Some(_) => 1,
            None => most,
        };
        most.saturating_sub(self.in_flight)
    }

    fn fail(&mut self, limits: &Limits, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= limits.failures_max {
            self.leave_alone(limits, now);
        }
        let pause_ends = self.left_alone.map_or(now, |it| it.until.max(now));
        self.remembered_until = Some(pause_ends + limits.pause_max);
    }

    fn leave_alone(&mut self, limits: &Limits, now: Instant) {
        let pause = match self.left_alone {
            // The call was in flight before.
            Some(LeftAlone { until, .. }) if now < until => return,
            Some(LeftAlone { pause, .. }) => (pause * 2).min(limits.pause_max),
            None => limits.pause_min,
        };
        let until = now + pause;
        self.left_alone = Some(LeftAlone { until, pause });
    }

    const fn succeed(&mut self) {
        (self.failures, self.left_alone, self.remembered_until) = (0, None, None);
    }
}

/// A call that is in flight.
#[derive(Debug)]
pub(super) struct Call {
    destinations: Destinations,
    of_all: Access,
    /// None if no user has made it.
    of_owner: Option<Access>,
}

impl Call {
    /// Says what the call has shown of the destination.
    pub(super) fn tell(&self, contact: Contact) {
        match (contact, &self.of_owner) {
            (Contact::Answered, of_owner) => {
                self.succeeded(&self.of_all);
                if let Some(of_owner) = of_owner {
                    self.succeeded(of_owner);
                }
            }
            (Contact::Unanswered, Some(of_owner)) => {
                self.succeeded(&self.of_all);
                self.failed(of_owner);
            }
            (Contact::Unanswered, None) | (Contact::Unreachable, _) => self.failed(&self.of_all),
        }
    }

    fn succeeded(&self, access: &Access) {
        self.destinations.change(access, State::succeed);
    }

    fn failed(&self, access: &Access) {
        let limits = &self.destinations.limits;
        let fail = |it: &mut State| it.fail(limits, Instant::now());
        self.destinations.change(access, fail);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        for access in [Some(&self.of_all), self.of_owner.as_ref()]
            .into_iter()
            .flatten()
        {
            self.destinations.change(access, |it| it.in_flight -= 1);
        }
    }
}

#[cfg(test)]
mod tests;
