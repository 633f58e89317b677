//! How many actions one process has under way for each user, so that one user with many, or with slow ones, leaves the others
//! theirs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// The users for whom something is under way.
#[derive(Clone, Debug)]
pub(super) struct Owners {
    /// The most for each.
    in_flight_max: usize,
    in_flight: Arc<Mutex<HashMap<Uuid, usize>>>,
}

/// How many more actions some users may have under way.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shares {
    pub(super) owners: Vec<Uuid>,
    pub(super) places: Vec<i64>,
    /// How many all others may have.
    pub(super) most: usize,
}

impl Owners {
    pub(super) fn new(in_flight_max: usize) -> Self {
        Self {
            in_flight_max,
            in_flight: Arc::default(),
        }
    }

    /// Which users may have fewer than the limit.
    pub(super) fn shares(&self) -> Shares {
        let places = |in_flight: &usize| {
            let places = self.in_flight_max.saturating_sub(*in_flight);
            i64::try_from(places).unwrap_or(i64::MAX)
        };
        let known = self.known();
        let (owners, places) = known.iter().map(|(id, it)| (*id, places(it))).unzip();
        Shares {
            owners,
            places,
            most: self.in_flight_max,
        }
    }

    /// How many places this user has taken.
    pub(super) fn in_flight(&self, owner_id: Uuid) -> usize {
        self.known().get(&owner_id).copied().unwrap_or_default()
    }

    /// Whether this user may take another place while so many of the process are free. That must be more than the user has.
    pub(super) fn may_have_another(&self, owner_id: Uuid, free: usize) -> bool {
        self.in_flight(owner_id) < self.in_flight_max.min(free)
    }

    /// Takes a place of this user, until it is dropped.
    pub(super) fn place(&self, owner_id: Uuid) -> Place {
        *self.known().entry(owner_id).or_default() += 1;
        Place {
            owners: self.clone(),
            owner_id,
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Uuid, usize>> {
        let known = self.in_flight.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shares {
    /// The users who may have no more.
    pub(super) fn spent(&self) -> Vec<Uuid> {
        let shares = self.owners.iter().zip(&self.places);
        let spent = shares.filter(|(_, places)| **places == 0);
        spent.map(|(owner_id, _)| *owner_id).collect()
    }
}

/// An action that is under way for a user.
#[derive(Debug)]
pub(super) struct Place {
    owners: Owners,
    owner_id: Uuid,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut known = self.owners.known();
        if let Some(in_flight) = known.get_mut(&self.owner_id) {
            *in_flight -= 1;
            if *in_flight == 0 {
                known.remove(&self.owner_id);
            }
        }
    }
}
