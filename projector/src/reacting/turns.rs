//! Whose turn it is. The places of a process, and those of each destination, are shared by users who know nothing of each other, and
//! whose calls may be slow or very many. So a place that is free goes to the user who has the fewest calls under way, of these to the
//! one who had a turn longest ago, and a user gets another one only if more places are free than the user has: whoever comes last
//! finds a place.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::destinations::{Call, Destinations};
use super::owners::{Owners, Place};

/// What waits for one user at one destination.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    /// None if the system has it done of itself.
    pub(super) owner_id: Option<Uuid>,
    pub(super) destination: String,
    /// The time until the first of it is due.
    pub(super) due_in: Duration,
}

/// Who has had a turn, and what is under way.
pub(super) struct Turns {
    destinations: Destinations,
    owners: Owners,
    /// How many turns there were.
    count: u64,
    /// Which was the last one of each user who waits.
    last: HashMap<Option<Uuid>, u64>,
}

/// Somebody's turn to call a destination, as long as it is not dropped.
pub(super) struct Turn {
    pub(super) owner_id: Option<Uuid>,
    pub(super) destination: String,
    pub(super) call: Call,
    /// None if it is nobody's.
    pub(super) place: Option<Place>,
}

impl Turns {
    pub(super) fn new(destinations: Destinations, owners: Owners) -> Self {
        Self {
            destinations,
            owners,
            count: 0,
            last: HashMap::new(),
        }
    }

    /// Begins turns of those who wait, at most as many as places of the process are free. One queue may get several.
    pub(super) fn begin(&mut self, mut queues: Vec<Queue>, mut free: usize) -> Vec<Turn> {
        self.forget(&queues);
        let mut turns = Vec::new();
        while free > 0 && !queues.is_empty() {
            queues.sort_by_cached_key(|it| self.rank(it));
            let mut had_one = HashSet::new();
            queues.retain(|queue| {
                if had_one.contains(&queue.owner_id) {
                    return true;
                }
                let Some(turn) = self.begin_one(queue, free) else {
                    return false;
                };
                free -= 1;
                had_one.extend(queue.owner_id.map(Some));
                turns.push(turn);
                true
            });
        }
        turns
    }

    /// When a destination that is left alone may be called again.
    pub(super) fn more_at(&self) -> Option<Instant> {
        self.destinations.more_at()
    }

    /// Who is lower gets a place earlier.
    fn rank(&self, queue: &Queue) -> (usize, u64) {
        let in_flight = queue.owner_id.map_or(0, |it| self.owners.in_flight(it));
        let last = self.last.get(&queue.owner_id);
        (in_flight, last.copied().unwrap_or_default())
    }

    fn begin_one(&mut self, queue: &Queue, free: usize) -> Option<Turn> {
        let Queue {
            owner_id,
            destination,
            ..
        } = queue;
        if free == 0 || owner_id.is_some_and(|it| !self.owners.may_have_another(it, free)) {
            return None;
        }
        let call = self.destinations.begin(destination.clone(), *owner_id)?;
        self.count += 1;
        self.last.insert(*owner_id, self.count);
        Some(Turn {
            owner_id: *owner_id,
            destination: destination.clone(),
            call,
            place: owner_id.map(|it| self.owners.place(it)),
        })
    }

    /// Forgets the last turn of whoever waits no more.
    fn forget(&mut self, queues: &[Queue]) {
        let waiting: HashSet<_> = queues.iter().map(|it| it.owner_id).collect();
        let owners = &self.owners;
        let is_busy = |it: &Option<Uuid>| it.is_some_and(|it| owners.in_flight(it) > 0);
        self.last
            .retain(|it, _| waiting.contains(it) || is_busy(it));
    }
}

#[cfg(test)]
mod tests;
