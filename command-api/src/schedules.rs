//! Who may have a schedule of a task read, and when: users take turns, and each has few that wait.

use std::sync::Arc;

use tidemark_platform::Config;
use tidemark_platform::fair_semaphore::FairSemaphore;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use crate::admission::{Admission, Permit, Share};
use crate::error::Error;

/// One schedule is read at a time: to find that it is never due takes a core for a while.
#[derive(Clone)]
pub struct Schedules {
    /// Admits the schedules that are read or wait for that.
    places: Admission,
    turns: Arc<FairSemaphore<Share>>,
}

/// The right to read a schedule now. Dropping it frees its place, and lets the next one be read.
pub struct Turn {
    _place: Permit,
    _permit: OwnedSemaphorePermit,
}

impl Schedules {
    /// As many of one user wait as the settings say, and of all as there may be requests.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self::with_max(
            config.http.in_flight_max,
            config.tasks.schedules_per_user_max,
        )
    }

    fn with_max(max: usize, per_user_max: usize) -> Self {
        Self {
            places: Admission::new("tidemark_schedules", max, per_user_max),
            turns: Arc::new(FairSemaphore::new(1)),
        }
    }

    /// Waits for the turn of this user.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`], at once, if too many of this user wait already.
    pub async fn turn(&self, user_id: Uuid) -> Result<Turn, Error> {
        let place = self.places.admit(Share::User(user_id))?;
        let permit = self.turns.acquire(Share::User(user_id)).await;
        Ok(Turn {
            _place: place,
            _permit: permit,
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const GREEDY: Uuid = Uuid::from_u128(1);
    const MODEST: Uuid = Uuid::from_u128(2);

    #[tokio::test]
    async fn a_user_has_so_many_schedules_wait_and_more_are_refused_at_once() {
        let schedules = Schedules::with_max(9, 3);
        let first = schedules.turn(GREEDY).await.ok().unwrap();
        let mut waiting = [(); 2].map(|()| Box::pin(schedules.turn(GREEDY)));
        for waits in &mut waiting {
            assert!(waits.now_or_never().is_none());
        }
        for _ in 0..3 {
            let refused = schedules.turn(GREEDY).now_or_never();
            let refused = refused.unwrap().err().unwrap();
            assert!(matches!(refused, Error::TooManyRequests { max: 3, .. }));
        }
        let mut other = Box::pin(schedules.turn(MODEST));
        assert!((&mut other).now_or_never().is_none(), "it waits");
        let [second, third] = waiting;
        drop((first, third));
        drop(second.await.ok().unwrap());
        assert!(other.await.is_ok());
        assert!(schedules.turn(GREEDY).await.is_ok());
    }
}
