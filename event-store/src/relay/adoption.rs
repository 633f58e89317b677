//! The start of a term for which an operator has said that the topics keep what they hold, also what this log does
//! not hold. Reads all of them to find out which events of the log they hold. It writes nothing.

use std::sync::Arc;

use super::blocking::on_blocking_thread;
use super::error::Error;
use super::in_log::InLog;
use super::partition_scan::{FoundRecord, PartitionScan};
use super::partitions::Partitions;
use super::progress::PartitionProgress;
use super::reader::{ReadRecord, Reader, both_ends};
use super::recovery::Recovered;
use crate::Log;
use crate::kafka::{Partition, Settings, Timeline, consumer};

/// How many records are compared with the log at once.
const BATCH: usize = 1_000;

/// Finds out which events of the log the topics hold. The log is read from the first that one partition may lack, and
/// each partition gets those that it lacks, behind what it holds. Fails if they hold a record that is not in the log and
/// not of an earlier timeline: consumers would take what follows for what they have already.
pub(super) async fn adopt(
    log: &Log,
    settings: &Settings,
    partitions: &Partitions,
) -> Result<Recovered, Error> {
    let timeline = log.head().await?.timeline;
    let (all, settings) = (partitions.all.clone(), settings.clone());
    let opened = on_blocking_thread(move || open(&settings, &all));
    let (mut reader, mut scans) = opened.await?;
    loop {
        let read = on_blocking_thread(move || Ok((reader.batch(BATCH)?, reader)));
        let (batch, rest) = read.await?;
        if batch.is_empty() {
            break;
        }
        reader = rest;
        let lost = observe_known(log, &mut scans, &batch, timeline).await?;
        if let Some(read) = lost {
            let partition = &partitions.all[read.partition];
            return Err(Error::UndeclaredFork {
                topic: partition.topic.to_string(),
                partition: partition.number,
                offset: read.offset,
            });
        }
    }
    let position = |scan: &PartitionScan| scan.progress().position;
    let behind = |scan| PartitionProgress::behind(position(scan), scan.end);
    Ok(Recovered {
        confirmed: scans.iter().map(position).min().unwrap_or(0),
        progress: scans.iter().map(behind).collect(),
        ends: scans.iter().map(|scan| scan.end).collect(),
        requests_up_to: 0,
    })
}

/// Begins to read every partition from its beginning.
fn open(
    settings: &Settings,
    partitions: &[Partition],
) -> Result<(Reader, Vec<PartitionScan>), Error> {
    let client = Arc::new(consumer(settings)?);
    let ends = both_ends(&client, settings, partitions)?.into_iter();
    let scans = ends.map(|(oldest, newest)| PartitionScan::from_beginning(oldest, newest));
    let scans: Vec<_> = scans.collect();
    Ok((Reader::new(client, settings, partitions, &scans)?, scans))
}

/// Gives each record whose event the log holds to the scan of its partition. Returns one of the others that is not of a
/// timeline before this one, if there is one.
async fn observe_known<'a>(
    log: &Log,
    scans: &mut [PartitionScan],
    batch: &'a [ReadRecord],
    timeline: Timeline,
) -> Result<Option<&'a ReadRecord>, Error> {
    let records = batch
        .iter()
        .filter_map(|read| Some((read, read.record.as_ref()?)));
    let records =
        records.map(|(read, record)| (read, record, FoundRecord::of(read.offset, record)));
    let records: Vec<_> = records.collect();
    let positions: Vec<_> = records.iter().map(|(.., found)| found.position).collect();
    let in_log = InLog::at(log, &positions).await?;
    for (read, record, found) in records {
        if in_log.holds(&found) {
            scans[read.partition].observe(read.offset, Some(record));
        } else if record.timeline >= timeline {
            return Ok(Some(read));
        }
    }
    Ok(None)
}
