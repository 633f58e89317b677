//! The executor: every command goes through it into the log, and nothing else appends to the log.
//!
//! A command is admitted, queued (`queue`), decided on cached states (`cache`, filled by
//! `loading`) as part of a batch (`batch`), and appended by one loop (`commit_loop`). It is answered once
//! its commit is durable, never before.

mod batch;
mod cache;
mod commit_loop;
mod expiry;
mod idempotency;
mod known_records;
mod loading;
mod queue;
mod submission;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemark_domain::identity::check_session;
use tidemark_domain::identity::session::Session;
use tidemark_domain::operations::log_position::LogPosition;
use tidemark_domain::operations::registered_name::RegisteredName;
use tidemark_domain::{Claim, LoadedStream};
use tidemark_event_store::TimedPool;
use tidemark_events::{Line, SessionId, UserId};
use tidemark_platform::clock::Clock;
use tidemark_platform::config::Executor as Settings;
use tidemark_platform::ops::ReadinessFlag;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

pub use expiry::remove_expired;
pub use submission::{Accepted, Answer, Idempotency, Submission};

use crate::admission::{Admission, Permit, Share};
use crate::error::Error;
use commit_loop::CommitLoop;
use idempotency::{KeyInFlight, KeysInFlight, Turn};
use known_records::KnownRecords;
use loading::Loader;
use queue::{Queue, QueuedCommand};

/// The gauge of the commands that wait, from their admission to their answer.
const COMMANDS: &str = "tidemark_executor_commands";

/// Executes commands. Clones share one loop.
#[derive(Clone)]
pub struct Executor {
    loader: Loader,
    admission: Admission,
    /// For services, so that they have a place when users have filled theirs.
    service_admission: Admission,
    keys_in_flight: KeysInFlight,
    records: KnownRecords,
    queue: mpsc::UnboundedSender<QueuedCommand>,
    registered: ReadinessFlag,
    command_deadline: Duration,
    clock: Clock,
}

impl Executor {
    /// Starts the loop that decides and appends, and returns its task. The loop ends once every clone of
    /// the executor is dropped and every command is answered. It notifies `appended` after each append.
    #[must_use]
    pub fn start(
        pool: TimedPool,
        settings: Settings,
        clock: Clock,
        appended: Arc<Notify>,
    ) -> (Self, JoinHandle<()>) {
        let loader = Loader::new(pool.clone(), settings.snapshot_every);
        let (sender, queue) = Queue::new();
        let records = KnownRecords::new(&settings, clock.clone());
        let executor = Self {
            loader: loader.clone(),
            admission: Admission::new(
                COMMANDS,
                settings.queue_max,
                settings.queue_per_principal_max,
            ),
            service_admission: Admission::new(
                COMMANDS,
                settings.queue_services_max,
                settings.queue_services_max,
            ),
            keys_in_flight: KeysInFlight::default(),
            records: records.clone(),
            queue: sender,
            registered: ReadinessFlag::default(),
            command_deadline: Duration::from_millis(settings.command_deadline_ms),
            clock: clock.clone(),
        };
        let registered = executor.registered.clone();
        let task = tokio::spawn(async move {
            let registering =
                CommitLoop::register_first(pool, loader, settings, clock, queue, records, appended);
            if let Some(commit_loop) = registering.await {
                commit_loop.run(&registered).await;
            }
        });
        (executor, task)
    }

    /// Whether commands are decided: the loop is registered in the log and has not died.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.registered.holds() && !self.queue.is_closed()
    }

    /// Decides a command and appends its events. Dropping the call does not stop the command.
    ///
    /// # Errors
    /// The refusal of the command, or why it could not be decided or appended.
    pub async fn execute(&self, submission: Submission) -> Answer {
        let user = submission.user();
        let accepted = self.answer(submission).await?;
        // What was answered before may hold a secret, and no decision has looked at the session now.
        if accepted.replayed
            && let Some((id, session)) = user
            && accepted.stream_id != session.0
        {
            self.check_session(id, session).await?;
        }
        Ok(accepted)
    }

    /// Refuses a user who is not logged in any more.
    ///
    /// # Errors
    /// If that is so, or the log cannot be read.
    pub async fn check_session(&self, id: UserId, session: SessionId) -> Result<(), Error> {
        let loaded = self.load_stream(session.0).await?;
        let checked = check_session(loaded.state::<Session>(), id, self.clock.now());
        checked.map_err(Error::Refused)
    }

    async fn answer(&self, submission: Submission) -> Answer {
        let known = submission.idempotency.as_ref();
        if let Some(answer) = known.and_then(|sent| self.records.answer(sent)) {
            return answer;
        }
        // Who waits for the command of another request takes as much room as who waits for its own.
        let permit = self.admit(&submission.share)?;
        let mut key = None;
        while let Some(sent) = known.filter(|_| key.is_none()) {
            match self.keys_in_flight.begin(sent, submission.session)? {
                Turn::First(first) => key = Some(first),
                Turn::Later(earlier) => {
                    if let Some(answer) = earlier.answer().await {
                        return answer.map(|accepted| Accepted {
                            replayed: true,
                            ..accepted
                        });
                    }
                }
            }
        }
        let answer = self.enqueue(submission, key, permit)?;
        answer.await.map_err(|_| Error::ShuttingDown)?
    }

    /// The committed state of a stream, for what must be known before a command can be made.
    ///
    /// # Errors
    /// If the log cannot be read, or the stream holds an event that this build does not know.
    pub async fn load_stream(&self, id: Uuid) -> Result<LoadedStream, Error> {
        self.loader.load_stream(id).await
    }

    /// The stream that owns a claim, for what must be known before a command can be made.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn claim_owner(&self, claim: &Claim) -> Result<Option<Uuid>, Error> {
        self.loader.claim_owner(claim).await
    }

    /// This position beside the last one of the log, for a command that states it.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn log_position(&self, stated: i64) -> Result<LogPosition, Error> {
        let log_end = self.loader.log_end().await?;
        Ok(LogPosition { stated, log_end })
    }

    /// This name beside those of the read models that there are, for a command that states it.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn read_model(&self, stated: Line<100>) -> Result<RegisteredName, Error> {
        let registered = self.loader.read_models().await?;
        Ok(RegisteredName { stated, registered })
    }

    /// This name beside those of the reactors that there are, for a command that states it.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn reactor(&self, stated: Line<100>) -> Result<RegisteredName, Error> {
        let registered = self.loader.reactors().await?;
        Ok(RegisteredName { stated, registered })
    }

    fn admit(&self, share: &Share) -> Result<Permit, Error> {
        let admission = match share {
            Share::User(_) | Share::Address(_) => &self.admission,
            Share::Service(_) => &self.service_admission,
        };
        admission.admit(share.clone())
    }

    fn enqueue(
        &self,
        submission: Submission,
        key: Option<KeyInFlight>,
        permit: Permit,
    ) -> Result<oneshot::Receiver<Answer>, Error> {
        let deadline = Instant::now() + self.command_deadline;
        let (command, answer) = QueuedCommand::new(submission, deadline, key, permit);
        self.queue.send(command).map_err(|_| Error::ShuttingDown)?;
        Ok(answer)
    }
}
