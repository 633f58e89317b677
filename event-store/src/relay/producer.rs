//! The producer of the relay, which reports what became of each record.

use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, ProducerContext};
use tokio::sync::mpsc;

use super::Settings;
use super::error::Error;
use crate::kafka::{BlockingDrop, QuietContext, producer_config};

/// A producer that sends a report for each record.
pub(super) type Producer = BlockingDrop<ReportingProducer>;

/// How long the thread waits for a report until it looks whether the producer is still wanted. The library spends the
/// last millisecond of each wait in a loop that uses the CPU, so that its own thread, which waits for 100 ms, takes 0.9 %
/// of a core while nothing happens.
const REPORT_WAIT: Duration = Duration::from_secs(1);

/// A producer with a thread that takes its reports.
pub(super) struct ReportingProducer {
    producer: Arc<BaseProducer<ReportSender>>,
    is_dropped: Arc<AtomicBool>,
    reporting: Option<JoinHandle<()>>,
}

impl ReportingProducer {
    fn start(producer: BaseProducer<ReportSender>) -> io::Result<Self> {
        let producer = Arc::new(producer);
        let is_dropped = Arc::new(AtomicBool::new(false));
        let reporting = thread::Builder::new().name("relay reports".into()).spawn({
            let (producer, is_dropped) = (Arc::clone(&producer), Arc::clone(&is_dropped));
            move || {
                while !is_dropped.load(Ordering::Relaxed) {
                    producer.poll(REPORT_WAIT);
                }
            }
        })?;
        Ok(Self {
            producer,
            is_dropped,
            reporting: Some(reporting),
        })
    }
}

impl Deref for ReportingProducer {
    type Target = BaseProducer<ReportSender>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

impl Drop for ReportingProducer {
    fn drop(&mut self) {
        self.is_dropped.store(true, Ordering::Relaxed);
        if let Some(reporting) = self.reporting.take() {
            // A panic of that thread was printed, and there is nothing left for it to do.
            let _ = reporting.join();
        }
    }
}

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
///
/// # Errors
/// If librdkafka refuses the settings, or no thread can be started.
pub(super) fn producer(
    settings: &Settings,
) -> Result<(Producer, mpsc::UnboundedReceiver<DeliveryReport>), Error> {
    let (sender, reports) = mpsc::unbounded_channel();
    let config = producer_config(&settings.kafka, settings.in_flight_max_kbytes);
    let producer = config.create_with_context(ReportSender(sender))?;
    let producer = ReportingProducer::start(producer)?;
    Ok((BlockingDrop::new(producer), reports))
}
