//! The relay publishes the log to Kafka, in the order of positions. Among all relays that run, the one
//! that holds the lease leads, and the others stand by. The relay never appends, and no error of Kafka
//! ends it: commands do not depend on it.
//!
//! A term begins with what `progress` stored and what `recovery` finds in the topics; then `publisher`
//! goes on from there.

mod adoption;
mod blocking;
mod error;
mod in_flight;
mod in_log;
mod partition_scan;
mod partitions;
mod producer;
mod progress;
mod publisher;
mod reader;
mod recovery;
mod topics;
mod waking;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fail::fail_point;
use sqlx::PgPool;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::adoption::adopt;
use self::error::Error;
use self::partitions::Partitions;
use self::progress::Progress;
use self::publisher::{Publisher, as_metric};
use self::recovery::recover;
use self::topics::Topics;
pub use self::waking::wake_leader;
use crate::{Lease, Leases, Log, TimedPool, kafka};

/// The name of the lease of the relay that leads.
const LEASE: &str = "relay";

/// The settings of a relay.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How to reach Kafka.
    pub kafka: kafka::Settings,
    /// How long the lease lasts after it was taken or renewed.
    pub lease: Duration,
    /// How long a new term waits for records that the term before may still have in flight. It must be
    /// longer than [`kafka::Settings::message_timeout`].
    pub takeover_wait: Duration,
    /// How many events are read from the log at once.
    pub page_size: i64,
    /// After how many bytes of data no other event is read at once.
    pub page_bytes: i64,
    /// The time from one look at the log to the next under load, unless there is a whole page of new events.
    pub page_interval: Duration,
    /// The pause before the log is read again if there was nothing new. It doubles while there is not.
    pub idle_poll: Duration,
    /// The longest such pause.
    pub idle_poll_max: Duration,
    /// How many kilobytes of records may be in flight.
    pub in_flight_max_kbytes: u64,
    /// How often progress is saved while something is in flight all the time.
    pub save_interval: Duration,
    /// How often the relay checks that the topics still exist.
    pub topics_check: Duration,
    /// The pause after a failed term.
    pub retry: Duration,
    /// The pause after an alarm, before the relay checks whether log and topics still contradict each
    /// other.
    pub alarm_retry: Duration,
}

/// The relay of one process.
#[derive(Debug)]
pub struct Relay {
    pool: TimedPool,
    log: Log,
    leases: Leases,
    settings: Settings,
    partitions: Partitions,
    confirmed: watch::Sender<i64>,
    health: watch::Sender<Health>,
    appended: Arc<Notify>,
}

/// How an attempt to lead ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// Another relay held the lease.
    StoodBy,
    /// The relay led until it was told to stop, or to begin another term.
    Led,
}

/// Whether the relay of a process works. Each change is logged once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The relay leads, or it stands by and has not failed since it last led.
    Healthy,
    /// The last term failed. The relay tries again by itself.
    Failing,
    /// Log and topics contradict each other. The relay publishes nothing until an operator has repaired
    /// that. One that stands by has no alarm of its own: the one that leads meets what is wrong.
    Alarm,
}

impl Relay {
    /// A relay that connects as `tidemark_relay`, for a process that calls itself `holder`. Whenever
    /// `appended` is notified, it looks for new events at once.
    #[must_use]
    pub fn new(pool: TimedPool, settings: Settings, holder: Uuid, appended: Arc<Notify>) -> Self {
        Self {
            log: Log::new(pool.clone()),
            leases: Leases::new(pool.clone(), holder, settings.lease),
            partitions: Partitions::new(&settings.kafka),
            confirmed: watch::Sender::new(0),
            health: watch::Sender::new(Health::Healthy),
            appended,
            pool,
            settings,
        }
    }

    /// The position up to which Kafka has acknowledged every event. It moves while this relay leads.
    #[must_use]
    pub fn confirmed(&self) -> watch::Receiver<i64> {
        self.confirmed.subscribe()
    }

