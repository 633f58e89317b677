//! The start of a term: what the topics really hold, and whether it is this log that they hold.
//! It writes nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::error::Error;
use super::layout::Layout;
use super::progress::{Place, Progress};
use super::tail::Tail;
use super::topics::blocking;
use crate::Log;
use crate::kafka::{Consumer, End, Partition, Record, Settings, consumer, offsets};

/// What the topics hold.
#[derive(Debug)]
pub(super) struct Recovered {
    /// They hold everything up to here; publishing goes on from here.
    pub(super) position: i64,
    /// By the layout's place.
    pub(super) places: Vec<Place>,
}

/// Reads back what was published since the progress was saved, and compares it with the log.
pub(super) async fn recover(
    log: &Log,
    progress: &Progress,
    settings: &Settings,
    layout: &Layout,
    confirmed: i64,
) -> Result<Recovered, Error> {
    let head = log.head().await?.position;
    if confirmed > head {
        return Err(Error::Ahead {
            position: confirmed,
            head,
        });
    }
    let mut known = progress.places().await?;
    let saved = layout
        .partitions
        .iter()
        .map(|partition| known.remove(&(partition.topic.to_string(), partition.number)))
        .collect();
    let (partitions, settings) = (layout.partitions.clone(), settings.clone());
    let tails = blocking(move || read_back(&settings, &partitions, saved)).await?;
    compare(log, layout, &tails).await?;
    Ok(Recovered {
        position: tails
            .iter()
            .map(|tail| tail.resume(confirmed))
            .fold(confirmed, i64::min),
        places: tails.iter().map(Tail::place).collect(),
    })
}

fn read_back(
    settings: &Settings,
    partitions: &[Partition],
    saved: Vec<Option<Place>>,
) -> Result<Vec<Tail>, Error> {
    let client = consumer(settings)?;
    let oldest = offsets(&client, partitions, End::Oldest, settings.request_timeout)?;
    let newest = offsets(&client, partitions, End::Newest, settings.request_timeout)?;
    let ends: Vec<_> = oldest.into_iter().zip(newest).collect();
    let mut tails: Vec<_> = saved
        .into_iter()
        .zip(&ends)
        .map(|(place, (oldest, newest))| Tail::from_saved(place, *oldest, *newest))
        .collect();
    read(&client, settings, partitions, &mut tails)?;
    for (tail, (oldest, newest)) in tails.iter_mut().zip(&ends) {
        if tail.is_foiled() {
            *tail = Tail::from_beginning(*oldest, *newest);
        }
    }
    read(&client, settings, partitions, &mut tails)?;
    Ok(tails)
}

/// Reads all partitions to their ends.
fn read(
    client: &Consumer,
    settings: &Settings,
    partitions: &[Partition],
    tails: &mut [Tail],
) -> Result<(), Error> {
    let mut unread = HashMap::new();
    let mut assignment = TopicPartitionList::new();
    for (partition, tail) in partitions.iter().zip(tails) {
        if !tail.is_read() {
            let offset = Offset::Offset(tail.next);
            assignment.add_partition_offset(&partition.topic, partition.number, offset)?;
            unread.insert((Arc::clone(&partition.topic), partition.number), tail);
        }
    }
    client.assign(&assignment)?;
    let mut moved = Instant::now();
    while !unread.is_empty() {
        if moved.elapsed() > settings.request_timeout {
            return Err(Error::ReadBack);
        }
        let Some(message) = client.poll(settings.fetch_wait_max) else {
            continue;
        };
        let message = message?;
        let key = (message.topic().into(), message.partition());
        if let Some(tail) = unread.get_mut(&key) {
            tail.observe(message.offset(), Record::decode(&message).ok().as_ref());
            if tail.is_read() {
                unread.remove(&key);
            }
        }
        moved = Instant::now();
    }
    Ok(())
}

/// Compares the last record of each partition with the log.
async fn compare(log: &Log, layout: &Layout, tails: &[Tail]) -> Result<(), Error> {
    let last = || layout.partitions.iter().zip(tails.iter().map(Tail::last));
    let positions: Vec<_> = last()
        .filter_map(|(_, seen)| seen?.event)
        .map(|(position, ..)| position)
        .collect();
    let events = log.at(&positions).await?;
    let truth: HashMap<_, _> = events
        .iter()
        .map(|event| (event.position, (event.event_id, event.hash())))
        .collect();
    for (partition, seen) in last() {
        let Some(seen) = seen else { continue };
        let same = seen.event.is_some_and(|(position, event_id, hash)| {
            truth.get(&position) == Some(&(event_id, hash))
        });
        if !same {
            return Err(Error::Diverged {
                topic: partition.topic.to_string(),
                partition: partition.number,
                offset: seen.offset,
            });
        }
    }
    Ok(())
}
