//! What one partition holds, found out by reading it from where progress was saved.

use tidemark_events::EventHash;
use uuid::Uuid;

use super::progress::Place;
use crate::kafka::Record;

/// A record as it is compared with the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) offset: i64,
    /// None for a record that cannot be read as an event.
    pub(super) event: Option<(i64, Uuid, EventHash)>,
}

/// The reading of one partition.
#[derive(Debug)]
pub(super) struct Tail {
    /// Where reading goes on.
    pub(super) next: i64,
    /// Where it ends.
    pub(super) end: i64,
    /// The position that the first record must have, if the saved place is of this topic.
    expected: Option<i64>,
    foiled: bool,
    /// False where the saved place is not of this topic: everything was read, or has to be.
    trusted: bool,
    /// The last record that continues the ones before it; none until a first record tells where a
    /// partition whose beginning was deleted goes on.
    place: Option<Place>,
    last: Option<Seen>,
}

impl Tail {
    /// Reading from the saved place if the partition still reaches it, else from its beginning.
    pub(super) fn from_saved(saved: Option<Place>, oldest: i64, newest: i64) -> Self {
        match saved {
            Some(place) if (0..=newest).contains(&place.next_offset) => {
                // The record before the place is read again, to be compared.
                let next = (place.next_offset - 1).max(oldest);
                let same = next == place.next_offset - 1;
                Self {
                    next,
                    end: newest,
                    expected: same.then_some(place.position),
                    foiled: false,
                    trusted: true,
                    place: Some(place),
                    last: None,
                }
            }
            // Nothing is known of it, or the broker lost what it had acknowledged.
            Some(_) | None => Self::from_beginning(oldest, newest),
        }
    }

    /// Reading the whole partition.
    pub(super) fn from_beginning(oldest: i64, newest: i64) -> Self {
        Self {
            next: oldest,
            end: newest,
            expected: None,
            foiled: false,
            trusted: false,
            place: (oldest == 0).then(Place::default),
            last: None,
        }
    }

    pub(super) const fn is_read(&self) -> bool {
        self.next >= self.end
    }

    /// Whether the saved place turned out to be of another topic.
    pub(super) const fn is_foiled(&self) -> bool {
        self.foiled
    }

    /// Takes the next record; `None` stands for one that cannot be read.
    pub(super) fn observe(&mut self, offset: i64, record: Option<&Record>) {
        self.next = offset + 1;
        self.last = Some(Seen {
            offset,
            event: record
                .map(|Record { event, .. }| (event.position, event.event_id, event.hash())),
        });
        if let Some(expected) = self.expected.take() {
            self.foiled = record.is_none_or(|record| record.event.position != expected);
        }
        let Some(Record { event, previous }) = record else {
            return;
        };
        let place = self.place.get_or_insert(Place {
            position: *previous,
            next_offset: offset,
        });
        // A lower position repeats an earlier record; a higher `previous` means that records are
        // missing in between: both are left behind, and what is missing is published again.
        if *previous <= place.position && event.position > place.position {
            *place = Place {
                position: event.position,
                next_offset: offset + 1,
            };
        }
    }

    /// How far the partition holds its share of the log.
    pub(super) fn place(&self) -> Place {
        self.place.unwrap_or(Place {
            position: 0,
            next_offset: self.end,
        })
    }

    /// From where the log must be published for this partition, given the confirmed position.
    pub(super) fn resume(&self, confirmed: i64) -> i64 {
        if self.trusted {
            confirmed
        } else {
            self.place().position.min(confirmed)
        }
    }

    /// The partition's last record.
    pub(super) const fn last(&self) -> Option<&Seen> {
        self.last.as_ref()
    }
}

#[cfg(test)]
mod tests;
