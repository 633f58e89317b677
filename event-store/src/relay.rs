//! Publishes the log to Kafka, in position order. One relay leads among all that run; the others
//! stand by. It never appends, and it never ends because of Kafka: commands do not wait for it.

mod error;
mod layout;
mod progress;
mod publisher;
mod recovery;
mod tail;
mod topics;
mod window;

use std::time::{Duration, Instant};

use fail::fail_point;
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::{sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::error::Error;
use self::layout::Layout;
use self::progress::Progress;
use self::publisher::Publisher;
use self::recovery::recover;
use self::topics::Topics;
use crate::{Lease, Leases, Log, TimedPool, kafka};

const LEASE: &str = "relay";

/// How the relay works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How Kafka is spoken to.
    pub kafka: kafka::Settings,
    /// How long a relay leads without renewing its lease.
    pub lease: Duration,
    /// How long a new producer waits out what an earlier one may still have in flight: longer than
    /// [`kafka::Settings::message_timeout`].
    pub takeover_wait: Duration,
    /// Events read from the log at once.
    pub page_size: i64,
    /// How often the log is looked at when nothing new was found.
    pub idle_poll: Duration,
    /// Records given to the producer and not yet acknowledged.
    pub in_flight_max_kbytes: u64,
    /// How often progress is saved while there is always something in flight.
    pub save_interval: Duration,
    /// How often it is looked whether the topics are still there.
    pub topics_check: Duration,
    /// Pause before a new term after a failure.
    pub retry: Duration,
    /// Pause before it is looked again whether log and topics still contradict each other.
    pub alarm_retry: Duration,
}

/// The relay of one process.
#[derive(Debug)]
pub struct Relay {
    pool: TimedPool,
    log: Log,
    leases: Leases,
    settings: Settings,
    layout: Layout,
    confirmed: watch::Sender<i64>,
    health: watch::Sender<Health>,
}

/// How a turn went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Another relay leads.
    StoodBy,
    /// It led until it was told to stop.
    Led,
}

/// How the relay of a process is. Each change is said once in the log of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It leads, or stands by and has not failed since it last led.
    Well,
    /// Its last term failed; it tries again by itself.
    Failing,
    /// Log and topics contradict each other: it touches nothing until somebody has looked.
    Alarm,
}

impl Relay {
    /// A relay that connects as `tidemark_relay`, for a process that calls itself `holder`.
    #[must_use]
    pub fn new(pool: TimedPool, settings: Settings, holder: Uuid) -> Self {
        Self {
            log: Log::new(pool.clone()),
            leases: Leases::new(pool.clone(), holder, settings.lease),
            layout: Layout::new(&settings.kafka),
            confirmed: watch::Sender::new(0),
            health: watch::Sender::new(Health::Well),
            pool,
            settings,
        }
    }

    /// The position up to which this relay, while it leads, knows Kafka to hold the log.
    #[must_use]
    pub fn confirmed(&self) -> watch::Receiver<i64> {
        self.confirmed.subscribe()
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Leads whenever nobody else does, until `shutdown`; then hands over at once.
    pub async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let turn = self.turn(&shutdown).await;
            let pause = match &turn {
                Ok(Turn::Led) => Duration::ZERO,
                Ok(Turn::StoodBy) => self.settings.lease / 10,
                Err(error) if error.is_alarm() => self.settings.alarm_retry,
                Err(_) => self.settings.retry,
            };
            if let Err(error) = turn {
                self.failed(&error);
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    async fn turn(&self, shutdown: &CancellationToken) -> Result<Turn, Error> {
        let asked = Instant::now();
        let Some(lease) = self.leases.take(LEASE).await? else {
            return Ok(Turn::StoodBy);
        };
        metrics::gauge!("tidemark_relay_epoch").set(publisher::count(lease.epoch));
        let led = tokio::select! {
            led = self.lead(&lease, shutdown) => led,
            error = self.keep(&lease, asked) => Err(error),
        };
        // If that fails, the lease runs out by itself.
        let _ = self.leases.release(&lease).await;
        led.map(|()| Turn::Led)
    }

    async fn lead(&self, lease: &Lease, shutdown: &CancellationToken) -> Result<(), Error> {
        let topics = Topics::new(&self.settings.kafka)?;
        let mut publisher = tokio::select! {
            publisher = self.start(lease, &topics) => publisher?,
            () = shutdown.cancelled() => return Ok(()),
        };
        self.leads();
        tokio::select! {
            ended = publisher.publish() => return ended.map(|never| match never {}),
            error = topics.watch(self.settings.topics_check) => return Err(error),
            () = shutdown.cancelled() => {}
        }
        publisher.finish().await
    }

    async fn start(&self, lease: &Lease, topics: &Topics) -> Result<Publisher<'_>, Error> {
        let (progress, left) = Progress::claim(PgPool::clone(&self.pool), lease.epoch).await?;
        if !left.drained {
            sleep(self.settings.takeover_wait).await;
        }
        topics.ensure(&progress).await?;
        let Settings { kafka, .. } = &self.settings;
        let recovered = recover(&self.log, &progress, kafka, &self.layout, left.position).await?;
        let epoch = lease.epoch;
        tracing::info!(epoch, position = recovered.position, "the relay leads");
        let Self {
            log,
            settings,
            layout,
            confirmed,
            ..
        } = self;
        Publisher::start(log, settings, layout, confirmed, progress, recovered).await
    }

    /// Renews the lease. Ends well before it runs out, by a clock that nobody sets.
    async fn keep(&self, lease: &Lease, asked: Instant) -> Error {
        let good_for = self.settings.lease * 2 / 3;
        let mut good_until = asked + good_for;
        loop {
            sleep(self.settings.lease / 3).await;
            fail_point!("relay_lease_lost", |_| Error::LeaseLost);
            let asked = Instant::now();
            match timeout_at(good_until.into(), self.leases.renew(lease)).await {
                Ok(Ok(true)) => good_until = asked + good_for,
                Ok(Err(error)) if asked < good_until => {
                    tracing::debug!(%error, "lease not renewed");
                }
                Ok(Ok(false) | Err(_)) | Err(_) => return Error::LeaseLost,
            }
        }
    }

    fn leads(&self) {
        metrics::gauge!("tidemark_relay_alarm").set(0.0);
        if self.health.send_replace(Health::Well) != Health::Well {
            tracing::info!("the relay publishes again");
        }
    }

    /// Says what the end of a term means, if that is news.
    fn failed(&self, error: &Error) {
        let (health, alarm) = if error.is_alarm() {
            (Health::Alarm, 1.0)
        } else {
            (Health::Failing, 0.0)
        };
        metrics::counter!("tidemark_relay_failed_terms_total").increment(1);
        metrics::gauge!("tidemark_relay_alarm").set(alarm);
        if self.health.send_replace(health) == health {
            tracing::debug!(%error, "the relay's term ended again");
        } else if health == Health::Alarm {
            tracing::error!(%error, "the relay has stopped: log and topics contradict each other");
        } else {
            tracing::warn!(%error, "the relay's term ended; it tries again");
        }
    }
}
