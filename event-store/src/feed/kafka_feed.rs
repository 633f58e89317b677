//! The feed that reads all partitions of all topics and merges them by position.
//!
//! It relies on Kafka for speed only: an event that is missing there, out of order or damaged is read from
//! the log, and none is given that the log was not seen to hold, to the letter. It stores no offsets, so none can be wrong.

mod confirmation;
mod counts;
mod merge;
mod merged_session;
mod session;

use std::collections::VecDeque;

use async_trait::async_trait;
use rdkafka::error::{KafkaError, KafkaResult};
use tidemark_events::{LogPoint, Recorded};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use self::counts::Counter;
use self::merged_session::MergedSession;
use super::Feed;
use crate::kafka::Settings;
use crate::{Backoff, FollowError, Log, PageLimits};

pub use counts::FeedCounts;

/// How often the head of the log is read within the time after which a feed counts as stalled: more often while
/// the head is ahead of the feed, less often the longer it is not.
const PROBES_PER_STALL: (u32, u32) = (10, 2);

/// Reads Kafka, and the log for what Kafka does not have. A process needs one only.
pub struct KafkaFeed {
    log: Log,
    settings: Settings,
    page: PageLimits,
    /// The last event that was given.
    last: LogPoint,
    /// The next events, as Kafka has them, which were not compared with the log yet.
    collected: VecDeque<Recorded>,
    /// The fingerprints of the next events, as the log was seen to hold them.
    next_in_log: VecDeque<Vec<u8>>,
    source: Source,
    /// When the feed last gave something or was at the head of the log.
    progressed_at: Instant,
    next_probe: Instant,
    probe_pause: Backoff,
    /// Whether the feed reads from the log because nothing comes from Kafka.
    has_fallen_back: bool,
    /// Whether a session with Kafka failed and none was opened since. The first failure is logged.
    is_failing: bool,
    counts: FeedCounts,
}

/// The state of the session with Kafka.
enum Source {
    Closed {
        retry_at: Instant,
    },
    Opening(JoinHandle<KafkaResult<MergedSession>>),
    /// The session has noted the ends of all partitions. So if the head of the log is read now, every
    /// event after it is published behind these ends.
    Opened(MergedSession),
    /// Events up to `log_until` come from the log, later ones from Kafka.
    Following {
        session: MergedSession,
        log_until: i64,
    },
}

impl KafkaFeed {
    /// A feed of the events after the point `after`, at most a `page` at once.
    #[must_use]
    pub fn new(log: Log, settings: Settings, after: LogPoint, page: PageLimits) -> Self {
        let now = Instant::now();
        Self {
            log,
            page,
            last: after,
            collected: VecDeque::new(),
            next_in_log: VecDeque::new(),
            source: Source::Closed { retry_at: now },
            progressed_at: now,
            next_probe: now,
            probe_pause: Backoff::new(
                settings.stall / PROBES_PER_STALL.0,
                settings.stall / PROBES_PER_STALL.1,
            ),
            has_fallen_back: false,
            is_failing: false,
            counts: FeedCounts::default(),
            settings,
        }
    }

    /// Where the events came from so far.
    #[must_use]
    pub const fn counts(&self) -> FeedCounts {
        self.counts
    }

    /// Takes the next step towards a session that is followed, if one can be taken now.
    async fn advance_session(&mut self) -> Result<(), FollowError> {
        let now = Instant::now();
        match &mut self.source {
            Source::Closed { retry_at } if *retry_at <= now => {
                let (settings, last) = (self.settings.clone(), self.last.position);
                let opening = spawn_blocking(move || MergedSession::open(&settings, last));
                self.source = Source::Opening(opening);
            }
            Source::Opening(opening) if opening.is_finished() => {
                match opening.await.unwrap_or(Err(KafkaError::Canceled)) {
                    Ok(session) => self.source = Source::Opened(session),
                    Err(error) => self.close(&error),
                }
            }
            Source::Opened(_) => {
                let head = self.log.head().await?;
                let log_until = head.position;
                let closed = Source::Closed { retry_at: now };
                if let Source::Opened(mut session) = std::mem::replace(&mut self.source, closed) {
                    session.follow_timeline(head.timeline, &mut self.counts);
                    session.skip_to(self.last.position, &mut self.counts);
                    self.source = Source::Following { session, log_until };
                }
                tracing::info!(log_until, "the feed follows Kafka");
                self.is_failing = false;
            }
            Source::Closed { .. } | Source::Opening(_) | Source::Following { .. } => {}
        }
        Ok(())
    }

