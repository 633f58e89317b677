//! Who may have a password worked on, and when: addresses take turns, so that many passwords of one delay those of the
//! others by little, and take no place from them.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidemark_platform::config::Auth as Settings;
use tidemark_platform::patient_work;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::turns::Turns;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::admission::{Admission, Permit, Share};
use crate::error::Error;

/// The threads that work on passwords, and those who wait for one.
#[derive(Clone)]
pub(super) struct Workers {
    /// One permit for each password that may be worked on at a time.
    free: Arc<Semaphore>,
    /// Admits the requests whose password may be worked on or wait for that.
    places: Admission,
    waiting: Arc<Mutex<Turns<IpAddr, Waiting>>>,
    wait_max: Duration,
}

/// A place among those whose password is worked on or waits for that. Dropping it gives the place back.
pub struct Admitted {
    workers: Workers,
    is_ready: Arc<AtomicBool>,
    turn: oneshot::Receiver<Turn>,
}

/// One who waits. Dropping it without an answer tells it that its place was given away.
struct Waiting {
    place: Permit,
    /// Whether all is known that its password is compared with. Before, it has a place and gets no worker.
    is_ready: Arc<AtomicBool>,
    answer: oneshot::Sender<Turn>,
}

/// The right to work on a password now. Dropping it frees its place and its worker.
type Turn = (Permit, OwnedSemaphorePermit);

impl Workers {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            free: Arc::new(Semaphore::new(settings.hash_concurrency)),
            places: Admission::new(
                "tidemark_passwords",
                settings.hash_concurrency + settings.hash_queue_max,
                settings.hash_per_address_max,
            ),
            waiting: Arc::default(),
            wait_max: Duration::from_millis(settings.hash_wait_ms),
        }
    }

    /// Gives a request from this address a place. If there is none, the newest one who waits of the address of which the
    /// most do gives way, if these are several and more than those of this address.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] if too many of this address wait; [`Error::Overloaded`] if nobody gives way.
    pub(super) fn admit(&self, ClientAddress(address): ClientAddress) -> Result<Admitted, Error> {
        let mut waiting = self.waiting();
        let place = loop {
            let place = self.places.admit(Share::Address(address));
            let is_full = matches!(place, Err(Error::Overloaded));
            if !is_full || waiting.pop_newest_of_most(&address).is_none() {
                break place?;
            }
        };
        let (answer, turn) = oneshot::channel();
        let is_ready = Arc::default();
        let waits = Waiting {
            place,
            is_ready: Arc::clone(&is_ready),
            answer,
        };
        waiting.push(address, waits);
        drop(waiting);
        let workers = self.clone();
        Ok(Admitted {
            workers,
            is_ready,
            turn,
        })
    }

    /// Runs `work` on a patient thread in its turn. The turn belongs to that thread and not to the request, since
    /// the work goes on if the client disconnects.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if the wait is too long, or the place was given away.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        admitted: Admitted,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = timeout(self.wait_max, self.turn(admitted)).await;
        let turn = turn.map_err(|_| Error::Overloaded)??;
        let working = patient_work::run(move || {
            let _turn = turn;
            work()
        });
        working.await.map_err(Error::internal)
    }

    /// Waits for one's turn. Whoever gets a worker gives it to the one whose turn it is, so there is always one who waits
    /// for a worker for each who waits for a turn.
    async fn turn(&self, mut admitted: Admitted) -> Result<Turn, Error> {
        admitted.is_ready.store(true, Ordering::Relaxed);
        loop {
            tokio::select! {
                biased;
                turn = &mut admitted.turn => return turn.map_err(|_| Error::Overloaded),
                worker = Arc::clone(&self.free).acquire_owned() => {
                    self.give(worker.map_err(Error::internal)?);
                }
            }
        }
    }

    fn give(&self, mut worker: OwnedSemaphorePermit) {
        let mut waiting = self.waiting();
        while let Some(next) = waiting.pop_if(|it| it.is_ready.load(Ordering::Relaxed)) {
            match next.answer.send((next.place, worker)) {
                Ok(()) => return,
                Err((_, unwanted)) => worker = unwanted,
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Turns<IpAddr, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.turn.close();
        self.workers.waiting().take(|it| it.answer.is_closed());
    }
}

#[cfg(test)]
mod tests;
