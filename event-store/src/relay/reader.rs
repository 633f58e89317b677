//! Reads partitions between two offsets. All of it blocks the thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::error::Error;
use super::partition_scan::PartitionScan;
use crate::kafka::{Consumer, End, Partition, Record, Settings, offsets};

/// Reads what scans have not read yet, in the order in which it arrives.
pub(super) struct Reader {
    client: Arc<Consumer>,
    /// The index of each partition that was not read to its end yet, and this end.
    unread: HashMap<(Arc<str>, i32), (usize, i64)>,
    request_timeout: Duration,
    fetch_wait_max: Duration,
}

/// A record that was read.
pub(super) struct ReadRecord {
    /// The index of the partition.
    pub(super) partition: usize,
    pub(super) offset: i64,
    /// `None` if it holds no event.
    pub(super) record: Option<Record>,
}

impl Reader {
    /// Reads every partition from where its scan is to the end of the scan.
    pub(super) fn new(
        client: Arc<Consumer>,
        settings: &Settings,
        partitions: &[Partition],
        scans: &[PartitionScan],
    ) -> Result<Self, Error> {
        let mut unread = HashMap::new();
        let mut assignment = TopicPartitionList::new();
        for (index, (partition, scan)) in partitions.iter().zip(scans).enumerate() {
            if !scan.is_complete() {
                let offset = Offset::Offset(scan.next_offset);
                assignment.add_partition_offset(&partition.topic, partition.number, offset)?;
                let key = (Arc::clone(&partition.topic), partition.number);
                unread.insert(key, (index, scan.end));
            }
        }
        client.assign(&assignment)?;
        Ok(Self {
            client,
            unread,
            request_timeout: settings.request_timeout,
            fetch_wait_max: settings.fetch_wait_max,
        })
    }

    /// The next record; `None` once all partitions were read to their ends.
    pub(super) fn next(&mut self) -> Result<Option<ReadRecord>, Error> {
        let asked_at = Instant::now();
        while !self.unread.is_empty() {
            if asked_at.elapsed() > self.request_timeout {
                return Err(Error::RecoveryStalled);
            }
            let Some(message) = self.client.poll(self.fetch_wait_max) else {
                continue;
            };
            let message = message?;
            let (offset, key) = (
                message.offset(),
                (message.topic().into(), message.partition()),
            );
            let Some((partition, end)) = self.unread.get(&key).copied() else {
                continue;
            };
            if offset + 1 >= end {
                self.unread.remove(&key);
            }
            return Ok(Some(ReadRecord {
                partition,
                offset,
                record: Record::decode(&message).ok(),
            }));
        }
        Ok(None)
    }

    /// The next records, at most `count`. There are none once all partitions were read to their ends.
    pub(super) fn batch(&mut self, count: usize) -> Result<Vec<ReadRecord>, Error> {
        let mut batch = Vec::new();
        while batch.len() < count
            && let Some(read) = self.next()?
        {
            batch.push(read);
        }
        Ok(batch)
    }
}

/// The first offset that each partition still has, and the one that its next record gets.
pub(super) fn both_ends(
    client: &Consumer,
    settings: &Settings,
    partitions: &[Partition],
) -> Result<Vec<(i64, i64)>, Error> {
    let oldest = offsets(client, partitions, End::Oldest, settings.request_timeout)?;
    let newest = offsets(client, partitions, End::Newest, settings.request_timeout)?;
    Ok(oldest.into_iter().zip(newest).collect())
}
