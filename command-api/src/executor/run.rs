//! The loop: takes all commands that wait, decides them in order, appends everything in one call.
//!
//! There is no artificial delay: the next batch is what came while the last one committed.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use metrics::{counter, histogram};
use sqlx::PgPool;
use tidemark_domain::{Claim, Load};
use tidemark_event_store::{Appended, Appender, Log, Moved, Outcome, Record};
use tidemark_platform::{clock::Clock, config::Executor as Settings};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    batch::{Batch, Decided, Member, Verdict},
    intent::Receipt,
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

    /// Answers the groups that were written, and decides the others again.
    async fn settle(&mut self, groups: Vec<Vec<Member>>, appended: &Appended) {
        self.clock.follow(appended.at);
        let failed: HashSet<usize> = appended.moved.iter().map(Moved::group).collect();
        let mut position = appended.head;
        for (place, members) in groups.into_iter().enumerate() {
            if failed.contains(&place) {
                let moved = appended.moved.iter().filter(|moved| moved.group() == place);
                self.retry_group(members, moved.collect()).await;
                continue;
            }
            for member in members {
                for id in member.streams_written() {
                    self.cache.taken(id, appended.at);
                }
                position += i64::try_from(member.event_count()).unwrap_or(0);
                self.answer(member, position);
            }
        }
    }

    /// Answers a command whose decision stands, as of a position.
    fn answer(&self, member: Member, position: i64) {
        let Member { job, verdict, .. } = member;
        let answer = match verdict {
            Verdict::Accepted { version, events } => Ok(Receipt {
                status: job.intent.status,
                stream_id: job.intent.stream_id,
                version,
                timeline: self.timeline,
                position,
                events: events.into(),
                replayed: false,
            }),
            Verdict::Refused(refusal) => Err(Error::Refused(refusal)),
            Verdict::Stale { current } => Err(Error::Stale { current }),
        };
        job.answer(answer);
    }

    /// A group was not written: those done before are answered so, the others decided again.
    async fn retry_group(&mut self, members: Vec<Member>, moved: Vec<&Moved>) {
        counter!("tidemark_executor_conflicts_total").increment(1);
        let mut again = Vec::with_capacity(members.len());
        for member in members {
            member.forget(&mut self.cache);
            match self.done_before(&member, &moved).await {
                Some(answer) => member.job.answer(answer),
                None => again.push(member),
            }
        }
        self.decide_again(again.into_iter());
    }

    /// The answer to a command that another process took first, or whose subject was erased.
    async fn done_before(
        &self,
        member: &Member,
        moved: &[&Moved],
    ) -> Option<Result<Receipt, Error>> {
        let intent = &member.job.intent;
        let erased = intent.keys.iter().any(|used| {
            moved
                .iter()
                .any(|m| matches!(m, Moved::Subject { id, .. } if *id == used.subject))
        });
        if erased {
            return Some(Err(Error::Erased));
        }
        let idempotency = intent.idempotency.as_ref()?;
        let recorded = moved.iter().any(|m| {
            matches!(m, Moved::Record { scope, key, .. }
                if *scope == idempotency.principal && *key == idempotency.key)
        });
        if !recorded {
            return None;
        }
        match Record::find(&self.pool, &idempotency.principal, &idempotency.key).await {
            Ok(record) => record.map(|record| super::replay(&record, idempotency, self.timeline)),
            Err(error) => Some(Err(error.into())),
        }
    }

    /// Sends commands through once more, from states that are loaded afresh.
    fn decide_again(&mut self, members: impl DoubleEndedIterator<Item = Member>) {
        for member in members.rev() {
            member.forget(&mut self.cache);
            self.pending.push_front(member.job);
        }
    }

    /// Finds out what became of the last batch, however long it takes: until then this executor
    /// appends nothing.
    async fn resolve(&mut self, groups: Vec<Vec<Member>>, event_ids: Vec<Option<Uuid>>) {
        let committed = loop {
            match self.appender.resolve(self.batch_number).await {
                Ok(committed) => break committed,
                Err(error) => {
                    tracing::warn!(%error, "cannot ask what became of a batch");
                    self.refuse_overdue();
                    tokio::time::sleep(RESOLVE_PAUSE).await;
                }
            }
        };
        tracing::info!(
            batch = self.batch_number,
            committed,
            "the outcome of the append is known"
        );
        for (members, first_event) in groups.into_iter().zip(event_ids) {
            for member in &members {
                member.forget(&mut self.cache);
            }
            let written = match first_event {
                Some(event_id) if committed => self.find(event_id).await,
                // A group without events left no trace: its refusals are decided anew.
                _ => None,
            };
            match written {
                Some(first) => self.answer_written(members, first),
                None => self.decide_again(members.into_iter()),
            }
        }
    }

    fn answer_written(&self, members: Vec<Member>, first_position: i64) {
        let mut position = first_position - 1;
        for member in members {
            position += i64::try_from(member.event_count()).unwrap_or(0);
            self.answer(member, position);
        }
    }

    async fn find(&mut self, event_id: Uuid) -> Option<i64> {
        loop {
            match self.log.position_of(event_id).await {
                Ok(position) => return position,
                Err(error) => {
                    tracing::warn!(%error, "cannot look for the events of a batch");
                    tokio::time::sleep(RESOLVE_PAUSE).await;
                }
            }
        }
    }

    /// Commands that were never tried need not wait for Postgres beyond their deadline.
    fn refuse_overdue(&mut self) {
        while let Ok(job) = self.jobs.try_recv() {
            self.pending.push_back(job);
        }
        let now = Instant::now();
        let (overdue, rest): (VecDeque<_>, VecDeque<_>) = self
            .pending
            .drain(..)
            .partition(|job: &Job| job.deadline <= now);
        self.pending = rest;
        for job in overdue {
            job.answer(Err(Error::StorageUnavailable));
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