    /// The events that can be given without waiting.
    async fn available(&mut self) -> Result<Vec<Recorded>, FollowError> {
        if !self.collected.is_empty() {
            return self.confirm().await;
        }
        let Source::Following { session, log_until } = &mut self.source else {
            return Ok(Vec::new());
        };
        if self.last.position < *log_until {
            let until = *log_until;
            return self.read_log(until, Counter::CaughtUp).await;
        }
        let collected = session
            .collect(self.page, &mut self.counts)
            .and_then(|events| {
                let missing = if events.is_empty() {
                    session.missing()?
                } else {
                    None
                };
                Ok((events, missing))
            });
        match collected {
            Ok((_, Some(missing))) => self.read_log(missing, Counter::Backfilled).await,
            Ok((events, None)) => {
                self.collected = events.into();
                self.confirm().await
            }
            Err(error) => {
                self.close(&error);
                Ok(Vec::new())
            }
        }
    }

    /// Reads the head of the log to find out whether the feed should have made progress. If so, checks
    /// Kafka for a gap, or reads from the log if the feed has stalled.
    async fn probe(&mut self) -> Result<Vec<Recorded>, FollowError> {
        let published = self.log.published(self.last).await?;
        if let Source::Following { session, .. } = &mut self.source {
            session.follow_timeline(published.timeline, &mut self.counts);
            session.drop_beyond(published.head, 0, &mut self.counts);
        }
        if published.head <= self.last.position {
            self.progressed_at = Instant::now();
            self.next_probe = self.progressed_at + self.probe_pause.take();
            return Ok(Vec::new());
        }
        self.probe_pause.reset();
        self.next_probe = Instant::now() + self.probe_pause.take();
        if self.has_fallen_back || self.progressed_at.elapsed() >= self.settings.stall {
            self.has_fallen_back = true;
            let events = self.read_log(published.head, Counter::FallenBack).await?;
            if self.last.position < published.head {
                self.next_probe = Instant::now();
            }
            return Ok(events);
        }
        if let Source::Following { session, .. } = &mut self.source {
            session.check_for_gap(published.confirmed);
        }
        Ok(Vec::new())
    }

    /// The next events from the log, at most up to `until`.
    async fn read_log(
        &mut self,
        until: i64,
        counter: Counter,
    ) -> Result<Vec<Recorded>, FollowError> {
        let up_to = until.min(self.last.position.saturating_add(self.page.events));
        let follow = self.log.follow(self.last, up_to, None, self.page.bytes);
        let events = follow.await?;
        if let Some(event) = events.last() {
            self.last = event.point();
        }
        self.next_in_log.clear();
        if let Source::Following { session, .. } = &mut self.source {
            session.skip_to(self.last.position, &mut self.counts);
        }
        self.counts.add(counter, events.len());
        Ok(events)
    }

    /// Gives the session up. A new one is opened later; until then, the log is read.
    fn close(&mut self, error: &KafkaError) {
        if self.is_failing {
            tracing::debug!(%error, "the feed cannot follow Kafka yet");
        } else {
            tracing::warn!(%error, "the feed lost Kafka and reads the log until Kafka is back");
        }
        self.is_failing = true;
        let retry_at = Instant::now() + self.settings.stall;
        self.source = Source::Closed { retry_at };
    }

    /// Waits until a record arrives or the next probe is due.
    async fn wait(&mut self) {
        let arrival = async {
            match &mut self.source {
                Source::Following { session, .. } => session.arrived().await,
                Source::Closed { .. } | Source::Opening(_) | Source::Opened(_) => {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            () = arrival => {}
            () = sleep_until(self.next_probe) => {}
        }
    }
}

#[async_trait]
impl Feed for KafkaFeed {
    async fn next(&mut self) -> Result<Vec<Recorded>, FollowError> {
        // The feed does not stall while nobody calls it.
        if self.next_probe.elapsed() > self.settings.stall / PROBES_PER_STALL.0 {
            self.progressed_at = Instant::now();
        }
        loop {
            self.advance_session().await?;
            let mut events = self.available().await?;
            if events.is_empty() && self.next_probe <= Instant::now() {
                events = self.probe().await?;
            }
            if !events.is_empty() {
                self.progressed_at = Instant::now();
                self.probe_pause.reset();
                return Ok(events);
            }
            self.wait().await;
        }
    }
}
