//! The start of a term: finds out what the topics hold, and whether it comes from this log. It writes
//! nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::blocking::on_blocking_thread;
use super::error::Error;
use super::in_log::InLog;
use super::partition_scan::PartitionScan;
use super::partitions::Partitions;
use super::progress::{PartitionProgress, Progress};
use super::reader::{Reader, both_ends};
use crate::Log;
use crate::kafka::{Consumer, Partition, Settings, consumer};

/// How many events are read from the log at once.
const PAGE: i64 = 1_000;

/// What the topics hold.
#[derive(Debug)]
pub(super) struct Recovered {
    /// The topics hold every event up to this position. Publishing goes on after it.
    pub(super) confirmed: i64,
    /// The progress of each partition, by its index in [`Partitions`].
    pub(super) progress: Vec<PartitionProgress>,
    /// The offset at which each partition ended.
    pub(super) ends: Vec<i64>,
    /// The position of the last request of an operator that this follows from; 0 if there is none.
    pub(super) requests_up_to: i64,
}

impl Recovered {
    /// Has everything from this position on published again, behind what the topics hold. Changes nothing if the log ends
    /// before it.
    pub(super) async fn publish_from(
        &mut self,
        position: i64,
        log: &Log,
        partitions: &Partitions,
    ) -> Result<(), Error> {
        let head = log.head().await?.position;
        if position > head {
            tracing::error!(
                position,
                head,
                "nothing is published again: the log ends before the position from which an operator wants it"
            );
            return Ok(());
        }
        let before = position - 1;
        self.confirmed = self.confirmed.min(before);
        let beyond = self.progress.iter().enumerate();
        let beyond = beyond.filter(|(_, progress)| progress.position > before);
        let beyond = beyond.map(|(index, _)| index).collect();
        let last = last_events(log, partitions, before, beyond).await?;
        for (index, (progress, end)) in self.progress.iter_mut().zip(&self.ends).enumerate() {
            let position = last.get(&index).copied().unwrap_or(progress.position);
            *progress = PartitionProgress::behind(position, *end);
        }
        Ok(())
    }
}

/// The position of the last event up to `up_to` that goes to each of these partitions; 0 where there is none. Consumers
/// stop at a record that continues one that they do not know, so it must be of the same partition.
async fn last_events(
    log: &Log,
    partitions: &Partitions,
    up_to: i64,
    wanted: Vec<usize>,
) -> Result<HashMap<usize, i64>, Error> {
    let mut last: HashMap<_, _> = wanted.into_iter().map(|index| (index, 0)).collect();
    let mut end = up_to;
    while end > 0 && last.values().any(|position| *position == 0) {
        let start = (end - PAGE).max(0);
        for event in log.page(start, end - start).await?.iter().rev() {
            if let Some(position) = last.get_mut(&partitions.index_of(event)?)
                && *position == 0
            {
                *position = event.position;
            }
        }
        end = start;
    }
    Ok(last)
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
        ends: scans.iter().map(|scan| scan.end).collect(),
        requests_up_to: 0,
    })
}

/// Scans every partition: from its saved progress or, where that does not fit, from its beginning.
fn scan(
    settings: &Settings,
    partitions: &[Partition],
    saved: Vec<Option<PartitionProgress>>,
) -> Result<Vec<PartitionScan>, Error> {
    let client = Arc::new(consumer(settings)?);
    let ends = both_ends(&client, settings, partitions)?;
    let mut scans: Vec<_> = saved
        .iter()
        .zip(&ends)
        .map(|(saved, (oldest, newest))| PartitionScan::from_saved(*saved, *oldest, *newest))
        .collect();
    read_to_the_ends(&client, settings, partitions, &mut scans)?;
    for ((scan, saved), (oldest, newest)) in scans.iter_mut().zip(saved).zip(&ends) {
        if scan.is_other_topic() {
            *scan = PartitionScan::without_position(saved, *oldest, *newest);
        }
    }
    read_to_the_ends(&client, settings, partitions, &mut scans)?;
    Ok(scans)
}

/// Reads every partition whose scan is not complete.
fn read_to_the_ends(
    client: &Arc<Consumer>,
    settings: &Settings,
    partitions: &[Partition],
    scans: &mut [PartitionScan],
) -> Result<(), Error> {
    let mut reader = Reader::new(Arc::clone(client), settings, partitions, scans)?;
    while let Some(read) = reader.next()? {
        scans[read.partition].observe(read.offset, read.record.as_ref());
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
    let in_log = InLog::at(log, &positions).await?;
    for (partition, record) in last_records() {
        if !in_log.holds(&record) {
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
