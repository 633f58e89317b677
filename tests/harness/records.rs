//! The records of the topics as any other consumer sees them, and what is wrong with them.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tidemark_events::{Aggregate, Recorded};

const TIMEOUT: Duration = Duration::from_secs(5);

/// The records of each partition, in order.
pub type Records = BTreeMap<(&'static str, i32), Vec<OwnedMessage>>;

/// What is wrong with the topics of a log, one line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defects {
    /// Positions that are in no topic, and records whose `previous` is not the record before them.
    pub lost: Vec<String>,
    /// Records that differ from the stored event.
    pub differing: Vec<String>,
    /// Records whose position is not above that of the record before.
    pub repeated: Vec<String>,
}

/// Reads all records of the topics with this prefix.
#[must_use]
pub fn read(client: &ClientConfig, topic_prefix: &str, partitions: i32) -> Records {
    let consumer: BaseConsumer = client.create().unwrap();
    let mut records = Records::new();
    let mut assignment = TopicPartitionList::new();
    let mut unread = 0;
    for aggregate in Aggregate::ALL {
        let topic = aggregate.topic(topic_prefix);
        for number in 0..partitions {
            records.insert((aggregate.name(), number), Vec::new());
            // A topic that is being deleted has none.
            let (_, end) = consumer
                .fetch_watermarks(&topic, number, TIMEOUT)
                .unwrap_or_default();
            if end > 0 {
                unread += end;
                assignment
                    .add_partition_offset(&topic, number, Offset::Beginning)
                    .unwrap();
            }
        }
    }
    consumer.assign(&assignment).unwrap();
    while unread > 0 {
        let message = consumer.poll(TIMEOUT).unwrap().unwrap().detach();
        let name = &message.topic()[topic_prefix.len() + 1..];
        let aggregate = Aggregate::from_name(name).unwrap();
        let partition = (aggregate.name(), message.partition());
        records.get_mut(&partition).unwrap().push(message);
        unread -= 1;
    }
    records
}

/// The value of a header of a record, which must have it.
#[must_use]
pub fn header<'a>(message: &'a OwnedMessage, name: &str) -> &'a str {
    let headers = message.headers().unwrap();
    let header = headers.iter().find(|header| header.key == name).unwrap();
    std::str::from_utf8(header.value.unwrap()).unwrap()
}

/// The position in the log of a record's event.
#[must_use]
pub fn position(message: &OwnedMessage) -> i64 {
    header(message, "ce_position").parse().unwrap()
}

impl Defects {
    /// Compares records with the log. They must hold every event once, in the order of the log, linked
    /// to the one before it in its partition, with the bytes that were stored.
    #[must_use]
    pub fn of(log: &[Recorded], records: &Records) -> Self {
        let events: BTreeMap<i64, &Recorded> =
            log.iter().map(|event| (event.position, event)).collect();
        let mut missing = events.clone();
        let mut defects = Self::default();
        for ((aggregate, number), messages) in records {
            let mut last = 0;
            for message in messages {
                let at = position(message);
                let here = format!("position {at} in {aggregate}/{number}");
                let is_same = |event: &&Recorded| is_record_of(message, aggregate, event);
                if !events.get(&at).is_some_and(is_same) {
                    defects
                        .differing
                        .push(format!("{here} is not what was stored"));
                }
                missing.remove(&at);
                if at <= last {
                    defects.repeated.push(format!("{here} comes after {last}"));
                    continue;
                }
                let previous: i64 = header(message, "ce_previous").parse().unwrap();
                if previous != last {
                    defects
                        .lost
                        .push(format!("{here} continues {previous}, not {last}"));
                }
                last = at;
            }
        }
        let positions = missing.keys();
        defects
            .lost
            .extend(positions.map(|position| format!("position {position} is in no topic")));
        defects
    }

    /// All defects, whatever their kind.
    #[must_use]
    pub fn all(self) -> Vec<String> {
        [self.lost, self.differing, self.repeated].concat()
    }
}

fn is_record_of(message: &OwnedMessage, aggregate: &str, event: &Recorded) -> bool {
    message.payload() == Some(event.data.as_bytes())
        && message.key() == Some(event.stream_id.to_string().as_bytes())
        && header(message, "ce_metadata") == event.metadata
        && header(message, "ce_id") == event.event_id.to_string()
        && header(message, "ce_hash") == event.hash().to_string()
        && header(message, "ce_type") == format!("tidemark.{}", event.event_type)
        && aggregate == event.aggregate
}
