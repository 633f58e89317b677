//! The producer of the relay, which reports what became of each record.

use std::time::Instant;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{ProducerContext, ThreadedProducer};
use tokio::sync::mpsc;

use super::Settings;
use crate::kafka::{BlockingDrop, QuietContext, producer_config};

/// A producer that sends a report for each record.
pub(super) type Producer = BlockingDrop<ThreadedProducer<ReportSender>>;

/// Which record a report is about.
#[derive(Debug)]
pub(super) struct RecordId {
    /// The index of the record's partition in [`Partitions`](super::partitions::Partitions).
    pub(super) partition: usize,
    /// The position of the record's event.
    pub(super) position: i64,
    /// When it was sent, and the `traceparent` of its event, if that has one.
    pub(super) traced: Option<(Instant, String)>,
}

/// What became of a record.
#[derive(Debug)]
pub(super) struct DeliveryReport {
    pub(super) record: RecordId,
    /// The offset that the record got, or why it was not delivered.
    pub(super) offset: Result<i64, KafkaError>,
}

/// Passes reports on from the producer's thread.
pub(super) struct ReportSender(mpsc::UnboundedSender<DeliveryReport>);

impl ClientContext for ReportSender {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        QuietContext.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        QuietContext.error(error, reason);
    }
}

impl ProducerContext for ReportSender {
    type DeliveryOpaque = Box<RecordId>;

    fn delivery(&self, result: &DeliveryResult<'_>, record: Box<RecordId>) {
        let offset = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.clone()),
        };
        // This fails when the term has ended. The next term finds what is delivered until then.
        let _ = self.0.send(DeliveryReport {
            record: *record,
            offset,
        });
    }
}

/// A new producer, and where its reports arrive.
pub(super) fn producer(
    settings: &Settings,
) -> KafkaResult<(Producer, mpsc::UnboundedReceiver<DeliveryReport>)> {
    let (sender, reports) = mpsc::unbounded_channel();
    let config = producer_config(&settings.kafka, settings.in_flight_max_kbytes);
    let producer = config.create_with_context(ReportSender(sender))?;
    Ok((BlockingDrop::new(producer), reports))
}