    /// Whether this relay works.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Leads whenever no other relay does, until `shutdown`. Then another one can lead at once.
    pub async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let attempt = self.try_to_lead(&shutdown).await;
            let pause = match &attempt {
                Ok(Attempt::Led) => Duration::ZERO,
                Ok(Attempt::StoodBy) => self.settings.lease / 10,
                Err(error) if error.is_alarm() => self.settings.alarm_retry,
                Err(_) => self.settings.retry,
            };
            match attempt {
                Ok(Attempt::Led) => {}
                Ok(Attempt::StoodBy) => self.report_standing_by(),
                Err(error) => self.report_failure(&error),
            }
            let pausing = async {
                let _ = timeout(pause, shutdown.cancelled()).await;
            };
            wake_leader(&self.pool, &self.appended, pausing).await;
        }
    }

    /// Takes the lease if it is free, and leads for one term.
    async fn try_to_lead(&self, shutdown: &CancellationToken) -> Result<Attempt, Error> {
        let asked_at = Instant::now();
        let Some(lease) = self.leases.take(LEASE).await? else {
            return Ok(Attempt::StoodBy);
        };
        metrics::gauge!("tidemark_relay_epoch").set(as_metric(lease.epoch));
        let led = tokio::select! {
            led = self.lead(&lease, shutdown) => led,
            error = self.renew_until_lost(&lease, asked_at) => Err(error),
        };
        if let Err(error) = &led
            && error.is_alarm()
        {
            // If this fails, the next term meets the same alarm.
            let saving = Progress::save_alarm(&self.pool, lease.epoch, error);
            let _ = self.pool.with_timeout(saving).await;
        }
        // If this fails, the lease expires by itself.
        let _ = self.leases.release([&lease]).await;
        led.map(|()| Attempt::Led)
    }

    /// Publishes until `shutdown` or until an operator wants something that takes another term, and then until nothing
    /// is in flight.
    async fn lead(&self, lease: &Lease, shutdown: &CancellationToken) -> Result<(), Error> {
        let topics = Topics::new(&self.settings.kafka)?;
        let mut publisher = tokio::select! {
            publisher = self.start(lease, &topics) => publisher?,
            () = shutdown.cancelled() => return Ok(()),
        };
        self.report_recovery();
        tokio::select! {
            ended = publisher.publish() => ended?,
            error = topics.watch(self.settings.topics_check) => return Err(error),
            _ = self.be_woken() => {}
            () = shutdown.cancelled() => {}
        }
        publisher.finish().await
    }

    /// Begins a term: fences the term before, and finds out how far the topics hold the log.
    async fn start(&self, lease: &Lease, topics: &Topics) -> Result<Publisher<'_>, Error> {
        let pool = PgPool::clone(&self.pool);
        let (progress, previous) = Progress::begin_term(pool, lease.epoch).await?;
        if !previous.drained {
            sleep(self.settings.takeover_wait).await;
        }
        topics.ensure(&progress).await?;
        let Self {
            log,
            settings,
            partitions,
            confirmed,
            appended,
            ..
        } = self;
        let requests = progress.requests().await?;
        let mut recovered = if requests.adopts {
            adopt(log, &settings.kafka, partitions).await?
        } else {
            let confirmed = previous.confirmed;
            recover(log, &progress, &settings.kafka, partitions, confirmed).await?
        };
        if let Some(position) = requests.publish_from {
            recovered.publish_from(position, log, partitions).await?;
        }
        recovered.requests_up_to = requests.up_to;
        let epoch = lease.epoch;
        tracing::info!(epoch, position = recovered.confirmed, "the relay leads");
        let wiring = (partitions, confirmed, &**appended);
        Publisher::start(log, settings, wiring, progress, recovered).await
    }

    /// Renews the lease again and again. Returns well before the lease expires, by the monotonic clock,
    /// if that does not succeed. `asked_at` is when the lease was requested.
    async fn renew_until_lost(&self, lease: &Lease, asked_at: Instant) -> Error {
        let valid_for = self.settings.lease * 2 / 3;
        let mut valid_until = asked_at + valid_for;
        let mut pause = self.settings.lease / 3;
        loop {
            sleep(pause).await;
            fail_point!("relay_lease_lost", |_| Error::LeaseLost);
            let asked_at = Instant::now();
            match timeout_at(valid_until.into(), self.leases.renew(lease)).await {
                Ok(Ok(true)) => {
                    valid_until = asked_at + valid_for;
                    pause = self.settings.lease / 3;
                }
                Ok(Err(error)) if asked_at < valid_until => {
                    tracing::debug!(%error, "the lease was not renewed");
                    pause = self.settings.lease / 12;
                }
                Ok(Ok(false) | Err(_)) | Err(_) => return Error::LeaseLost,
            }
        }
    }

    /// Notes that the relay publishes, and logs it if the last term had failed.
    fn report_recovery(&self) {
        metrics::gauge!("tidemark_relay_alarm").set(0.0);
        if self.health.send_replace(Health::Healthy) != Health::Healthy {
            tracing::info!("the relay publishes again");
        }
    }

    /// Notes that another relay leads. What this one met in its last term may be repaired since, and it would not learn of it.
    fn report_standing_by(&self) {
        metrics::gauge!("tidemark_relay_alarm").set(0.0);
        self.health.send_if_modified(|health| {
            let had_alarm = *health == Health::Alarm;
            if had_alarm {
                *health = Health::Healthy;
            }
            had_alarm
        });
    }

    /// Notes why a term ended, and logs it unless the last term had failed too.
    fn report_failure(&self, error: &Error) {
        let (health, alarm) = if error.is_alarm() {
            (Health::Alarm, 1.0)
        } else {
            (Health::Failing, 0.0)
        };
        metrics::counter!("tidemark_relay_failed_terms_total").increment(1);
        metrics::gauge!("tidemark_relay_alarm").set(alarm);
        if self.health.send_replace(health) == health {
            tracing::debug!(%error, "the relay's term failed again");
        } else if health == Health::Alarm {
            tracing::error!(%error, "the relay has stopped: log and topics contradict each other");
        } else {
            tracing::warn!(%error, "the relay's term failed; it tries again");
        }
    }
}
