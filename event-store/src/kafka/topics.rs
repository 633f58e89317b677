//! Topics: there is one for each aggregate, and all have the same number of partitions. This creates
//! them and asks brokers about them. The functions that are not async block the thread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use uuid::Uuid;

use super::murmur2::positive_murmur2;
use super::{Consumer, Settings, admin};

/// One partition of one topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Partition {
    pub(crate) topic: Arc<str>,
    pub(crate) number: i32,
}

/// One of the two ends of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The first offset that is still there.
    Oldest,
    /// The offset that the next record gets.
    Newest,
}

/// The number of the partition that a stream's events are in, when its topic has `partitions` of them.
pub(crate) fn partition_of(stream_id: Uuid, partitions: i32) -> i32 {
    let mut text = Uuid::encode_buffer();
    let key = stream_id.hyphenated().encode_lower(&mut text);
    positive_murmur2(key.as_bytes()).cast_signed() % partitions.max(1)
}

/// Creates topics that keep their records for ever. A topic that exists already is not changed.
pub(crate) async fn create_topics(settings: &Settings, names: &[String]) -> KafkaResult<()> {
    let topics: Vec<_> = names
        .iter()
        .map(|name| {
            NewTopic::new(
                name,
                settings.partitions,
                TopicReplication::Fixed(settings.replication_factor),
            )
            .set("retention.ms", "-1")
            .set("retention.bytes", "-1")
            .set("cleanup.policy", "delete")
            // Brokers refuse records of a producer whose clock is ahead, so the time is theirs.
            .set("message.timestamp.type", "LogAppendTime")
        })
        .collect();
    let timeout = Some(settings.request_timeout);
    let options = AdminOptions::new()
        .request_timeout(timeout)
        .operation_timeout(timeout);
    for result in admin(settings)?.create_topics(&topics, &options).await? {
        if let Err((_, code)) = result
            && code != RDKafkaErrorCode::TopicAlreadyExists
        {
            return Err(KafkaError::AdminOp(code));
        }
    }
    Ok(())
}

/// How many partitions each topic of the cluster has.
pub(crate) fn partition_counts(
    consumer: &Consumer,
    timeout: Duration,
) -> KafkaResult<BTreeMap<String, i32>> {
    let metadata = consumer.fetch_metadata(None, timeout)?;
    let counts = metadata.topics().iter().map(|topic| {
        let count = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
        (topic.name().to_owned(), count)
    });
    Ok(counts.collect())
}

/// The pause between requests for a new partition, which has no leader at first.
const LEADER_POLL: Duration = Duration::from_millis(50);

/// The offsets at one end of each partition, in the order of the partitions. A partition that has no
/// leader yet is waited for, for as long as `timeout`.
pub(crate) fn offsets(
    consumer: &Consumer,
    partitions: &[Partition],
    end: End,
    timeout: Duration,
) -> KafkaResult<Vec<i64>> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match request_offsets(consumer, partitions, end, left) {
            Err(error) if lacks_leader(&error) && !left.is_zero() => sleep(LEADER_POLL),
            answer => return answer,
        }
    }
}

fn lacks_leader(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::NotLeaderForPartition | RDKafkaErrorCode::LeaderNotAvailable)
    )
}

fn request_offsets(
    consumer: &Consumer,
    partitions: &[Partition],
    end: End,
    timeout: Duration,
) -> KafkaResult<Vec<i64>> {
    let end = match end {
        End::Oldest => Offset::Beginning,
        End::Newest => Offset::End,
    };
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition_offset(&partition.topic, partition.number, end)?;
    }
    // In the protocol, -1 and -2 stand for the ends when a time is expected, as they do for an offset.
    let answer = consumer.offsets_for_times(list, timeout)?;
    answer
        .elements()
        .iter()
        .map(|element| {
            element.error()?;
            element
                .offset()
                .to_raw()
                .filter(|offset| *offset >= 0)
                .ok_or(KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset))
        })
        .collect()
}
