//! Which events the rows of a shard do without, because operators skipped them. No I/O.
//!
//! What was skipped before a generation was begun is never applied in it. What is skipped later may have been applied by
//! then: when the worker comes to the order, it takes the event out of the row again.

use std::collections::HashMap;

use tidemark_read_models::Shard;
use tidemark_read_models::storage::{Skip, SkippedEvents};
use uuid::Uuid;

/// The skipped events of a shard.
#[derive(Default)]
pub(super) struct Skips {
    begun_at: i64,
    of_rows: HashMap<Uuid, Vec<Skip>>,
}

impl Skips {
    /// Those of a shard as they are stored.
    pub(super) fn of(stored: SkippedEvents) -> Self {
        let mut skips = Self {
            begun_at: stored.begun_at,
            of_rows: HashMap::new(),
        };
        for skip in stored.skips {
            skips.add(skip);
        }
        skips
    }

    /// Adds what the worker finds ordered in the log.
    pub(super) fn add(&mut self, skip: Skip) {
        let of_row = self.of_rows.entry(skip.id).or_default();
        if !of_row.contains(&skip) {
            of_row.push(skip);
        }
    }

    /// Whether an event is not to be applied to a row.
    pub(super) fn leave_out(&self, id: Uuid, position: i64) -> bool {
        let mut of_row = self.of_row(id);
        of_row.any(|it| it.position == position && it.ordered_at <= self.begun_at)
    }

    /// Whether this generation has left the event out since it was begun.
    pub(super) fn has_left_out(&self, skip: Skip) -> bool {
        skip.ordered_at <= self.begun_at && self.of_row(skip.id).any(|it| *it == skip)
    }

    /// The events that a row does without when the worker has come to `at`: those that were skipped for it, and those that
    /// no row has because their stream went on without them.
    pub(super) fn in_row(&self, id: Uuid, at: i64) -> Vec<i64> {
        let until = at.max(self.begun_at);
        let streams = self.of_rows.keys().filter(|id| Shard::is_of_stream(**id));
        let skips = self
            .of_row(id)
            .chain(streams.flat_map(|id| self.of_row(*id)));
        let skips = skips.filter(|it| it.ordered_at <= until);
        skips.map(|it| it.position).collect()
    }

    /// Those of these events that may be in a row whose last event is `last`: they were skipped after the generation was
    /// begun, when the worker has come to `at`.
    pub(super) fn may_be_in(&self, id: Uuid, last: Option<i64>, at: i64) -> bool {
        self.of_row(id).any(|it| {
            it.ordered_at > self.begun_at
                && it.ordered_at <= at
                && last.is_none_or(|last| it.position <= last)
        })
    }

    fn of_row(&self, id: Uuid) -> impl Iterator<Item = &Skip> {
        self.of_rows.get(&id).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(1);

    fn skip(position: i64, ordered_at: i64) -> Skip {
        Skip {
            id: ID,
            position,
            ordered_at,
        }
    }

    #[test]
    fn only_what_was_skipped_before_the_generation_was_begun_is_left_out_from_the_beginning() {
        let stored = SkippedEvents {
            begun_at: 10,
            skips: vec![skip(3, 9), skip(4, 11)],
        };
        let mut skips = Skips::of(stored);
        assert!(skips.leave_out(ID, 3));
        assert!(!skips.leave_out(ID, 4));
        assert!(!skips.leave_out(Uuid::from_u128(2), 3));
        assert!(skips.has_left_out(skip(3, 9)));
        assert!(!skips.has_left_out(skip(4, 11)));
        assert!(
            !skips.has_left_out(skip(5, 8)),
            "it was not known at the beginning"
        );
        assert_eq!(skips.in_row(ID, 5), [3]);
        assert_eq!(skips.in_row(ID, 11), [3, 4]);
        skips.add(skip(5, 12));
        skips.add(skip(5, 12));
        assert_eq!(skips.in_row(ID, 12), [3, 4, 5]);
    }

    #[test]
    fn a_row_may_hold_what_was_skipped_later_unless_it_has_stopped_before() {
        let stored = SkippedEvents {
            begun_at: 0,
            skips: vec![skip(4, 11)],
        };
        let skips = Skips::of(stored);
        assert!(skips.may_be_in(ID, Some(5), 11));
        assert!(skips.may_be_in(ID, None, 11));
        assert!(!skips.may_be_in(ID, Some(3), 11));
        assert!(!skips.may_be_in(ID, Some(5), 10));
    }
}
