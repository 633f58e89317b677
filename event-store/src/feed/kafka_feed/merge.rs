//! Puts the events of many partitions into the order of the log. It does no I/O: it is given the records
//! that were read, and gives the events that are next.

use std::collections::BTreeMap;

use tidemark_events::Recorded;

/// Each partition is ordered by itself only. But positions have no gaps, so the next event of the log is
/// always the one at the position after the last.
#[derive(Debug)]
pub(super) struct Merge {
    /// The last position that was given.
    last_position: i64,
    /// The first event of each partition that was not given yet, by position.
    waiting: BTreeMap<i64, (usize, Recorded)>,
    partitions: Vec<Cursor>,
}

#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// The offset after the last record that was read.
    next_offset: i64,
    /// Whether an event of this partition waits. Then the partition is not read further.
    is_waiting: bool,
}

/// What the merge did with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// The event waits for its turn now.
    Kept,
    /// The event was given before, or one with the same position waits already.
    Dropped,
    /// The record holds no event of this log.
    Useless,
}

impl Merge {
    /// A merge that gives the events after `last_position`, from partitions that are read from these
    /// offsets on.
    pub(super) fn new(last_position: i64, offsets: &[i64]) -> Self {
        let cursor = |next_offset: &i64| Cursor {
            next_offset: *next_offset,
            is_waiting: false,
        };
        Self {
            last_position,
            waiting: BTreeMap::new(),
            partitions: offsets.iter().map(cursor).collect(),
        }
    }

    /// The last position that was given.
    pub(super) const fn last_position(&self) -> i64 {
        self.last_position
    }

    /// Whether a partition must be read to go on. It is not read while an event of it waits, which bounds
    /// memory.
    pub(super) fn wants(&self, partition: usize) -> bool {
        !self.partitions[partition].is_waiting
    }

    /// Takes the next record of a partition; `None` stands for one that holds no event of this log.
    pub(super) fn offer(
        &mut self,
        partition: usize,
        offset: i64,
        event: Option<Recorded>,
    ) -> Offer {
        let cursor = &mut self.partitions[partition];
        cursor.next_offset = cursor.next_offset.max(offset + 1);
        let Some(event) = event else {
            return Offer::Useless;
        };
        if event.position <= self.last_position || self.waiting.contains_key(&event.position) {
            return Offer::Dropped;
        }
        cursor.is_waiting = true;
        self.waiting.insert(event.position, (partition, event));
        Offer::Kept
    }

    /// The next event of the log, if it is one of those that wait.
    pub(super) fn take(&mut self) -> Option<Recorded> {
        let first = self.waiting.first_entry()?;
        if *first.key() != self.last_position + 1 {
            return None;
        }
        let (partition, event) = first.remove();
        self.partitions[partition].is_waiting = false;
        self.last_position = event.position;
        Some(event)
    }

    /// Drops the events after the position `head`, where the log ends: those that wait, and those that were given.
    /// Returns the number of those that waited.
    pub(super) fn drop_beyond(&mut self, head: i64) -> usize {
        self.last_position = self.last_position.min(head);
        let beyond = self.waiting.split_off(&head.saturating_add(1));
        for (partition, _) in beyond.values() {
            self.partitions[*partition].is_waiting = false;
        }
        beyond.len()
    }

    /// Notes that every event up to `position` was given from the log. Returns the number of waiting
    /// events that were dropped because of that.
    pub(super) fn skip_to(&mut self, position: i64) -> usize {
        self.last_position = self.last_position.max(position);
        let mut dropped = 0;
        while let Some(first) = self.waiting.first_entry()
            && *first.key() <= self.last_position
        {
            let (partition, _) = first.remove();
            self.partitions[partition].is_waiting = false;
            dropped += 1;
        }
        dropped
    }

    /// The last position of a gap that no partition will fill; `None` if there is no such gap.
    ///
    /// The relay had confirmed every event up to `confirmed` before the partitions ended at `ends`. So
    /// the record of the next event was before one of these ends. If of each partition a later
    /// event waits, or it was read to its end, the record is not there.
    pub(super) fn missing(&self, confirmed: i64, ends: &[i64]) -> Option<i64> {
        let is_past =
            |(cursor, end): (&Cursor, &i64)| cursor.is_waiting || cursor.next_offset >= *end;
        let is_gone =
            self.last_position < confirmed && self.partitions.iter().zip(ends).all(is_past);
        let until = self
            .waiting
            .keys()
            .next()
            .map_or(confirmed, |first| confirmed.min(first - 1));
        (is_gone && until > self.last_position).then_some(until)
    }
}

#[cfg(test)]
mod tests;
