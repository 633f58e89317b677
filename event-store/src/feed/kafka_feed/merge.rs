//! The order of the log out of many partitions. Pure: it is told what was read and says what is next.

use std::collections::BTreeMap;

use tidemark_events::Recorded;

/// Each partition has its own order; positions without gaps give the order of the whole back: the
/// next event is always the one after the last.
#[derive(Debug)]
pub(super) struct Merge {
    last: i64,
    /// The first unused record of each partition, by position.
    heads: BTreeMap<i64, (usize, Recorded)>,
    partitions: Vec<Cursor>,
}

#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// The offset after the last record read.
    next_offset: i64,
    /// Its head is among the heads, so it is not to be read further.
    ahead: bool,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It is the partition's head now.
    Kept,
    /// Its position was given before.
    Dropped,
    /// It stands for no event: its position counts as missing.
    Broken,
}

impl Merge {
    /// A merge that gives what is after `last`, of partitions that are read from `offsets` on.
    pub(super) fn new(last: i64, offsets: &[i64]) -> Self {
        let cursor = |next_offset: &i64| Cursor {
            next_offset: *next_offset,
            ahead: false,
        };
        Self {
            last,
            heads: BTreeMap::new(),
            partitions: offsets.iter().map(cursor).collect(),
        }
    }

    /// The last position given.
    pub(super) const fn last(&self) -> i64 {
        self.last
    }

    /// Whether a partition has to be read to go on. One that is ahead waits, unread.
    pub(super) fn wants(&self, partition: usize) -> bool {
        !self.partitions[partition].ahead
    }

    /// Takes a partition's next record; `None` is one that could not be read as an event.
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
        if event.position <= self.last || self.heads.contains_key(&event.position) {
            return Offer::Dropped;
        }
        cursor.ahead = true;
        self.heads.insert(event.position, (partition, event));
        Offer::Kept
    }

    /// The next event, if a partition has shown it.
    pub(super) fn take(&mut self) -> Option<Recorded> {
        let head = self.heads.first_entry()?;
        if *head.key() != self.last + 1 {
            return None;
        }
        let (partition, event) = head.remove();
        self.partitions[partition].ahead = false;
        self.last = event.position;
        Some(event)
    }

    /// The log itself gave everything up to `position`. Returns how many heads that made useless.
    pub(super) fn skip_to(&mut self, position: i64) -> usize {
        self.last = self.last.max(position);
        let mut useless = 0;
        while let Some(head) = self.heads.first_entry()
            && *head.key() <= self.last
        {
            let (partition, _) = head.remove();
            self.partitions[partition].ahead = false;
            useless += 1;
        }
        useless
    }

    /// The last position of a gap that no partition will fill.
    ///
    /// The relay had confirmed everything up to `confirmed` before the partitions ended at `ends`.
    /// So what is next was below these ends, and if each partition has shown a later record, or
    /// was read to its end, it is not there.
    pub(super) fn missing(&self, confirmed: i64, ends: &[i64]) -> Option<i64> {
        let past = |(cursor, end): (&Cursor, &i64)| cursor.ahead || cursor.next_offset >= *end;
        let gone = self.last < confirmed && self.partitions.iter().zip(ends).all(past);
        let until = self
            .heads
            .keys()
            .next()
            .map_or(confirmed, |head| confirmed.min(head - 1));
        (gone && until > self.last).then_some(until)
    }
}

#[cfg(test)]
mod tests;
