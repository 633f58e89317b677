//! Clients of librdkafka, which all have the same basic configuration.

use std::time::Duration;

use rdkafka::admin::AdminClient;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientConfig, ClientContext};

use super::Settings;

/// The longest pause before a client reconnects. With the default of librdkafka, 10 s, clients would come
/// back that much later than a broker that restarts.
const RECONNECT_BACKOFF_MAX: Duration = Duration::from_secs(1);

/// The pause before a fetch after a full queue. With the default of librdkafka it would be a second.
const FETCH_QUEUE_BACKOFF: Duration = Duration::from_millis(20);

/// A client context that logs the messages of librdkafka at DEBUG only: while a broker is down, there are
/// many of them every second. The relay and the feed log once what that means for them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuietContext;

impl ClientContext for QuietContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, "librdkafka: {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, "librdkafka: {reason}");
    }
}

impl ConsumerContext for QuietContext {}

/// A consumer that is polled explicitly.
pub(crate) type Consumer = BaseConsumer<QuietContext>;

/// A consumer that is to be assigned partitions at given offsets. It joins no group, although librdkafka
/// requires the name of one.
pub(crate) fn consumer(settings: &Settings) -> KafkaResult<Consumer> {
    common(settings)
        .set("group.id", format!("{}.follower", settings.topic_prefix))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // An offset that does not exist must be an error: it means that records are gone.
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        .set("fetch.wait.max.ms", millis(settings.fetch_wait_max))
        .set(
            "queued.max.messages.kbytes",
            settings.queue_max_kbytes.to_string(),
        )
        .set("fetch.queue.backoff.ms", millis(FETCH_QUEUE_BACKOFF))
        .create_with_context(QuietContext)
}

/// The configuration of a producer that neither repeats nor reorders records.
pub(crate) fn producer_config(settings: &Settings, queue_max_kbytes: u64) -> ClientConfig {
    let mut config = common(settings);
    config
        .set("enable.idempotence", "true")
        .set("enable.gapless.guarantee", "true")
        .set("acks", "all")
        .set("compression.type", settings.compression)
        // The fastest level of gzip takes two thirds of the CPU of its default, for batches a tenth larger.
        .set("compression.level", "1")
        .set("linger.ms", millis(settings.linger))
        .set("message.timeout.ms", millis(settings.message_timeout))
        .set("queue.buffering.max.kbytes", queue_max_kbytes.to_string());
    config
}

/// A client that creates topics.
pub(crate) fn admin(settings: &Settings) -> KafkaResult<AdminClient<QuietContext>> {
    common(settings).create_with_context(QuietContext)
}

fn common(settings: &Settings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("client.id", "tidemark")
        .set("socket.keepalive.enable", "true")
        .set("reconnect.backoff.max.ms", millis(RECONNECT_BACKOFF_MAX));
    config
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}
