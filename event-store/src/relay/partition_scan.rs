//! Finds out what one partition holds, by reading it from the offset that was saved. It does no I/O: the
//! records are given to it.

use tidemark_events::EventHash;
use uuid::Uuid;

use super::progress::PartitionProgress;
use crate::kafka::Record;

/// A record that holds an event, as it is compared with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FoundRecord {
    pub(super) offset: i64,
    pub(super) position: i64,
    pub(super) event_id: Uuid,
    pub(super) hash: EventHash,
}

impl FoundRecord {
    pub(super) fn of(offset: i64, record: &Record) -> Self {
        Self {
            offset,
            position: record.event.position,
            event_id: record.event.event_id,
            hash: record.event.hash(),
        }
    }
}

/// The scan of one partition.
#[derive(Debug)]
pub(super) struct PartitionScan {
    /// The offset of the next record to read.
    pub(super) next_offset: i64,
    /// The offset at which the partition ended when the scan began.
    pub(super) end: i64,
    /// The position that the first record must have if the saved progress belongs to this topic; `None`
    /// once it was compared.
    expected_position: Option<i64>,
    is_other_topic: bool,
    /// Whether the scan begins at the saved progress, and not at the beginning of the partition.
    from_saved: bool,
    /// The progress up to the last record that continues the ones before it. It is unknown until the
    /// first record if the beginning of the partition was deleted.
    progress: Option<PartitionProgress>,
    last_record: Option<FoundRecord>,
    /// How many records hold no event.
    foreign: u64,
}

impl PartitionScan {
    /// A scan from the saved progress if the partition still reaches it, else from the beginning.
    pub(super) fn from_saved(saved: Option<PartitionProgress>, oldest: i64, newest: i64) -> Self {
        match saved {
            Some(progress) if (0..=newest).contains(&progress.next_offset) => {
                // The last record that was acknowledged is read again, to be compared, unless it was adopted.
                let last_acknowledged = progress.next_offset - 1;
                let next_offset = last_acknowledged.max(progress.adopted_until).max(oldest);
                let is_there = next_offset == last_acknowledged;
                Self {
                    next_offset,
                    end: newest,
                    expected_position: is_there.then_some(progress.position),
                    is_other_topic: false,
                    from_saved: true,
                    progress: Some(progress),
                    last_record: None,
                    foreign: 0,
                }
            }
            // No progress was saved, or the broker lost records that it had acknowledged.
            Some(_) | None => Self::without_position(saved, oldest, newest),
        }
    }

    /// A scan of all that the partition holds behind what was adopted.
    pub(super) fn without_position(
        saved: Option<PartitionProgress>,
        oldest: i64,
        newest: i64,
    ) -> Self {
        let adopted_until = saved.map_or(0, |progress| progress.adopted_until);
        let beginning = Self::from_beginning(oldest, newest);
        // A partition that is not as long any more is another one, and one that begins later has lost what was adopted.
        if !(oldest + 1..=newest).contains(&adopted_until) {
            return beginning;
        }
        Self {
            next_offset: adopted_until,
            progress: Some(PartitionProgress::behind(0, adopted_until)),
            ..beginning
        }
    }

    /// A scan of the whole partition.
    pub(super) fn from_beginning(oldest: i64, newest: i64) -> Self {
        Self {
            next_offset: oldest,
            end: newest,
            expected_position: None,
            is_other_topic: false,
            from_saved: false,
            progress: (oldest == 0).then(PartitionProgress::default),
            last_record: None,
            foreign: 0,
        }
    }

    /// Whether every record has been read.
    pub(super) const fn is_complete(&self) -> bool {
        self.next_offset >= self.end
    }

    /// Whether the saved progress turned out to belong to an earlier topic of the same name.
    pub(super) const fn is_other_topic(&self) -> bool {
        self.is_other_topic
    }

    /// Takes the next record; `None` stands for one that cannot be decoded.
    pub(super) fn observe(&mut self, offset: i64, record: Option<&Record>) {
        self.next_offset = offset + 1;
        if let Some(expected) = self.expected_position.take() {
            self.is_other_topic = record.is_none_or(|record| record.event.position != expected);
        }
        let Some(record) = record else {
            self.foreign += 1;
            return;
        };
        self.last_record = Some(FoundRecord::of(offset, record));
        let Record {
            event, previous, ..
        } = record;
        let progress = self.progress.get_or_insert(PartitionProgress {
            position: *previous,
            next_offset: offset,
            adopted_until: 0,
        });
        // A lower position repeats an earlier record. A higher `previous` means that records are missing
        // before this one; publishing goes on before the gap, so that they are published again.
        if *previous <= progress.position && event.position > progress.position {
            *progress = progress.advanced(event.position, offset + 1);
        }
    }

    /// How far the partition holds the events that belong into it.
    pub(super) fn progress(&self) -> PartitionProgress {
        self.progress.unwrap_or(PartitionProgress {
            position: 0,
            next_offset: self.end,
            adopted_until: 0,
        })
    }

    /// The position after which the log must be published for this partition, given the confirmed one.
    pub(super) fn publish_after(&self, confirmed: i64) -> i64 {
        if self.from_saved {
            confirmed
        } else {
            self.progress().position.min(confirmed)
        }
    }

    /// The last record that holds an event; `None` if none was read.
    pub(super) const fn last_record(&self) -> Option<FoundRecord> {
        self.last_record
    }

    /// How many of the records that were read hold no event.
    pub(super) const fn foreign(&self) -> u64 {
        self.foreign
    }
}

#[cfg(test)]
mod tests;
