//! A semaphore whose permits go to those who wait in turn: whoever waits many times delays each other by no more than
//! one permit.

use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::turns::Turns;

/// Permits that `S` share, for example the addresses of clients.
#[derive(Debug)]
pub struct FairSemaphore<S> {
    free: Arc<Semaphore>,
    waiting: Mutex<Turns<S, oneshot::Sender<OwnedSemaphorePermit>>>,
}

impl<S: Clone + Eq + Hash> FairSemaphore<S> {
    /// A semaphore of so many permits.
    #[must_use]
    pub fn new(permits: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(permits)),
            waiting: Mutex::default(),
        }
    }

    /// Waits until it is this share's turn, and a permit is free. Dropping the permit frees it.
    pub async fn acquire(&self, share: S) -> OwnedSemaphorePermit {
        let (answer, mut turn) = oneshot::channel();
        self.waiting().push(share, answer);
        loop {
            // Whoever gets a permit gives it to the one whose turn it is, so for each who waits for a turn there is one
            // who waits for a permit.
            tokio::select! {
                biased;
                Ok(permit) = &mut turn => return permit,
                Ok(permit) = Arc::clone(&self.free).acquire_owned() => self.give(permit),
            }
        }
    }

    /// Gives the permit to the next one who has not given up.
    fn give(&self, mut permit: OwnedSemaphorePermit) {
        let mut waiting = self.waiting();
        while let Some(next) = waiting.pop() {
            match next.send(permit) {
                Ok(()) => return,
                Err(unwanted) => permit = unwanted,
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Turns<S, oneshot::Sender<OwnedSemaphorePermit>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_waits_many_times_delays_another_by_one_permit() {
        let semaphore = FairSemaphore::new(1);
        let first = semaphore.acquire("greedy").await;
        let mut greedy: Vec<_> = (0..9)
            .map(|_| Box::pin(semaphore.acquire("greedy")))
            .collect();
        for waiting in &mut greedy {
            assert!(waiting.now_or_never().is_none());
        }
        let mut modest = Box::pin(semaphore.acquire("modest"));
        assert!((&mut modest).now_or_never().is_none());
        drop(first);
        let next = greedy[0].as_mut().await;
        assert!((&mut modest).now_or_never().is_none());
        drop(next);
        // Whoever is woken passes the permit on to the one whose turn it is.
        assert!(greedy[1].as_mut().now_or_never().is_none());
        assert!(modest.now_or_never().is_some());
    }

    #[tokio::test]
    async fn who_gives_up_takes_no_permit_with_it() {
        let semaphore = FairSemaphore::new(1);
        let first = semaphore.acquire(1).await;
        let mut given_up = Box::pin(semaphore.acquire(2));
        assert!((&mut given_up).now_or_never().is_none());
        drop(given_up);
        drop(first);
        drop(semaphore.acquire(3).await);
    }
}
