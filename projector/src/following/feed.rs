//! The one feed of the process: gives the log from its head on to the ring.

use std::time::Duration;

use metrics::{counter, gauge};
use tidemark_event_store::feed::{Feed, KafkaFeed, LogFeed};
use tidemark_event_store::{Backoff, FollowError, Log, kafka_settings};
use tidemark_platform::Config;
use tidemark_platform::config::FeedChoice;
use tidemark_platform::ops::ReadinessFlag;
use tokio_util::sync::CancellationToken;

use super::page::page_limits;
use super::ring::Ring;

/// Fills the ring until `stop`, and sets `started` as soon as it does. Until then, subscribers read
/// the log itself. If the log is not the one that it was, the ring begins anew at its end.
pub(crate) async fn fill(
    ring: &Ring,
    config: &Config,
    log: Log,
    started: &ReadinessFlag,
    stop: &CancellationToken,
) {
    let retry = Duration::from_millis(config.projection.retry_ms);
    let filling = async {
        loop {
            let mut feed = loop {
                match start(config, &log, ring).await {
                    Ok(feed) => break feed,
                    Err(error) => tracing::warn!(%error, "the feed cannot start"),
                }
                tokio::time::sleep(retry).await;
            };
            started.set(true);
            let error = give(&mut *feed, ring, retry).await;
            counter!("tidemark_ring_discarded_total").increment(1);
            tracing::error!(%error, "the events in memory are discarded, and all checkpoints are verified");
            ring.discard();
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = filling => {}
    }
}

/// Puts what the feed gives into the ring, until the log is not the one that it was.
async fn give(feed: &mut dyn Feed, ring: &Ring, retry: Duration) -> FollowError {
    loop {
        match feed.next().await {
            Ok(events) => {
                ring.push(events);
                #[expect(clippy::cast_precision_loss, reason = "a measurement")]
                gauge!("tidemark_ring_head_position").set(ring.head() as f64);
            }
            Err(error @ FollowError::OtherLog(_)) => return error,
            Err(error @ FollowError::Database(_)) => {
                counter!("tidemark_ring_feed_failures_total").increment(1);
                tracing::warn!(%error, "the feed failed; it continues after a pause");
                tokio::time::sleep(retry).await;
            }
        }
    }
}

async fn start(config: &Config, log: &Log, ring: &Ring) -> sqlx::Result<Box<dyn Feed>> {
    let head = log.end().await?;
    ring.start(head);
    let is_kafka = config.projection.feed == FeedChoice::Kafka && !config.kafka.brokers.is_empty();
    tracing::info!(head = head.position, is_kafka, "the feed starts");
    let page = page_limits(&config.projection);
    let log = log.clone();
    if is_kafka {
        return Ok(Box::new(KafkaFeed::new(
            log,
            kafka_settings!(config.kafka),
            head,
            page,
        )));
    }
    let poll = Duration::from_millis(config.projection.poll_ms);
    let poll_max = Duration::from_millis(config.projection.poll_max_ms);
    let idle = Backoff::new(poll, poll_max);
    Ok(Box::new(LogFeed::new(log, head, page, idle)))
}
