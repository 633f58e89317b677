//! The topics: one an aggregate, each with the same number of partitions. Making them, and asking
//! the brokers about them; what is asked here blocks.

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

/// Which end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The first offset that is still there.
    Oldest,
    /// The offset that the next record gets.
    Newest,
}

/// The partition of a stream, out of so many.
pub(crate) fn partition_of(stream_id: Uuid, partitions: i32) -> i32 {
    let mut text = Uuid::encode_buffer();
    let key = stream_id.hyphenated().encode_lower(&mut text);
    positive_murmur2(key.as_bytes()).cast_signed() % partitions.max(1)
}

/// Makes topics that keep their records for ever; one that exists is left as it is.
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
            // Brokers refuse records of a producer whose clock is ahead; their own clock will do.
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

/// Pause before a partition that has just been made is asked about again.
const LEADER_POLL: Duration = Duration::from_millis(50);

/// Where partitions begin or end, in their order. Waits for those that have no leader yet.
pub(crate) fn offsets(
    consumer: &Consumer,
    partitions: &[Partition],
    end: End,
    timeout: Duration,
) -> KafkaResult<Vec<i64>> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match ask_offsets(consumer, partitions, end, left) {
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

fn ask_offsets(
    consumer: &Consumer,
    partitions: &[Partition],
    end: End,
    timeout: Duration,
) -> KafkaResult<Vec<i64>> {
    let asked = match end {
        End::Oldest => Offset::Beginning,
        End::Newest => Offset::End,
    };
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition_offset(&partition.topic, partition.number, asked)?;
    }
    // The protocol asks for the ends by the times -1 and -2, which are these names of offsets.
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
