//! The loop: takes all commands that wait, decides them in order, appends everything in one call.
//!
//! There is no artificial delay: the next batch is what came while the last one committed.

mod outcome;

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use metrics::{counter, histogram};
use sqlx::PgPool;
use tidemark_domain::{Claim, Load};
use tidemark_event_store::{Appender, Log, Outcome};
use tidemark_platform::{clock::Clock, config::Executor as Settings};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    batch::{Batch, Decided},
    job::Job,
    load::{Found, load},
    states::Cache,
};
use crate::error::Error;

/// How long to wait before Postgres is asked again what became of a batch.
const RESOLVE_PAUSE: Duration = Duration::from_millis(100);

/// Under what jobs wait for the same load.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Waiting {
    Stream(Uuid),
    Claim(Claim),
}

impl From<&Load> for Waiting {
    fn from(load: &Load) -> Self {
        match load {
            Load::Stream(id) => Self::Stream(*id),
            Load::Claim(claim) => Self::Claim(claim.clone()),
        }
    }
}

type LoadResult = (Waiting, Result<Found, Error>);

/// The one task that decides and appends.
pub(super) struct Loop {
    settings: Settings,
    clock: Clock,
    pool: PgPool,
    log: Log,
    timeline: i32,
    appender: Appender,
    batch_number: i64,
    cache: Cache,
    jobs: mpsc::UnboundedReceiver<Job>,
    pending: VecDeque<Job>,
    waiting: HashMap<Waiting, Vec<Job>>,
    loaded: mpsc::UnboundedReceiver<LoadResult>,
    load_done: mpsc::UnboundedSender<LoadResult>,
}

impl Loop {
    /// A loop with an executor row of its own.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub(super) async fn new(
        pool: PgPool,
        settings: Settings,
        clock: Clock,
        jobs: mpsc::UnboundedReceiver<Job>,
    ) -> sqlx::Result<Self> {
        let log = Log::new(pool.clone());
        clock.follow(log.now().await?);
        let timeline = log.head().await?.timeline;
        let appender = Appender::register(pool.clone(), new_executor_id()).await?;
        let bytes_max = usize::try_from(settings.state_cache_bytes).unwrap_or(usize::MAX);
        let (load_done, loaded) = mpsc::unbounded_channel();
        Ok(Self {
            settings,
            clock,
            pool,
            log,
            timeline,
            appender,
            batch_number: 0,
            cache: Cache::new(bytes_max),
            jobs,
            pending: VecDeque::new(),
            waiting: HashMap::new(),
            loaded,
            load_done,
        })
    }

    /// Runs until nobody can send a command any more.
    pub(super) async fn run(mut self) {
        while self.gather().await {
            let batch = self.decide();
            if !batch.is_empty() {
                self.append(batch).await;
                self.cache.shrink();
            }
        }
    }

    /// Waits until something can be done, then takes all that can. False at the end.
    async fn gather(&mut self) -> bool {
        if self.pending.is_empty() {
            tokio::select! {
                Some((waiting, found)) = self.loaded.recv() => self.absorb(&waiting, found),
                job = self.jobs.recv() => match job {
                    Some(job) => self.pending.push_back(job),
                    None if self.waiting.is_empty() => return false,
                    None => if let Some((waiting, found)) = self.loaded.recv().await {
                        self.absorb(&waiting, found);
                    },
                },
            }
        }
        while let Ok((waiting, found)) = self.loaded.try_recv() {
            self.absorb(&waiting, found);
        }
        while self.pending.len() < self.settings.batch_max {
            let Ok(job) = self.jobs.try_recv() else { break };
            self.pending.push_back(job);
        }
        true
    }

    /// Takes what was loaded into the cache and lets those go on that waited for it.
    fn absorb(&mut self, waiting: &Waiting, found: Result<Found, Error>) {
        let jobs = self.waiting.remove(waiting).unwrap_or_default();
        match found {
            Ok(Found::Stream(id, loaded)) => self.cache.insert_stream(id, loaded),
            Ok(Found::Claim(claim, owner)) => self.cache.insert_claim(claim, owner),
            Err(error) => {
                for job in jobs {
                    job.answer(Err(error.clone()));
                }
                return;
            }
        }
        self.pending.extend(jobs);
    }

    fn decide(&mut self) -> Batch {
        let mut batch = Batch::default();
        while batch.len() < self.settings.batch_max {
            let Some(job) = self.pending.pop_front() else {
                break;
            };
            if job.deadline <= Instant::now() {
                job.answer(Err(Error::Contended));
                continue;
            }
            match batch.decide(job, &mut self.cache, self.clock.now(), &self.settings) {
                Decided::InBatch => {}
                Decided::Needs(wanted, job) => self.load(wanted, job),
                Decided::Failed(job, error) => job.answer(Err(error)),
            }
        }
        batch
    }

    fn load(&mut self, wanted: Load, job: Job) {
        let key = Waiting::from(&wanted);
        let jobs = self.waiting.entry(key.clone()).or_default();
        jobs.push(job);
        if jobs.len() == 1 {
            let (log, done) = (self.log.clone(), self.load_done.clone());
            tokio::spawn(async move {
                let found = load(&log, &wanted).await;
                let _ = done.send((key, found));
            });
        }
    }

    async fn append(&mut self, batch: Batch) {
        let started = Instant::now();
        let (groups, members) = batch.into_groups();
        let events: usize = groups.iter().map(|group| group.events.len()).sum();
        let event_ids = groups
            .iter()
            .map(|g| g.events.first().map(|e| e.event_id))
            .collect();
        self.batch_number += 1;
        match self.appender.append(self.batch_number, groups).await {
            Ok(Outcome::Done(appended)) => {
                observe(events, members.iter().map(Vec::len).sum(), started);
                self.settle(members, &appended).await;
            }
            Ok(Outcome::NotCurrent) => {
                tracing::error!("this executor's row is gone: it was idle for too long");
                self.register().await;
                self.decide_again(members.into_iter().flatten());
            }
            Err(error) => {
                tracing::error!(%error, batch = self.batch_number, "the outcome of an append is unknown");
                counter!("tidemark_executor_unknown_outcomes_total").increment(1);
                self.resolve(members, event_ids).await;
            }
        }
    }

    async fn register(&mut self) {
        loop {
            match Appender::register(self.pool.clone(), new_executor_id()).await {
                Ok(appender) => {
                    self.appender = appender;
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

fn observe(events: usize, commands: usize, started: Instant) {
    #[expect(clippy::cast_precision_loss, reason = "metrics")]
    {
        histogram!("tidemark_executor_batch_commands").record(commands as f64);
        histogram!("tidemark_executor_batch_events").record(events as f64);
    }
    histogram!("tidemark_executor_append_seconds").record(started.elapsed().as_secs_f64());
    counter!("tidemark_executor_events_total").increment(events as u64);
}

#[expect(clippy::disallowed_methods, reason = "an executor names itself")]
fn new_executor_id() -> Uuid {
    Uuid::now_v7()
}
