//! A command on its way through the executor, and the bounds on how many there may be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use metrics::{counter, gauge};
use tidemark_platform::config::Executor as Settings;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::submission::{Accepted, Submission};
use crate::error::Error;

/// A command that waits for its answer.
pub(super) struct Job {
    /// What is wanted.
    pub(super) submission: Submission,
    /// When it is given up.
    pub(super) deadline: Instant,
    answer: oneshot::Sender<Result<Accepted, Error>>,
    _place: Place,
}

impl Job {
    /// A job and where its answer comes.
    pub(super) fn new(
        submission: Submission,
        deadline: Instant,
        place: Place,
    ) -> (Self, oneshot::Receiver<Result<Accepted, Error>>) {
        let (answer, answered) = oneshot::channel();
        let job = Self {
            submission,
            deadline,
            answer,
            _place: place,
        };
        (job, answered)
    }

    /// Answers it. Nobody may be listening any more, which is their affair.
    pub(super) fn answer(self, answer: Result<Accepted, Error>) {
        let outcome = match &answer {
            Ok(_) => "accepted",
            Err(error) => error.code(),
        };
        let command = self.submission.command.name();
        counter!("tidemark_commands_total", "command" => command, "outcome" => outcome)
            .increment(1);
        let _ = self.answer.send(answer);
    }
}

/// How many commands may be under way, in all and of one principal.
#[derive(Clone)]
pub(super) struct Admission {
    places: Arc<Semaphore>,
    principals: Arc<Mutex<HashMap<String, usize>>>,
    per_principal_max: usize,
}

/// The right to be under way, given back when dropped.
pub(super) struct Place {
    principal: String,
    principals: Arc<Mutex<HashMap<String, usize>>>,
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    /// Room for as many as the settings say.
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            places: Arc::new(Semaphore::new(settings.queue_max)),
            principals: Arc::default(),
            per_principal_max: settings.queue_per_principal_max,
        }
    }

    /// A place for a command of `principal`.
    ///
    /// # Errors
    /// [`Error::Overloaded`], at once, if there is none.
    pub(super) fn enter(&self, principal: String) -> Result<Place, Error> {
        let permit = Arc::clone(&self.places).try_acquire_owned();
        let permit = permit.map_err(|_| Error::Overloaded)?;
        let mut principals = self
            .principals
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let theirs = principals.entry(principal.clone()).or_default();
        if *theirs >= self.per_principal_max {
            return Err(Error::Overloaded);
        }
        *theirs += 1;
        gauge!("tidemark_executor_commands").increment(1);
        let principals = Arc::clone(&self.principals);
        Ok(Place {
            principal,
            principals,
            _permit: permit,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        gauge!("tidemark_executor_commands").decrement(1);
        let mut principals = self
            .principals
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(theirs) = principals.get_mut(&self.principal) {
            *theirs -= 1;
            if *theirs == 0 {
                principals.remove(&self.principal);
            }
        }
    }
}
