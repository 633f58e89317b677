//! The loop that decides commands and appends their events, one append at a time.
//!
//! There is no artificial delay: the next batch is decided while the last one is being appended, on states
//! that are ahead of the log. The append checks what each decision rested on, so nothing is written that
//! was decided on states which did not become true.

mod append_in_flight;
mod outcome;
mod unknown_outcome;

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::gauge;
use sqlx::PgPool;
use tidemark_domain::operations::fork::Declare;
use tidemark_event_store::{Appender, Conditions, Head, Log, TimedPool};
use tidemark_events::LogPoint;
use tidemark_platform::clock::Clock;
use tidemark_platform::config::Executor as Settings;
use tidemark_platform::ids::new_id;
use tidemark_platform::ops::ReadinessFlag;
use tokio::sync::Notify;

use self::append_in_flight::{AppendInFlight, next_answer};
pub(super) use self::outcome::Settled;
use super::batch::{Batch, DecideResult};
use super::cache::Cache;
use super::known_records::KnownRecords;
use super::loading::{Loader, Loading};
use super::queue::{Queue, answer_all};
use crate::error::Error;

/// How long to wait before Postgres is asked again if it did not answer.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// The one task of a process that decides and appends.
pub(super) struct CommitLoop {
    settings: Settings,
    clock: Clock,
    /// Its response timeout is `append_timeout_ms`.
    append_pool: TimedPool,
    log: Log,
    timeline: i32,
    /// Whether the log has lost events: then nothing is appended to it before an operator has declared a fork.
    is_set_back: bool,
    /// An event of the last batch that appended any, since the executor was registered.
    last_appended: Option<LogPoint>,
    /// The position at which the log ended after the last batch of this executor; none if it is not known.
    known_head: Option<i64>,
    appender: Arc<Appender>,
    /// The number of the last batch that was sent; 0 before the first.
    batch_number: i64,
    queue: Queue,
    loading: Loading,
    cache: Cache,
    /// The commands to append once the append in flight is answered.
    batch: Batch,
    in_flight: Option<AppendInFlight>,
    records: KnownRecords,
    /// Wakes the relay of this process.
    appended: Arc<Notify>,
}

