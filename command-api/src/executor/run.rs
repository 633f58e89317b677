//! The loop: decides commands as they come, and appends what it has decided in one call after the other.
//!
//! There is no artificial delay: a batch is what came while the last one committed. It is decided
//! meanwhile, on states that are ahead of the log; that nothing is taken for granted that did not come
//! to pass is what the append checks.

mod outcome;

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, mem};

use futures::future::BoxFuture;
use futures::{FutureExt, future};
use metrics::{counter, histogram};
use tidemark_domain::Load;
use tidemark_event_store::{AppendOutcome, Appender, Group, Log, TimedPool};
use tidemark_platform::clock::Clock;
use tidemark_platform::config::Executor as Settings;
use tidemark_platform::ids::new_id;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use uuid::Uuid;

use super::batch::{Batch, Decided, Member};
use super::job::Job;
use super::load::{Loader, Loading};
use super::states::Cache;
use crate::error::Error;

/// How long to wait before Postgres is asked again what became of a batch.
const RESOLVE_PAUSE: Duration = Duration::from_millis(100);

/// A batch on its way into the log.
struct InFlight {
    call: BoxFuture<'static, Answered>,
    started: Instant,
    /// Beside each group its commands, in order.
    groups: Vec<Vec<Member>>,
    /// Beside each group its first event.
    event_ids: Vec<Option<Uuid>>,
    /// The streams that become long by it.
    long: Vec<Uuid>,
}

/// The answer to an append, unless the call panicked.
type Answered = std::thread::Result<sqlx::Result<AppendOutcome>>;
/// A command whose decision stands, as of a position.
type Standing = (Member, i64);

/// The one task that decides and appends.
pub(super) struct Loop {
    settings: Settings,
    clock: Clock,
    pool: TimedPool,
    log: Log,
    timeline: i32,
    appender: Arc<Appender>,
    batch_number: i64,
    cache: Cache,
    jobs: mpsc::UnboundedReceiver<Job>,
    pending: VecDeque<Job>,
    /// What is decided and waits until the batch in flight is settled.
    batch: Batch,
    in_flight: Option<InFlight>,
    loader: Loader,
    wanted: Vec<Load>,
    waiting: HashMap<Load, Vec<Job>>,
    loads: JoinSet<Vec<Loading>>,
}

