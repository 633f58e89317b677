//! Places of tasks. An owner has a number of them, and a smaller one for frequent tasks, which are due more often than once a minute:
//! what they do is several events each time, for ever.

use tidemark_events::{TaskId, UserId};

use super::{Error, Terms};
use crate::tasks::schedule::Schedule;
use crate::{Claim, ClaimScope, Stop, View, Write};

/// The claim of a task on one of the places that its owner has.
pub(super) fn place_claim(owner_id: UserId, place: u32) -> Claim {
    Claim::new(ClaimScope::TaskPlace, format_args!("{owner_id}/{place}"))
}

/// The claim of a task on one of the places that its owner has for frequent ones.
pub(super) fn frequent_place_claim(owner_id: UserId, place: u32) -> Claim {
    Claim::new(
        ClaimScope::FrequentTaskPlace,
        format_args!("{owner_id}/{place}"),
    )
}

/// One of so many places that no task has. The search begins at one that the id chooses, so that it seldom takes long.
pub(super) fn free_place(
    view: &View<'_>,
    task_id: TaskId,
    count: u32,
    claim: impl Fn(u32) -> Claim,
) -> Result<Option<u32>, Stop> {
    let first = hash(task_id) % count.max(1);
    for place in (0..count).map(|step| (first + step) % count) {
        if view.owner(&claim(place))?.is_none() {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Has a task take one of so many places for frequent ones, if it is one by this schedule and has none.
pub(super) fn take_frequent_place(
    view: &View<'_>,
    (task_id, owner_id): (TaskId, UserId),
    schedule: &Schedule,
    count: u32,
) -> Result<Option<(u32, Write)>, Stop> {
    if !schedule.is_frequent() {
        return Ok(None);
    }
    let claim = |place| frequent_place_claim(owner_id, place);
    let place = free_place(view, task_id, count, claim)?;
    let place = place.ok_or(Error::TooManyFrequent(count))?;
    Ok(Some((place, Write::Claim(claim(place), task_id.0))))
}

/// A number that the id of a task stands for, spread over all numbers.
pub(super) fn hash(id: TaskId) -> u32 {
    // The end of an id is random.
    let [.., a, b, c, d] = *id.0.as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

impl Terms {
    /// The claim on its place.
    pub(super) fn place_claim(&self) -> Claim {
        place_claim(self.owner_id, self.place)
    }

    /// The write by which it leaves the place for frequent tasks that it has, if it has one.
    pub(crate) fn leave_frequent_place(&self, view: &View<'_>) -> Result<Option<Write>, Stop> {
        let Some(place) = self.frequent_place else {
            return Ok(None);
        };
        let claim = frequent_place_claim(self.owner_id, place);
        view.owner(&claim)?;
        Ok(Some(Write::Release(claim)))
    }
}
