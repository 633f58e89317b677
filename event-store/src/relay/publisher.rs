//! Publishing: pages of the log into the producer, its delivery reports into the progress.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use fail::fail_point;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, PurgeConfig, ThreadedProducer};
use tidemark_events::Recorded;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout_at;

use super::Settings;
use super::error::Error;
use super::layout::Layout;
use super::progress::{Place, Progress};
use super::recovery::Recovered;
use super::window::Window;
use crate::Log;
use crate::kafka::{Envelope, Offload, Quiet, Timeline, producer_config};

/// What a record in flight carries through the producer.
#[derive(Debug)]
struct Flight {
    place: usize,
    position: i64,
}

/// What became of a record.
#[derive(Debug)]
struct Report {
    flight: Flight,
    /// The offset that it got.
    offset: Result<i64, KafkaError>,
}

/// Hands delivery reports from the producer's thread to the publisher.
struct Reports(mpsc::UnboundedSender<Report>);

impl ClientContext for Reports {
    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        Quiet.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Quiet.error(error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Flight>;

    fn delivery(&self, result: &DeliveryResult<'_>, flight: Box<Flight>) {
        let offset = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.clone()),
        };
        // After the term nobody listens: what is still delivered then, the next term finds.
        let _ = self.0.send(Report {
            flight: *flight,
            offset,
        });
    }
}

/// One term's way from the log to Kafka. Any error ends it.
pub(super) struct Publisher<'a> {
    log: &'a Log,
    settings: &'a Settings,
    layout: &'a Layout,
    confirmed: &'a watch::Sender<i64>,
    progress: Progress,
    timeline: Timeline,
    producer: Offload<ThreadedProducer<Reports>>,
    reports: mpsc::UnboundedReceiver<Report>,
    /// The last position given to the producer, by place.
    sent: Vec<i64>,
    /// What the brokers have acknowledged, by place.
    places: Vec<Place>,
    window: Window,
    /// Places that moved since the last save, which was at `saved`.
    unsaved: BTreeSet<usize>,
    saved: (i64, Instant),
}

impl<'a> Publisher<'a> {
    /// A publisher that goes on after what was recovered.
    pub(super) async fn start(
        log: &'a Log,
        settings: &'a Settings,
        layout: &'a Layout,
        confirmed: &'a watch::Sender<i64>,
        progress: Progress,
        recovered: Recovered,
    ) -> Result<Self, Error> {
        let head = log.head().await?;
        let places = recovered.places;
        progress
            .save(
                recovered.position,
                false,
                layout.partitions.iter().zip(places.iter().copied()),
            )
            .await?;
        confirmed.send_replace(recovered.position);
        let (sender, reports) = mpsc::unbounded_channel();
        let config = producer_config(&settings.kafka, settings.in_flight_max_kbytes);
        Ok(Self {
            log,
            settings,
            layout,
            confirmed,
            progress,
            timeline: head.timeline,
            producer: Offload::new(config.create_with_context(Reports(sender))?),
            reports,
            sent: places.iter().map(|place| place.position).collect(),
            places,
            window: Window::new(recovered.position),
            unsaved: BTreeSet::new(),
            saved: (recovered.position, Instant::now()),
        })
    }

    /// Publishes the log as it grows.
    pub(super) async fn publish(&mut self) -> Result<Infallible, Error> {
        loop {
            let page = self
                .log
                .page(self.window.last(), self.settings.page_size)
                .await?;
            fail_point!("relay_read");
            for event in &page {
                self.send(event).await?;
            }
            fail_point!("relay_queued");
            metrics::gauge!("tidemark_relay_lag")
                .set(count(self.window.last() - self.window.confirmed()));
            let patience = if page.is_empty() {
                self.settings.idle_poll
            } else {
                Duration::ZERO
            };
            self.settle(Instant::now() + patience).await?;
            self.save_if_due().await?;
        }
    }

