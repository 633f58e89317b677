//! One session with Kafka: a consumer of all partitions of all topics, each with its own queue, so that
//! one can be read while another waits.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use tidemark_events::Aggregate;
use tokio::sync::{Notify, oneshot};
use tokio::task::spawn_blocking;

use crate::kafka::{
    BlockingDrop, Consumer, End, Partition, QuietContext, Record, Settings, consumer, offsets,
    partition_counts,
};

/// A record that was read.
pub(super) struct ReadRecord {
    pub(super) offset: i64,
    /// `None` if it could not be decoded.
    pub(super) record: Option<Record>,
}

impl ReadRecord {
    /// The size of the event's data.
    pub(super) fn size(&self) -> i64 {
        let record = self.record.as_ref();
        let bytes = record.map_or(0, |record| record.event.data.len());
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }
}

/// Reads what is published after the session was opened.
pub(super) struct Session {
    client: Arc<Consumer>,
    partitions: Arc<[Partition]>,
    /// Each queue holds the client, so the client is dropped where they are.
    queues: BlockingDrop<Vec<PartitionQueue<QuietContext>>>,
    arrived: Arc<Notify>,
    request_timeout: Duration,
}

impl Session {
    /// Opens a session that reads each partition from its present end. Returns these ends, too. This
    /// blocks the thread.
    pub(super) fn open(settings: &Settings) -> KafkaResult<(Self, Vec<i64>)> {
        let arrived = Arc::new(Notify::new());
        let mut client = consumer(settings)?;
        client.set_nonempty_callback(waker(&arrived));
        let client = Arc::new(client);
        let partitions = all_partitions(&client, settings)?;
        let starts = offsets(&client, &partitions, End::Newest, settings.request_timeout)?;
        let mut assignment = TopicPartitionList::with_capacity(partitions.len());
        for (partition, start) in partitions.iter().zip(&starts) {
            let offset = Offset::Offset(*start);
            assignment.add_partition_offset(&partition.topic, partition.number, offset)?;
        }
        client.assign(&assignment)?;
        let queue = |partition: &Partition| {
            let mut queue = client
                .split_partition_queue(&partition.topic, partition.number)
                .ok_or(KafkaError::MetadataFetch(
                    RDKafkaErrorCode::UnknownPartition,
                ))?;
            queue.set_nonempty_callback(waker(&arrived));
            Ok(queue)
        };
        let queues = partitions.iter().map(queue).collect::<KafkaResult<_>>()?;
        let session = Self {
            client,
            partitions: partitions.into(),
            queues: BlockingDrop::new(queues),
            arrived,
            request_timeout: settings.request_timeout,
        };
        Ok((session, starts))
    }

    /// The number of partitions.
    pub(super) fn partitions(&self) -> usize {
        self.partitions.len()
    }

    /// Handles the events of the consumer as a whole, and must be called regularly. Returns a record that
    /// was fetched before its partition had its own queue.
    pub(super) fn poll_client(&self) -> KafkaResult<Option<(usize, ReadRecord)>> {
        let Some(message) = self.client.poll(Duration::ZERO) else {
            return Ok(None);
        };
        let message = message?;
        let is_of = |partition: &Partition| {
            partition.number == message.partition() && *partition.topic == *message.topic()
        };
        let partition = self.partitions.iter().position(is_of);
        Ok(partition.map(|partition| (partition, read(&message))))
    }

    /// The next record of a partition, if one has been fetched.
    pub(super) fn poll(&self, partition: usize) -> KafkaResult<Option<ReadRecord>> {
        let message = self.queues[partition].poll(Duration::ZERO).transpose()?;
        Ok(message.map(|message| read(&message)))
    }

    /// Waits until a partition has a record to read, or an answer of [`Self::ends`] has arrived.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Requests the offsets at which the partitions end now, without waiting for the answer.
    pub(super) fn ends(&self) -> oneshot::Receiver<KafkaResult<Vec<i64>>> {
        let (client, partitions) = (Arc::clone(&self.client), Arc::clone(&self.partitions));
        let (arrived, timeout) = (Arc::clone(&self.arrived), self.request_timeout);
        let (answer, ends) = oneshot::channel();
        spawn_blocking(move || {
            let found = offsets(&client, &partitions, End::Newest, timeout);
            // This fails if the session has ended.
            let _ = answer.send(found);
            arrived.notify_one();
        });
        ends
    }
}

/// A callback that wakes up whoever waits for something to arrive.
fn waker(arrived: &Arc<Notify>) -> impl Fn() + Send + Sync + 'static {
    let arrived = Arc::clone(arrived);
    move || arrived.notify_one()
}

fn read(message: &BorrowedMessage<'_>) -> ReadRecord {
    let offset = message.offset();
    let record = Record::decode(message)
        .inspect_err(|error| {
            let (topic, partition) = (message.topic(), message.partition());
            tracing::warn!(topic, partition, offset, %error, "a record cannot be decoded as an event");
        })
        .ok();
    ReadRecord { offset, record }
}

fn all_partitions(client: &Consumer, settings: &Settings) -> KafkaResult<Vec<Partition>> {
    let counts = partition_counts(client, settings.request_timeout)?;
    let mut partitions = Vec::new();
    for aggregate in Aggregate::ALL {
        let topic: Arc<str> = aggregate.topic(&settings.topic_prefix).into();
        let count = *counts.get(&*topic).ok_or(KafkaError::MetadataFetch(
            RDKafkaErrorCode::UnknownTopicOrPartition,
        ))?;
        partitions.extend((0..count).map(|number| Partition {
            topic: Arc::clone(&topic),
            number,
        }));
    }
    Ok(partitions)
}
