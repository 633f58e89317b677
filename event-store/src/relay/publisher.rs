//! Publishing: sends the events of the log, page by page, and saves the progress that delivery reports
//! confirm.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Instant;

use fail::fail_point;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer as _, PurgeConfig};
use tidemark_events::{Aggregate, LogPoint, Recorded};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{sleep_until, timeout, timeout_at};

use super::Settings;
use super::error::Error;
use super::in_flight::InFlight;
use super::partitions::Partitions;
use super::producer::{DeliveryReport, Producer, RecordId, producer};
use super::progress::{PartitionProgress, Progress};
use super::recovery::Recovered;
use crate::kafka::{Publication, Timeline};
use crate::traces::{Span, SpanKind};
use crate::{Backoff, FollowError, Log, Pace, traces};

/// The gauge of the events that were given to the producer and are not confirmed yet.
const IN_FLIGHT: &str = "tidemark_relay_in_flight_events";

/// Publishes the log during one term. Any error ends the term.
pub(super) struct Publisher<'a> {
    log: &'a Log,
    settings: &'a Settings,
    partitions: &'a Partitions,
    confirmed: &'a watch::Sender<i64>,
    /// Notified by who appends in this process.
    appended: &'a Notify,
    progress: Progress,
    timeline: Timeline,
    producer: Producer,
    reports: mpsc::UnboundedReceiver<DeliveryReport>,
    /// The last position that was given to the producer, by the index of the partition.
    sent: Vec<i64>,
    /// What Kafka has acknowledged, by the index of the partition.
    acknowledged: Vec<PartitionProgress>,
    in_flight: InFlight,
    /// The last event that was read from the log.
    read: LogPoint,
    /// The indexes of the partitions that made progress since the last save.
    unsaved: BTreeSet<usize>,
    saved_position: i64,
    saved_at: Instant,
}