    /// Waits until nothing is in flight, and says so in the progress.
    pub(super) async fn finish(mut self) -> Result<(), Error> {
        while !self.window.is_empty() {
            self.wait().await?;
        }
        self.save(true).await
    }

    async fn send(&mut self, event: &Recorded) -> Result<(), Error> {
        let place = self.layout.place_of(event)?;
        let previous = self.sent[place];
        if event.position <= previous {
            self.window.skipped();
            return Ok(());
        }
        let partition = &self.layout.partitions[place];
        let envelope = Envelope {
            previous,
            epoch: self.progress.epoch(),
            timeline: self.timeline,
        };
        let key = event.stream_id.to_string();
        loop {
            let flight = Box::new(Flight {
                place,
                position: event.position,
            });
            let record = BaseRecord::with_opaque_to(&partition.topic, flight)
                .partition(partition.number)
                .key(&key)
                .payload(&event.data)
                .headers(envelope.headers(event));
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.wait().await?;
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
        self.sent[place] = event.position;
        self.window.sent(Instant::now());
        Ok(())
    }

    /// Takes the reports that come until `deadline`, and those that are there already.
    async fn settle(&mut self, deadline: Instant) -> Result<(), Error> {
        while let Ok(report) = timeout_at(deadline.into(), self.report()).await {
            self.take(report?)?;
            if self.window.is_empty() {
                self.save_if_due().await?;
            }
        }
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), Error> {
        let report = self.report().await?;
        self.take(report)
    }

    /// The next report. An error if the oldest record in flight is about to expire: the producer
    /// would leave it out and go on with those behind it, and the topic would have a gap.
    async fn report(&mut self) -> Result<Report, Error> {
        let Some(oldest) = self.window.oldest() else {
            return std::future::pending().await;
        };
        let patience = self.settings.kafka.message_timeout * 3 / 4;
        match timeout_at((oldest + patience).into(), self.reports.recv()).await {
            Ok(Some(report)) => Ok(report),
            Ok(None) | Err(_) => Err(Error::Stuck {
                position: self.window.confirmed() + 1,
            }),
        }
    }

    fn take(
        &mut self,
        Report {
            flight: Flight { place, position },
            offset,
        }: Report,
    ) -> Result<(), Error> {
        let offset = offset.map_err(|error| Error::Delivery { position, error })?;
        let expected = self.places[place].next_offset;
        if offset < expected {
            return Err(Error::Replaced {
                position,
                offset,
                expected,
            });
        }
        self.places[place] = Place {
            position,
            next_offset: offset + 1,
        };
        self.unsaved.insert(place);
        self.window.acknowledged(position);
        metrics::counter!("tidemark_relay_published_total").increment(1);
        Ok(())
    }

    async fn save_if_due(&mut self) -> Result<(), Error> {
        let (position, at) = self.saved;
        let due = self.window.is_empty() || at.elapsed() >= self.settings.save_interval;
        if due && self.window.confirmed() > position {
            self.save(false).await?;
        }
        Ok(())
    }

    async fn save(&mut self, drained: bool) -> Result<(), Error> {
        fail_point!("relay_unsaved");
        let position = self.window.confirmed();
        let moved = self
            .unsaved
            .iter()
            .map(|place| (&self.layout.partitions[*place], self.places[*place]));
        self.progress.save(position, drained, moved).await?;
        self.unsaved.clear();
        self.saved = (position, Instant::now());
        self.confirmed.send_replace(position);
        metrics::gauge!("tidemark_relay_confirmed_position").set(count(position));
        Ok(())
    }
}

impl Drop for Publisher<'_> {
    /// At once, before anything else of the term ends: no record may overtake one that failed.
    fn drop(&mut self) {
        self.producer
            .purge(PurgeConfig::default().queue().inflight());
    }
}

/// Metrics are floating-point numbers; positions stay exact far beyond any log's length.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
pub(super) const fn count(number: i64) -> f64 {
    number as f64
}
