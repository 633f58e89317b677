//! How much of the process one principal may take. Work is admitted while there is room for it, in all and
//! of one principal; more is refused at once, since waiting in a long queue would help nobody.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::error::Error;

/// Whose share of the process a piece of work takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Share {
    /// A user, in whatever sessions.
    User(Uuid),
    /// A service, or a reactor.
    Service(Arc<str>),
    /// Everybody without a credential at an address.
    Address(IpAddr),
}

/// Admits work while there is less than a bound, in all and of one share.
#[derive(Clone)]
pub(crate) struct Admission {
    slots: Arc<Semaphore>,
    admitted: Arc<AdmittedByShare>,
    per_share_max: usize,
    gauge: &'static str,
}

/// The right to a place among what is admitted. Dropping it makes room for other work.
pub(crate) struct Permit {
    share: Share,
    admitted: Arc<AdmittedByShare>,
    gauge: &'static str,
    _slot: OwnedSemaphorePermit,
}

/// How much of each share is admitted. Shares of which nothing is have no entry.
#[derive(Default)]
struct AdmittedByShare(Mutex<HashMap<Share, usize>>);

impl Admission {
    /// Admits up to `max` in all, and up to `per_share_max` of one share. The metric `gauge` shows how much
    /// is admitted.
    pub(crate) fn new(gauge: &'static str, max: usize, per_share_max: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(max)),
            admitted: Arc::default(),
            per_share_max,
            gauge,
        }
    }

    /// Admits work that takes from `share`.
    ///
    /// # Errors
    /// At once, if there is no room: [`Error::TooManyRequests`] if the share is used up, which is the fault
    /// of whose it is, and [`Error::Overloaded`] if there is no room for anybody.
    pub(crate) fn admit(&self, share: Share) -> Result<Permit, Error> {
        let mut admitted = self.admitted.lock();
        let count = admitted.get(&share).copied().unwrap_or(0);
        if count >= self.per_share_max {
            return Err(Error::TooManyRequests);
        }
        let slot = Arc::clone(&self.slots).try_acquire_owned();
        let slot = slot.map_err(|_| Error::Overloaded)?;
        admitted.insert(share.clone(), count + 1);
        gauge!(self.gauge).increment(1);
        Ok(Permit {
            share,
            admitted: Arc::clone(&self.admitted),
            gauge: self.gauge,
            _slot: slot,
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        gauge!(self.gauge).decrement(1);
        let mut admitted = self.admitted.lock();
        if let Some(count) = admitted.get_mut(&self.share) {
            *count -= 1;
            if *count == 0 {
                admitted.remove(&self.share);
            }
        }
    }
}

impl AdmittedByShare {
    fn lock(&self) -> MutexGuard<'_, HashMap<Share, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
