//! The executor: every command goes through here into the log, and nothing else writes it.
//!
//! Commands queue; one loop decides all that wait, in order, later ones seeing the events of earlier
//! ones, and appends them in one call. An answer never leaves before its commit is durable.

mod batch;
mod expiry;
mod job;
mod load;
mod run;
mod states;
mod submission;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tidemark_domain::{Claim, Loaded};
use tidemark_event_store::{IdempotencyRecord, TimedPool};
use tidemark_platform::clock::Clock;
use tidemark_platform::config::Executor as Settings;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub(crate) use expiry::remove_expired;
pub use submission::{Accepted, Idempotency, Submission};

use crate::error::Error;
use job::{Admission, Job};
use load::Loader;

type Answer = Result<Accepted, Error>;
type InFlight = HashMap<(String, String), (Vec<u8>, Shared<BoxFuture<'static, Answer>>)>;

/// Where commands are sent.
#[derive(Clone)]
pub struct Executor {
    loader: Loader,
    jobs: mpsc::UnboundedSender<Job>,
    admission: Admission,
    in_flight: Arc<Mutex<InFlight>>,
    deadline: Duration,
}

impl Executor {
    /// Starts the loop. It ends once every clone of the executor is gone and all is answered.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn start(
        pool: TimedPool,
        settings: &Settings,
        clock: Clock,
    ) -> sqlx::Result<(Self, JoinHandle<()>)> {
        let loader = Loader::new(pool.clone(), settings.snapshot_every);
        let (jobs, received) = mpsc::unbounded_channel();
        let work = run::Loop::new(pool, loader.clone(), settings.clone(), clock, received).await?;
        let executor = Self {
            loader,
            jobs,
            admission: Admission::new(settings),
            in_flight: Arc::default(),
            deadline: Duration::from_millis(settings.command_deadline_ms),
        };
        Ok((executor, tokio::spawn(work.run())))
    }

    /// Decides a command and appends what follows. Dropping the call does not stop the command.
    ///
    /// # Errors
    /// The command's refusal, or why it could not be decided or appended.
    pub async fn execute(&self, submission: Submission) -> Answer {
        match submission.idempotency.clone() {
            None => self.enqueue(submission).await,
            Some(idempotency) => self.execute_once(submission, idempotency).await,
        }
    }

    /// The committed state of a stream, for what must be known before a command can be made.
    ///
    /// # Errors
    /// If the log cannot be read, or holds what a newer build wrote.
    pub async fn load(&self, id: Uuid) -> Result<Loaded, Error> {
        self.loader.stream(id).await
    }

    /// The stream that owns a claim.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn owner(&self, claim: &Claim) -> Result<Option<Uuid>, Error> {
        self.loader.owner(claim).await
    }

    async fn enqueue(&self, submission: Submission) -> Answer {
        let place = self
            .admission
            .enter(submission.metadata.actor.to_string())?;
        let (job, answered) = Job::new(submission, Instant::now() + self.deadline, place);
        self.jobs.send(job).map_err(|_| Error::ShuttingDown)?;
        answered.await.map_err(|_| Error::ShuttingDown)?
    }

    /// Does a command unless it was done, and lets those wait that come while it is being done.
    async fn execute_once(&self, submission: Submission, idempotency: Idempotency) -> Answer {
        let id = (idempotency.principal.clone(), idempotency.key.clone());
        let answer = {
            let mut in_flight = self
                .in_flight
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            match in_flight.get(&id) {
                Some((request_hash, _)) if *request_hash != idempotency.request_hash => {
                    return Err(Error::IdempotencyKeyReused);
                }
                Some((_, answer)) => answer.clone(),
                None => {
                    let answer = self
                        .start_once(submission, idempotency.clone())
                        .boxed()
                        .shared();
                    in_flight.insert(id, (idempotency.request_hash, answer.clone()));
                    answer
                }
            }
        };
        answer.await
    }

    /// Runs in a task of its own, so that it ends and is forgotten whoever still waits for it. That
    /// the command was done before is found out by the append, at no cost to those that are new.
    fn start_once(
        &self,
        submission: Submission,
        idempotency: Idempotency,
    ) -> impl Future<Output = Answer> + use<> {
        let this = self.clone();
        let task = tokio::spawn(async move {
            let answer = this.enqueue(submission).await;
            let mut in_flight = this
                .in_flight
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            in_flight.remove(&(idempotency.principal, idempotency.key));
            answer
        });
        task.map(|joined| joined.unwrap_or_else(|error| Err(Error::internal(error))))
    }
}

/// The answer to a command that was done before.
fn replay(record: &IdempotencyRecord, idempotency: &Idempotency, timeline: i32) -> Answer {
    if record.request_hash != idempotency.request_hash {
        return Err(Error::IdempotencyKeyReused);
    }
    Ok(Accepted {
        status: status(record),
        stream_id: record.stream_id,
        version: record.version,
        timeline,
        position: record.position,
        events: Arc::default(),
        replayed: true,
    })
}

fn status(record: &IdempotencyRecord) -> StatusCode {
    let status = u16::try_from(record.status).ok();
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    status.unwrap_or(StatusCode::OK)
}
