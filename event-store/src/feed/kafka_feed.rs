//! The feed that reads all partitions of all topics and merges them by position.
//!
//! It trusts Kafka with nothing but speed: what is not there, not in order or not intact is read
//! from the log. It stores no offsets, so none can be wrong.

mod counts;
mod live;
mod merge;
mod session;

use std::time::Duration;

use async_trait::async_trait;
use rdkafka::error::{KafkaError, KafkaResult};
use tidemark_events::Recorded;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use self::counts::Kind;
use self::live::Live;
use super::{Feed, FeedError};
use crate::Log;
use crate::kafka::Settings;

pub use counts::Counts;

/// Within the time that counts as a stall, the log is asked so many times how things are.
const PROBES_PER_STALL: u32 = 10;

/// Reads Kafka, once per process, and the log for whatever Kafka does not give.
pub struct KafkaFeed {
    log: Log,
    settings: Settings,
    page: i64,
    last: i64,
    source: Source,
    /// When it last gave something, or had nothing to give.
    moved: Instant,
    next_probe: Instant,
    /// It is reading on from the log since Kafka does not move.
    fallen_back: bool,
    /// The way to Kafka failed, and that was said.
    failing: bool,
    counts: Counts,
}

/// The way to Kafka.
enum Source {
    Closed {
        retry_at: Instant,
    },
    Opening(JoinHandle<KafkaResult<Live>>),
    /// Its starting points are noted. What the log holds after that is read is in the log or behind
    /// them.
    Opened(Live),
    /// Up to `log_until` the log gives, above it Kafka.
    Following {
        live: Live,
        log_until: i64,
    },
}

impl KafkaFeed {
    /// The events after position `after`, at most `page` a batch.
    #[must_use]
    pub fn new(log: Log, settings: Settings, after: i64, page: i64) -> Self {
        let now = Instant::now();
        Self {
            log,
            settings,
            page,
            last: after,
            source: Source::Closed { retry_at: now },
            moved: now,
            next_probe: now,
            fallen_back: false,
            failing: false,
            counts: Counts::default(),
        }
    }

    /// Where the events came from so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes the next step towards following Kafka, if one can be taken now.
    async fn advance(&mut self) -> Result<(), FeedError> {
        let now = Instant::now();
        match &mut self.source {
            Source::Closed { retry_at } if *retry_at <= now => {
                let (settings, last) = (self.settings.clone(), self.last);
                let opening = spawn_blocking(move || Live::open(&settings, last));
                self.source = Source::Opening(opening);
            }
            Source::Opening(opening) if opening.is_finished() => {
                match opening.await.unwrap_or(Err(KafkaError::Canceled)) {
                    Ok(live) => self.source = Source::Opened(live),
                    Err(error) => self.close(&error),
                }
            }
            Source::Opened(_) => {
                let log_until = self.log.head().await?.position;
                let closed = Source::Closed { retry_at: now };
                if let Source::Opened(mut live) = std::mem::replace(&mut self.source, closed) {
                    live.skip_to(self.last, &mut self.counts);
                    self.source = Source::Following { live, log_until };
                }
                tracing::info!(log_until, "the feed follows Kafka");
                self.failing = false;
            }
            Source::Closed { .. } | Source::Opening(_) | Source::Following { .. } => {}
        }
        Ok(())
    }

    /// What can be given now.
    async fn ready(&mut self) -> Result<Vec<Recorded>, FeedError> {
        let Source::Following { live, log_until } = &mut self.source else {
            return Ok(Vec::new());
        };
        if self.last < *log_until {
            let until = *log_until;
            return self.read_log(until, Kind::CaughtUp).await;
        }
        let max = usize::try_from(self.page).unwrap_or(1);
        let collected = live.collect(max, &mut self.counts).and_then(|events| {
            let missing = if events.is_empty() {
                live.missing()?
            } else {
                None
            };
            Ok((events, missing))
        });
        match collected {
            Ok((_, Some(missing))) => self.read_log(missing, Kind::Backfilled).await,
            Ok((events, None)) => {
                if let Some(event) = events.last() {
                    self.last = event.position;
                    self.fallen_back = false;
                }
                Ok(events)
            }
            Err(error) => {
                self.close(&error);
                Ok(Vec::new())
            }
        }
    }

    fn probe_interval(&self) -> Duration {
        self.settings.stall / PROBES_PER_STALL
    }

    /// Looks whether the feed should have moved, and why it has not.
    async fn probe(&mut self) -> Result<Vec<Recorded>, FeedError> {
        let published = self.log.published().await?;
        self.next_probe = Instant::now() + self.probe_interval();
        if published.head <= self.last {
            self.moved = Instant::now();
            return Ok(Vec::new());
        }
        if self.fallen_back || self.moved.elapsed() >= self.settings.stall {
            self.fallen_back = true;
            let events = self.read_log(published.head, Kind::FallenBack).await?;
            if self.last < published.head {
                self.next_probe = Instant::now();
            }
            return Ok(events);
        }
        if let Source::Following { live, .. } = &mut self.source {
            live.suspect(published.confirmed);
        }
        Ok(Vec::new())
    }

    /// Reads on from the log, at most up to `until`.
    async fn read_log(&mut self, until: i64, kind: Kind) -> Result<Vec<Recorded>, FeedError> {
        let events = self
            .log
            .page(self.last, self.page.min(until - self.last))
            .await?;
        if let Some(event) = events.last() {
            self.last = event.position;
        }
        if let Source::Following { live, .. } = &mut self.source {
            live.skip_to(self.last, &mut self.counts);
        }
        self.counts.add(kind, events.len());
        Ok(events)
    }

    fn close(&mut self, error: &KafkaError) {
        if self.failing {
            tracing::debug!(%error, "the feed cannot follow Kafka yet");
        } else {
            tracing::warn!(%error, "the feed lost Kafka and starts again; meanwhile it reads the log");
        }
        self.failing = true;
        let retry_at = Instant::now() + self.settings.stall;
        self.source = Source::Closed { retry_at };
    }

    /// Waits for something to do.
    async fn wait(&mut self) {
        let arrival = async {
            match &mut self.source {
                Source::Following { live, .. } => live.arrived().await,
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
    async fn next(&mut self) -> Result<Vec<Recorded>, FeedError> {
        // Time in which nobody asked is no stall.
        if self.next_probe.elapsed() > self.probe_interval() {
            self.moved = Instant::now();
        }
        loop {
            self.advance().await?;
            let mut events = self.ready().await?;
            if events.is_empty() && self.next_probe <= Instant::now() {
                events = self.probe().await?;
            }
            if !events.is_empty() {
                self.moved = Instant::now();
                return Ok(events);
            }
            self.wait().await;
        }
    }
}
