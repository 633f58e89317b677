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
    heads: BTreeMap<i64, (usize, Recorded)>,
    partitions: Vec<Cursor>,
}

#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// The offset after the last record that was read.
    next_offset: i64,
    /// Whether one of the heads is of this partition. Then it is not read further.
    has_head: bool,
}

/// What the merge did with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// The record is the head of its partition now.
    Kept,
    /// The event was given before, or another partition's head has the same position.
    Dropped,
    /// The record could not be decoded, so its event is missing.
    Broken,
}

impl Merge {
    /// A merge that gives the events after `last_position`, from partitions that are read from these
    /// offsets on.
    pub(super) fn new(last_position: i64, offsets: &[i64]) -> Self {
        let cursor = |next_offset: &i64| Cursor {
            next_offset: *next_offset,
            has_head: false,
        };
        Self {
            last_position,
            heads: BTreeMap::new(),
            partitions: offsets.iter().map(cursor).collect(),
        }
    }

    /// The last position that was given.
    pub(super) const fn last_position(&self) -> i64 {
        self.last_position
    }

    /// Whether a partition must be read to go on. One that has a head is not read, which bounds memory.
    pub(super) fn wants(&self, partition: usize) -> bool {
        !self.partitions[partition].has_head
    }

    /// Takes the next record of a partition; `None` stands for one that could not be decoded.
    pub(super) fn offer(
        &mut self,
        partition: usize,
        offset: i64,
        event: Option<Recorded>,
    ) -> Offer {
        let cursor = &mut self.partitions[partition];
        cursor.next_offset = cursor.next_offset.max(offset + 1);
        let Some(event) = event else {
            return Offer::Broken;
        };
        if event.position <= self.last_position || self.heads.contains_key(&event.position) {
            return Offer::Dropped;
        }
        cursor.has_head = true;
        self.heads.insert(event.position, (partition, event));
        Offer::Kept
    }

    /// The next event of the log, if it is one of the heads.
    pub(super) fn take(&mut self) -> Option<Recorded> {
        let head = self.heads.first_entry()?;
        if *head.key() != self.last_position + 1 {
            return None;
        }
        let (partition, event) = head.remove();
        self.partitions[partition].has_head = false;
        self.last_position = event.position;
        Some(event)
    }

    /// Notes that every event up to `position` was given from the log. Returns the number of heads that
    /// were dropped because of that.
    pub(super) fn skip_to(&mut self, position: i64) -> usize {
        self.last_position = self.last_position.max(position);
        let mut dropped = 0;
        while let Some(head) = self.heads.first_entry()
            && *head.key() <= self.last_position
        {
            let (partition, _) = head.remove();
            self.partitions[partition].has_head = false;
            dropped += 1;
        }
        dropped
    }

    /// The last position of a gap that no partition will fill; `None` if there is no such gap.
    ///
    /// The relay had confirmed every event up to `confirmed` before the partitions ended at `ends`. So
    /// the record of the next event was before one of these ends. If every partition has a head, which is
    /// later, or was read to its end, the record is not there.
    pub(super) fn missing(&self, confirmed: i64, ends: &[i64]) -> Option<i64> {
        let is_past =
            |(cursor, end): (&Cursor, &i64)| cursor.has_head || cursor.next_offset >= *end;
        let is_gone =
            self.last_position < confirmed && self.partitions.iter().zip(ends).all(is_past);
        let until = self
            .heads
            .keys()
            .next()
            .map_or(confirmed, |head| confirmed.min(head - 1));
        (is_gone && until > self.last_position).then_some(until)
    }
}

#[cfg(test)]
mod tests;