impl CommitLoop {
    /// A loop that is registered in the log as an executor, however long Postgres takes to answer; none if
    /// no command can be sent any more.
    pub(super) async fn register_first(
        pool: TimedPool,
        loader: Loader,
        settings: Settings,
        clock: Clock,
        mut queue: Queue,
        records: KnownRecords,
        appended: Arc<Notify>,
    ) -> Option<Self> {
        let log = Log::new(pool.clone());
        let (head, executor) = loop {
            match register(&pool, &log, &clock).await {
                Ok(registered) => break registered,
                Err(error) => tracing::warn!(%error, "the executor cannot be registered yet"),
            }
            answer_all(
                queue.take_overdue(Instant::now()),
                &Error::StorageUnavailable,
            );
            if queue.is_closed() {
                return None;
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        };
        let append_timeout = Duration::from_millis(settings.append_timeout_ms);
        let cache_bytes = usize::try_from(settings.state_cache_bytes).unwrap_or(usize::MAX);
        Some(Self {
            append_pool: TimedPool::new(PgPool::clone(&pool), append_timeout),
            loading: Loading::new(loader, &settings),
            settings,
            clock,
            log,
            timeline: head.timeline,
            is_set_back: head.is_set_back,
            last_appended: None,
            known_head: None,
            appender: Arc::new(executor),
            batch_number: 0,
            queue,
            cache: Cache::new(cache_bytes),
            batch: Batch::default(),
            in_flight: None,
            records,
            appended,
        })
    }

    /// Runs until no command can be sent any more and all are answered. `ready` says whether commands are decided.
    pub(super) async fn run(mut self, ready: &ReadinessFlag) {
        self.report_set_back();
        ready.set(!self.is_set_back);
        while let Some(settled) = self.wait_for_work().await {
            if self.is_set_back {
                self.look_for_fork().await;
            }
            self.decide_queued();
            self.send_batch();
            // After the batch, since one that is decided again may need other loads.
            self.loading.start();
            // Answers come last: the append is on its way while clients send their next commands.
            self.answer(settled);
            ready.set(!self.is_set_back);
        }
    }

    /// Waits until an append is answered, a load is finished or a command is received, or the log may have been
    /// forked. Returns the
    /// commands that are settled by it, or none if nothing can happen any more.
    async fn wait_for_work(&mut self) -> Option<Vec<Settled>> {
        let has_room = self.batch.has_room(&self.settings);
        let awaits_fork = self.is_set_back && !self.queue.is_closed();
        tokio::select! {
            biased;
            Some(answer) = next_answer(&mut self.in_flight) => Some(self.handle_answer(answer).await),
            Some(finished) = self.loading.next_finished() => {
                let commands = self.loading.finish(finished, &mut self.cache);
                self.queue.push_loaded(commands);
                Some(Vec::new())
            },
            Some(()) = self.queue.receive(), if has_room => Some(Vec::new()),
            () = tokio::time::sleep(RETRY_PAUSE), if awaits_fork => Some(Vec::new()),
            else => None,
        }
    }

    /// Decides the queued commands, as long as the batch has room.
    fn decide_queued(&mut self) {
        while self.batch.has_room(&self.settings) {
            let Some(command) = self.queue.pop() else {
                break;
            };
            if command.deadline <= Instant::now() {
                command.answer_overdue();
                continue;
            }
            if self.is_set_back && command.submission.command.name() != Declare::NAME {
                command.answer(Err(Error::LogSetBack));
                continue;
            }
            let now = self.clock.now();
            let cache = &mut self.cache;
            match self.batch.decide(command, cache, now, &self.settings) {
                DecideResult::InBatch => {}
                DecideResult::NeedsLoads(loads, command) => self.loading.wait_for(loads, command),
                DecideResult::Failed(command, error) => command.answer(Err(error)),
            }
        }
    }

    /// Sends the batch to the log, unless another append is in flight.
    fn send_batch(&mut self) {
        if self.in_flight.is_some() {
            return;
        }
        if self.batch.is_old(self.clock.now(), &self.settings) {
            // The append before took so long that the log would refuse this batch as too late.
            let commands = self.batch.withdraw(&mut self.cache);
            self.decide_again(commands);
            self.decide_queued();
        }
        if self.batch.is_empty() {
            return;
        }
        let conditions = Conditions {
            valid: self.batch.valid(&self.settings),
            known_head: self.known_head,
        };
        self.batch_number += 1;
        let number = self.batch_number;
        let appender = Arc::clone(&self.appender);
        let pool = self.append_pool.clone();
        let batch = mem::take(&mut self.batch).into_groups(&mut self.cache, number);
        let snapshot_every = self.settings.snapshot_every;
        self.in_flight = Some(AppendInFlight::start(
            number,
            batch,
            snapshot_every,
            |groups| async move {
                let append = appender.append(number, conditions, groups);
                pool.with_timeout(append).await
            },
        ));
        self.cache.shrink();
    }

    /// Looks whether an operator has declared a fork, so that the log can go on.
    async fn look_for_fork(&mut self) {
        if self.log.head().await.is_ok_and(|head| !head.is_set_back) {
            self.register_anew().await;
        }
    }

    /// Registers this process as a new executor, which decides the commands of the next batch again.
    async fn begin_anew(&mut self) {
        self.register_anew().await;
        let next_batch = mem::take(&mut self.batch).into_commands();
        self.decide_again(next_batch);
    }

    /// Registers this process as a new executor, however long Postgres takes to answer. No state of before
    /// is used afterwards: the log that does not know this executor may be another one, such as a backup.
    async fn register_anew(&mut self) {
        while let Err(error) = self.try_to_register().await {
            tracing::warn!(%error, "the executor cannot be registered");
            self.pause().await;
        }
        self.batch_number = 0;
        self.known_head = None;
        self.cache.clear();
        self.records.clear();
        self.loading.begin_anew();
        self.report_set_back();
    }

    async fn try_to_register(&mut self) -> sqlx::Result<()> {
        self.try_to_report().await?;
        self.last_appended = None;
        let registering = Appender::register(&self.append_pool, new_id());
        let appender = self.append_pool.with_timeout(registering).await?;
        let head = self.log.head().await?;
        self.timeline = head.timeline;
        self.is_set_back = head.is_set_back;
        self.appender = Arc::new(appender);
        Ok(())
    }

    /// Has the log marked as set back, if it does not hold the event that this executor appended last.
    async fn try_to_report(&mut self) -> sqlx::Result<()> {
        let Some(event) = self.last_appended else {
            return Ok(());
        };
        let report = Appender::report_appended(&self.append_pool, self.timeline, event);
        self.append_pool.with_timeout(report).await
    }

    fn report_set_back(&self) {
        gauge!("tidemark_executor_set_back").set(if self.is_set_back { 1.0 } else { 0.0 });
        if self.is_set_back {
            tracing::error!(
                "the log has lost events; commands are refused until an operator has declared a fork"
            );
        }
    }
}

/// Registers a new executor. Returns it with the head of the log, whose time `clock` follows.
async fn register(pool: &TimedPool, log: &Log, clock: &Clock) -> sqlx::Result<(Head, Appender)> {
    let asked_at = Instant::now();
    clock.follow(log.now().await?, asked_at);
    let appender = pool
        .with_timeout(Appender::register(pool, new_id()))
        .await?;
    Ok((log.head().await?, appender))
}
