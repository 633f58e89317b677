//! Where events go: the partitions of all topics, in one order.

use std::collections::HashMap;

use tidemark_events::{Aggregate, Recorded};

use super::error::Error;
use crate::kafka;
use crate::kafka::{Partition, partition_of};

/// The partitions of all topics. Each has a place, by which the relay's state is indexed.
#[derive(Debug)]
pub(super) struct Layout {
    /// The partitions, by place.
    pub(super) partitions: Vec<Partition>,
    /// The place of each topic's first partition, by aggregate.
    first: HashMap<&'static str, usize>,
    per_topic: i32,
}

impl Layout {
    /// The layout of a deployment: every aggregate has a topic.
    pub(super) fn new(settings: &kafka::Settings) -> Self {
        let mut partitions = Vec::new();
        let mut first = HashMap::new();
        for aggregate in Aggregate::ALL {
            first.insert(aggregate.name(), partitions.len());
            let topic = aggregate.topic(&settings.topic_prefix).into();
            partitions.extend((0..settings.partitions).map(|number| Partition {
                topic: std::sync::Arc::clone(&topic),
                number,
            }));
        }
        Self {
            partitions,
            first,
            per_topic: settings.partitions,
        }
    }

    /// The names of the topics.
    pub(super) fn topics(settings: &kafka::Settings) -> Vec<String> {
        let name = |aggregate: &Aggregate| aggregate.topic(&settings.topic_prefix);
        Aggregate::ALL.iter().map(name).collect()
    }

    /// The place of the partition that an event belongs to.
    pub(super) fn place_of(&self, event: &Recorded) -> Result<usize, Error> {
        let first = self.first.get(event.aggregate.as_str());
        let number = partition_of(event.stream_id, self.per_topic);
        first
            .zip(usize::try_from(number).ok())
            .map(|(first, number)| first + number)
            .ok_or_else(|| Error::UnknownAggregate(event.aggregate.clone()))
    }
}