impl<'a> Publisher<'a> {
    /// A publisher that goes on after what was recovered.
    pub(super) async fn start(
        log: &'a Log,
        settings: &'a Settings,
        (partitions, confirmed, appended): (&'a Partitions, &'a watch::Sender<i64>, &'a Notify),
        progress: Progress,
        recovered: Recovered,
    ) -> Result<Self, Error> {
        let head = log.head().await?;
        let Recovered {
            confirmed: position,
            progress: acknowledged,
            requests_up_to,
            ..
        } = recovered;
        let found = partitions.all.iter().zip(acknowledged.iter().copied());
        progress.save_start(position, found, requests_up_to).await?;
        confirmed.send_replace(position);
        let (producer, reports) = producer(settings)?;
        Ok(Self {
            log,
            settings,
            partitions,
            confirmed,
            appended,
            progress,
            timeline: head.timeline,
            producer,
            reports,
            sent: acknowledged.iter().map(|it| it.position).collect(),
            acknowledged,
            in_flight: InFlight::new(position),
            read: point(log, position).await?,
            unsaved: BTreeSet::new(),
            saved_position: position,
            saved_at: Instant::now(),
        })
    }

    /// Publishes the log and goes on as it grows. Returns when an operator wants something of the relay, which
    /// another term does.
    pub(super) async fn publish(&mut self) -> Result<(), Error> {
        let mut turns = Pace::new(self.settings.page_interval);
        let mut idle = Backoff::new(self.settings.idle_poll, self.settings.idle_poll_max);
        loop {
            let up_to = self.read.position.saturating_add(self.settings.page_size);
            let page_bytes = self.settings.page_bytes;
            let page = self.log.follow(self.read, up_to, None, page_bytes).await?;
            self.read = page.last().map_or(self.read, Recorded::point);
            fail_point!("relay_read");
            for event in &page {
                self.send(event).await?;
            }
            fail_point!("relay_queued");
            // It may be a request of long ago that is published again.
            if page.iter().any(is_request) && self.progress.requests().await?.up_to > 0 {
                return Ok(());
            }
            metrics::gauge!(IN_FLIGHT).set(as_metric(
                self.in_flight.last() - self.in_flight.confirmed(),
            ));
            if page.is_empty() {
                let appended = timeout(idle.take(), self.appended.notified());
                self.take_reports_until(appended).await?;
            } else {
                idle.reset();
                if self.read.position < up_to {
                    // The broker has as much to do for one record as for many, so they wait for company.
                    turns.take();
                    self.take_reports_until(sleep_until(turns.next())).await?;
                }
            }
            self.save_if_due().await?;
        }
    }

    /// Waits until nothing is in flight, and saves that the term left nothing behind.
    pub(super) async fn finish(mut self) -> Result<(), Error> {
        while !self.in_flight.is_empty() {
            self.take_next_report().await?;
        }
        self.save(true).await
    }

    /// Gives an event to the producer, unless its partition holds it already.
    async fn send(&mut self, event: &Recorded) -> Result<(), Error> {
        if event.aggregate == Aggregate::Fork.name() {
            self.timeline = self.log.head().await?.timeline;
        }
        let index = self.partitions.index_of(event)?;
        let previous = self.sent[index];
        if event.position <= previous {
            self.in_flight.skip();
            metrics::counter!("tidemark_relay_duplicates_total").increment(1);
            return Ok(());
        }
        let partition = &self.partitions.all[index];
        let publication = Publication {
            previous,
            epoch: self.progress.epoch(),
            timeline: self.timeline,
        };
        let key = event.stream_id.to_string();
        loop {
            let record = Box::new(RecordId {
                partition: index,
                position: event.position,
                traced: traces::traceparent(event).map(|parent| (Instant::now(), parent)),
            });
            let record = BaseRecord::with_opaque_to(&partition.topic, record)
                .partition(partition.number)
                .key(&key)
                .payload(&event.data)
                .headers(publication.headers(event));
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.take_next_report().await?;
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
        self.sent[index] = event.position;
        self.in_flight.send(Instant::now());
        Ok(())
    }

    /// Takes the reports that have arrived, and those that arrive before `end`.
    async fn take_reports_until(&mut self, end: impl Future) -> Result<(), Error> {
        let mut end = pin!(end);
        loop {
            let report = tokio::select! {
                biased;
                report = self.next_report() => report?,
                _ = &mut end => return Ok(()),
            };
            self.acknowledge(report)?;
            if self.in_flight.is_empty() {
                self.save_if_due().await?;
            }
        }
    }

    async fn take_next_report(&mut self) -> Result<(), Error> {
        let report = self.next_report().await?;
        self.acknowledge(report)
    }

    /// The next report. It fails if the oldest record in flight is about to expire: the producer would
    /// give that one up and still deliver later ones, so that the topic would have a gap.
    async fn next_report(&mut self) -> Result<DeliveryReport, Error> {
        let Some(oldest) = self.in_flight.oldest_sent_at() else {
            return std::future::pending().await;
        };
        let limit = self.settings.kafka.message_timeout * 3 / 4;
        match timeout_at((oldest + limit).into(), self.reports.recv()).await {
            Ok(Some(report)) => Ok(report),
            Ok(None) | Err(_) => Err(Error::Unacknowledged {
                position: self.in_flight.confirmed() + 1,
            }),
        }
    }

    /// Takes a report. It fails if the record was not delivered or its offset shows that the topic is
    /// another one now.
    fn acknowledge(&mut self, report: DeliveryReport) -> Result<(), Error> {
        let DeliveryReport { record, offset } = report;
        let RecordId {
            partition,
            position,
            traced,
        } = record;
        let offset = offset.map_err(|error| Error::Delivery { position, error })?;
        let expected = self.acknowledged[partition].next_offset;
        if offset < expected {
            return Err(Error::TopicReplaced {
                position,
                offset,
                expected,
            });
        }
        self.acknowledged[partition] = self.acknowledged[partition].advanced(position, offset + 1);
        self.unsaved.insert(partition);
        self.in_flight.acknowledge(position);
        metrics::counter!("tidemark_relay_published_total").increment(1);
        if let Some((sent_at, parent)) = traced {
            traces::span(SpanKind::Producer, "publish", &parent, sent_at.elapsed()).end();
        }
        Ok(())
    }

    async fn save_if_due(&mut self) -> Result<(), Error> {
        let is_due =
            self.in_flight.is_empty() || self.saved_at.elapsed() >= self.settings.save_interval;
        if is_due && self.in_flight.confirmed() > self.saved_position {
            self.save(false).await?;
        }
        Ok(())
    }

    async fn save(&mut self, drained: bool) -> Result<(), Error> {
        fail_point!("relay_unsaved");
        let position = self.in_flight.confirmed();
        let partitions = self
            .unsaved
            .iter()
            .map(|index| (&self.partitions.all[*index], self.acknowledged[*index]));
        self.progress.save(position, drained, partitions).await?;
        self.unsaved.clear();
        self.saved_position = position;
        self.saved_at = Instant::now();
        self.confirmed.send_replace(position);
        metrics::gauge!("tidemark_relay_confirmed_position").set(as_metric(position));
        Ok(())
    }
}

impl Drop for Publisher<'_> {
    /// Discards what is queued, before anything else of the term ends: no record may be delivered after
    /// an earlier one has failed.
    fn drop(&mut self) {
        self.producer
            .purge(PurgeConfig::default().queue().inflight());
        metrics::gauge!(IN_FLIGHT).set(0.0);
    }
}

/// A number as the value of a metric, which is a floating-point number.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
pub(super) const fn as_metric(number: i64) -> f64 {
    number as f64
}

/// Whether an event records what an operator wants of the relay.
fn is_request(event: &Recorded) -> bool {
    event.aggregate == Aggregate::Publication.name()
}

/// The point of the log at a position.
async fn point(log: &Log, position: i64) -> Result<LogPoint, Error> {
    if position == 0 {
        return Ok(LogPoint::START);
    }
    let event = log.at(&[position]).await?;
    let event = event.first().ok_or(FollowError::OtherLog(position))?;
    Ok(event.point())
}

#[cfg(test)]
mod tests;
