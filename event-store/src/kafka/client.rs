//! Clients of librdkafka, configured alike everywhere.

use std::time::Duration;

use rdkafka::admin::AdminClient;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientConfig, ClientContext};

use super::Settings;

/// librdkafka's default is 10 s, which a broker's restart would cost on top of its own time.
const RECONNECT_BACKOFF_MAX: Duration = Duration::from_secs(1);

/// A client's context that keeps librdkafka's own lines out of the log: with a broker down it
/// writes many a second. Relay and feed say once what it means for them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, "librdkafka: {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, "librdkafka: {reason}");
    }
}

impl ConsumerContext for Quiet {}

/// A consumer that is polled by hand.
pub(crate) type Consumer = BaseConsumer<Quiet>;

/// A consumer to be assigned partitions at given offsets. It joins no group; librdkafka wants the
/// name of one all the same.
pub(crate) fn consumer(settings: &Settings) -> KafkaResult<Consumer> {
    common(settings)
        .set("group.id", format!("{}.follower", settings.topic_prefix))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // An offset that is not there is news: it must never be replaced in silence.
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        .set("fetch.wait.max.ms", millis(settings.fetch_wait_max))
        .set(
            "queued.max.messages.kbytes",
            settings.queue_max_kbytes.to_string(),
        )
        // After a full queue the next fetch would wait for a second.
        .set("fetch.queue.backoff.ms", millis(settings.fetch_wait_max))
        .create_with_context(Quiet)
}

/// The configuration of a producer that neither repeats nor reorders.
pub(crate) fn producer_config(settings: &Settings, queue_max_kbytes: u64) -> ClientConfig {
    let mut config = common(settings);
    config
        .set("enable.idempotence", "true")
        .set("enable.gapless.guarantee", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("linger.ms", millis(settings.linger))
        .set("message.timeout.ms", millis(settings.message_timeout))
        .set("queue.buffering.max.kbytes", queue_max_kbytes.to_string());
    config
}

/// A client that makes topics.
pub(crate) fn admin(settings: &Settings) -> KafkaResult<AdminClient<Quiet>> {
    common(settings).create_with_context(Quiet)
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
