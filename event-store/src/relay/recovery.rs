//! The start of a term: finds out what the topics hold, and whether it comes from this log. It writes
//! nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::blocking::on_blocking_thread;
use super::error::Error;
use super::partition_scan::PartitionScan;
use super::partitions::Partitions;
use super::progress::{PartitionProgress, Progress};
use crate::Log;
use crate::kafka::{Consumer, End, Partition, Record, Settings, consumer, offsets};

/// What the topics hold.
#[derive(Debug)]
pub(super) struct Recovered {
    /// The topics hold every event up to this position. Publishing goes on after it.
    pub(super) confirmed: i64,
    /// The progress of each partition, by its index in [`Partitions`].
    pub(super) progress: Vec<PartitionProgress>,
}

/// Reads what was published since the progress was saved, and compares it with the log. `confirmed` is
/// the position up to which the saved progress says that Kafka holds every event.
pub(super) async fn recover(
    log: &Log,
    progress: &Progress,
    settings: &Settings,
    partitions: &Partitions,
    confirmed: i64,
) -> Result<Recovered, Error> {
    let head = log.head().await?.position;
    if confirmed > head {
        return Err(Error::AheadOfLog {
            position: confirmed,
            head,
        });
    }
    let mut saved = progress.partitions().await?;
    let saved = partitions
        .all
        .iter()
        .map(|partition| saved.remove(&(partition.topic.to_string(), partition.number)))
        .collect();
    let (all, settings) = (partitions.all.clone(), settings.clone());
    let scans = on_blocking_thread(move || scan(&settings, &all, saved)).await?;
    report_foreign(partitions, &scans);
    compare_with_log(log, partitions, &scans).await?;
    let gaps = scans
        .iter()
        .filter(|scan| scan.publish_after(confirmed) < confirmed);
    metrics::counter!("tidemark_relay_gaps_total").increment(gaps.count() as u64);
    Ok(Recovered {
        confirmed: scans
            .iter()
            .map(|scan| scan.publish_after(confirmed))
            .fold(confirmed, i64::min),
        progress: scans.iter().map(PartitionScan::progress).collect(),
    })
}

/// Scans every partition: from its saved progress or, where that does not fit, from its beginning.
fn scan(
    settings: &Settings,
    partitions: &[Partition],
    saved: Vec<Option<PartitionProgress>>,
) -> Result<Vec<PartitionScan>, Error> {
    let client = consumer(settings)?;
    let oldest = offsets(&client, partitions, End::Oldest, settings.request_timeout)?;
    let newest = offsets(&client, partitions, End::Newest, settings.request_timeout)?;
    let ends: Vec<_> = oldest.into_iter().zip(newest).collect();
    let mut scans: Vec<_> = saved
        .into_iter()
        .zip(&ends)
        .map(|(saved, (oldest, newest))| PartitionScan::from_saved(saved, *oldest, *newest))
        .collect();
    read_to_the_ends(&client, settings, partitions, &mut scans)?;
    for (scan, (oldest, newest)) in scans.iter_mut().zip(&ends) {
        if scan.is_other_topic() {
            *scan = PartitionScan::from_beginning(*oldest, *newest);
        }
    }
    read_to_the_ends(&client, settings, partitions, &mut scans)?;
    Ok(scans)
}

/// Reads every partition whose scan is not complete.
fn read_to_the_ends(
    client: &Consumer,
    settings: &Settings,
    partitions: &[Partition],
    scans: &mut [PartitionScan],
) -> Result<(), Error> {
    let mut incomplete = HashMap::new();
    let mut assignment = TopicPartitionList::new();
    for (partition, scan) in partitions.iter().zip(scans) {
        if !scan.is_complete() {
            let offset = Offset::Offset(scan.next_offset);
            assignment.add_partition_offset(&partition.topic, partition.number, offset)?;
            incomplete.insert((Arc::clone(&partition.topic), partition.number), scan);
        }
    }
    client.assign(&assignment)?;
    let mut last_read_at = Instant::now();
    while !incomplete.is_empty() {
        if last_read_at.elapsed() > settings.request_timeout {
            return Err(Error::RecoveryStalled);
        }
        let Some(message) = client.poll(settings.fetch_wait_max) else {
            continue;
        };
        let message = message?;
        let key = (message.topic().into(), message.partition());
        if let Some(scan) = incomplete.get_mut(&key) {
            scan.observe(message.offset(), Record::decode(&message).ok().as_ref());
            if scan.is_complete() {
                incomplete.remove(&key);
            }
        }
        last_read_at = Instant::now();
    }
    Ok(())
}

/// Counts the records that hold no event. They prove nothing about the log, so publishing goes on behind them.
fn report_foreign(partitions: &Partitions, scans: &[PartitionScan]) {
    for (partition, scan) in partitions.all.iter().zip(scans) {
        let records = scan.foreign();
        if records > 0 {
            metrics::counter!("tidemark_relay_foreign_records_total").increment(records);
            let (topic, partition) = (&*partition.topic, partition.number);
            tracing::error!(
                topic,
                partition,
                records,
                "records that are no events are passed over"
            );
        }
    }
}

/// Fails unless the last record of each partition that holds an event holds one of the log.
async fn compare_with_log(
    log: &Log,
    partitions: &Partitions,
    scans: &[PartitionScan],
) -> Result<(), Error> {
    let last_records = || {
        let records = scans.iter().map(PartitionScan::last_record);
        let records = partitions.all.iter().zip(records);
        records.filter_map(|(partition, record)| Some((partition, record?)))
    };
    let positions: Vec<_> = last_records().map(|(_, record)| record.position).collect();
    let events = log.at(&positions).await?;
    let in_log: HashMap<_, _> = events
        .iter()
        .map(|event| (event.position, (event.event_id, event.hash())))
        .collect();
    for (partition, record) in last_records() {
        if in_log.get(&record.position) != Some(&(record.event_id, record.hash)) {
            return Err(Error::Diverged {
                topic: partition.topic.to_string(),
                partition: partition.number,
                offset: record.offset,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