impl Loop {
    /// A loop with an executor row of its own.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub(super) async fn new(
        pool: TimedPool,
        loader: Loader,
        settings: Settings,
        clock: Clock,
        jobs: mpsc::UnboundedReceiver<Job>,
    ) -> sqlx::Result<Self> {
        let log = Log::new(pool.clone());
        clock.follow(log.now().await?);
        let timeline = log.head().await?.timeline;
        let appender = Appender::register(&pool, new_id()).await?;
        let bytes_max = usize::try_from(settings.state_cache_bytes).unwrap_or(usize::MAX);
        Ok(Self {
            settings,
            clock,
            pool,
            log,
            timeline,
            appender: Arc::new(appender),
            batch_number: 0,
            cache: Cache::new(bytes_max),
            jobs,
            pending: VecDeque::new(),
            batch: Batch::default(),
            in_flight: None,
            loader,
            wanted: Vec::new(),
            waiting: HashMap::new(),
            loads: JoinSet::new(),
        })
    }

    /// Runs until nobody can send a command any more and all are answered.
    pub(super) async fn run(mut self) {
        while let Some(standing) = self.wait().await {
            self.decide();
            self.load();
            self.send();
            // Last, so that the log has work while those who waited for it come back with more.
            self.answer(standing);
        }
    }

    /// Waits until something has happened. Gives the commands that are settled by it; none at the end.
    async fn wait(&mut self) -> Option<Vec<Standing>> {
        let has_room = self.batch.len() < self.settings.batch_max;
        tokio::select! {
            biased;
            Some(outcome) = answered(&mut self.in_flight) => Some(self.settle(outcome).await),
            Some(loaded) = self.loads.join_next() => {
                self.absorb(loaded);
                Some(Vec::new())
            },
            Some(job) = self.jobs.recv(), if has_room => {
                self.pending.push_back(job);
                Some(Vec::new())
            },
            else => None,
        }
    }

    /// Decides all that wait, as far as the batch has room.
    fn decide(&mut self) {
        while self.batch.len() < self.settings.batch_max {
            let next = self.pending.pop_front();
            let Some(job) = next.or_else(|| self.jobs.try_recv().ok()) else {
                break;
            };
            if job.deadline <= Instant::now() {
                job.answer(Err(Error::Contended));
                continue;
            }
            let now = self.clock.now();
            match self.batch.decide(job, &mut self.cache, now, &self.settings) {
                Decided::InBatch => {}
                Decided::Needs(load, job) => self.want(load, job),
                Decided::Failed(job, error) => job.answer(Err(error)),
            }
        }
    }

    fn want(&mut self, load: Load, job: Job) {
        let jobs = self.waiting.entry(load.clone()).or_default();
        jobs.push(job);
        if jobs.len() == 1 {
            self.wanted.push(load);
        }
    }

    /// Loads what is wanted, all at once.
    fn load(&mut self) {
        while !self.wanted.is_empty() && self.loads.len() < self.settings.loads_max {
            let most = self.wanted.len().min(self.settings.batch_max);
            let wanted = self.wanted.drain(..most).collect();
            let loader = self.loader.clone();
            self.loads.spawn(async move { loader.load(wanted).await });
        }
    }

    /// Takes what was loaded into the cache and lets those go on that waited for it.
    fn absorb(&mut self, loaded: Result<Vec<Loading>, JoinError>) {
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                let jobs = self.waiting.drain().flat_map(|(_, jobs)| jobs);
                return refuse(jobs, &Error::internal(error));
            }
        };
        for loading in loaded {
            let (load, taken) = match loading {
                Loading::Stream(id, found) => {
                    let taken = found.map(|loaded| self.cache.insert_stream(id, loaded));
                    (Load::Stream(id), taken)
                }
                Loading::Claim(claim, found) => {
                    let taken = found.map(|owner| self.cache.insert_claim(claim.clone(), owner));
                    (Load::Claim(claim), taken)
                }
            };
            let jobs = self.waiting.remove(&load).unwrap_or_default();
            match taken {
                Ok(()) => self.pending.extend(jobs),
                Err(error) => refuse(jobs, &error),
            }
        }
    }

    /// Sends what is decided into the log, once nothing else is on its way.
    fn send(&mut self) {
        if self.in_flight.is_some() || self.batch.is_empty() {
            return;
        }
        let age_max = Duration::from_millis(self.settings.decision_age_max_ms);
        let valid_until = self.batch.decided_at().map(|at| at + age_max);
        let (groups, members) = mem::take(&mut self.batch).into_groups();
        let first_event = |group: &Group| group.events.first().map(|event| event.event_id);
        let event_ids = groups.iter().map(first_event).collect();
        let events = groups.iter().flat_map(|group| &group.events);
        let every = self.settings.snapshot_every;
        let long = events
            .filter(|event| event.version.checked_rem(every) == Some(0))
            .map(|event| event.stream_id)
            .collect();
        self.batch_number += 1;
        let (appender, number) = (Arc::clone(&self.appender), self.batch_number);
        let limit = self.append_timeout();
        let call = async move {
            let append = appender.append(number, valid_until, groups);
            in_time(limit, append).await
        };
        self.in_flight = Some(InFlight {
            call: begun(AssertUnwindSafe(call).catch_unwind().boxed()),
            started: Instant::now(),
            groups: members,
            event_ids,
            long,
        });
        self.cache.shrink();
    }

    fn append_timeout(&self) -> Duration {
        Duration::from_millis(self.settings.append_timeout_ms)
    }

    async fn register(&mut self) {
        loop {
            let registering = Appender::register(&self.pool, new_id());
            match in_time(self.append_timeout(), registering).await {
                Ok(appender) => {
                    self.appender = Arc::new(appender);
                    self.batch_number = 0;
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot register the executor");
                    tokio::time::sleep(RESOLVE_PAUSE).await;
                }
            }
        }
    }
}

/// What came of the batch in flight, once there is one.
async fn answered(in_flight: &mut Option<InFlight>) -> Option<Answered> {
    Some((&mut in_flight.as_mut()?.call).await)
}

/// Takes the first step of a call: with it the request is on its way. A task of its own would cost two
/// changes of thread, which is much of what a command takes that is alone.
fn begun(mut call: BoxFuture<'static, Answered>) -> BoxFuture<'static, Answered> {
    match (&mut call).now_or_never() {
        Some(answer) => future::ready(answer).boxed(),
        None => call,
    }
}

fn refuse(jobs: impl IntoIterator<Item = Job>, error: &Error) {
    for job in jobs {
        job.answer(Err(error.clone()));
    }
}

/// Gives a call up that is not answered in time: its connection may be dead without anybody knowing.
async fn in_time<T>(
    limit: Duration,
    call: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    let given_up = |_| Err(io::Error::from(io::ErrorKind::TimedOut).into());
    tokio::time::timeout(limit, call)
        .await
        .unwrap_or_else(given_up)
}

fn observe(groups: &[Vec<Member>], started: Instant) {
    let members = || groups.iter().flatten();
    let events: usize = members().map(Member::event_count).sum();
    #[expect(clippy::cast_precision_loss, reason = "metrics")]
    {
        histogram!("tidemark_executor_batch_commands").record(members().count() as f64);
        histogram!("tidemark_executor_batch_events").record(events as f64);
    }
    histogram!("tidemark_executor_append_seconds").record(started.elapsed().as_secs_f64());
    counter!("tidemark_executor_events_total").increment(events as u64);
}
