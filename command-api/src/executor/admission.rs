//! How many commands the executor admits at a time, in all and of one principal. One more is refused at
//! once: waiting in a long queue would help nobody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::gauge;
use tidemark_platform::config::Executor as Settings;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;

/// Admits commands while there are fewer than the settings allow.
#[derive(Clone)]
pub(super) struct Admission {
    slots: Arc<Semaphore>,
    admitted: Arc<AdmittedByPrincipal>,
    per_principal_max: usize,
}

/// The right of one command to be in the executor. Dropping it makes room for another command.
pub(super) struct Permit {
    principal: String,
    admitted: Arc<AdmittedByPrincipal>,
    _slot: OwnedSemaphorePermit,
}

/// How many commands of each principal are in the executor. Principals without commands have no entry.
#[derive(Default)]
struct AdmittedByPrincipal(Mutex<HashMap<String, usize>>);

impl Admission {
    /// Admits up to `queue_max` commands, and up to `queue_per_principal_max` of one principal.
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(settings.queue_max)),
            admitted: Arc::default(),
            per_principal_max: settings.queue_per_principal_max,
        }
    }

    /// Admits a command of `principal`.
    ///
    /// # Errors
    /// [`Error::Overloaded`], at once, if there is no room.
    pub(super) fn admit(&self, principal: String) -> Result<Permit, Error> {
        let slot = Arc::clone(&self.slots).try_acquire_owned();
        let slot = slot.map_err(|_| Error::Overloaded)?;
        let mut admitted = self.admitted.lock();
        let commands = admitted.entry(principal.clone()).or_default();
        if *commands >= self.per_principal_max {
            return Err(Error::Overloaded);
        }
        *commands += 1;
        gauge!("tidemark_executor_commands").increment(1);
        Ok(Permit {
            principal,
            admitted: Arc::clone(&self.admitted),
            _slot: slot,
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        gauge!("tidemark_executor_commands").decrement(1);
        let mut admitted = self.admitted.lock();
        if let Some(commands) = admitted.get_mut(&self.principal) {
            *commands -= 1;
            if *commands == 0 {
                admitted.remove(&self.principal);
            }
        }
    }
}

impl AdmittedByPrincipal {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
