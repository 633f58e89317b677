//! The partitions of all topics, in one fixed order, and which of them an event goes to.

use std::collections::HashMap;
use std::sync::Arc;

use tidemark_events::{Aggregate, Recorded};

use super::error::Error;
use crate::kafka;
use crate::kafka::{Partition, partition_of};

/// The partitions of all topics. What the relay knows about each is kept at the same index.
#[derive(Debug)]
pub(super) struct Partitions {
    /// All partitions, topic by topic.
    pub(super) all: Vec<Partition>,
    /// The index of the first partition of each aggregate's topic.
    first: HashMap<&'static str, usize>,
    per_topic: i32,
}

impl Partitions {
    /// The partitions of a deployment, in which every aggregate has a topic.
    pub(super) fn new(settings: &kafka::Settings) -> Self {
        let mut all = Vec::new();
        let mut first = HashMap::new();
        for aggregate in Aggregate::ALL {
            first.insert(aggregate.name(), all.len());
            let topic = aggregate.topic(&settings.topic_prefix).into();
            all.extend((0..settings.partitions).map(|number| Partition {
                topic: Arc::clone(&topic),
                number,
            }));
        }
        Self {
            all,
            first,
            per_topic: settings.partitions,
        }
    }

    /// The names of all topics.
    pub(super) fn topic_names(settings: &kafka::Settings) -> Vec<String> {
        let name = |aggregate: &Aggregate| aggregate.topic(&settings.topic_prefix);
        Aggregate::ALL.iter().map(name).collect()
    }

    /// The index of the partition that an event goes to.
    pub(super) fn index_of(&self, event: &Recorded) -> Result<usize, Error> {
        let first = self.first.get(event.aggregate.as_str());
        let number = partition_of(event.stream_id, self.per_topic);
        first
            .zip(usize::try_from(number).ok())
            .map(|(first, number)| first + number)
            .ok_or_else(|| Error::UnknownAggregate(event.aggregate.clone()))
    }
}
