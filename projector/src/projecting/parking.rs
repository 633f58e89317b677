//! The parked rows of a shard: which they are, and what the next write parks. No I/O.

use std::collections::HashSet;

use tidemark_read_models::storage::{Ordered, Parked, ParkedRow};
use uuid::Uuid;

/// The parked rows of a shard.
#[derive(Default)]
pub(super) struct Parking {
    ids: HashSet<Uuid>,
    unwritten: Parked,
}

impl Parking {
    /// The parking of a shard in which these rows are parked.
    pub(super) fn of(ids: impl IntoIterator<Item = Uuid>) -> Self {
        Self {
            ids: ids.into_iter().collect(),
            unwritten: Parked::default(),
        }
    }

    /// The number of parked rows.
    pub(super) fn rows(&self) -> usize {
        self.ids.len()
    }

    /// The number of waiting events that are not written yet.
    pub(super) const fn unwritten(&self) -> usize {
        self.unwritten.events.len()
    }

    /// Whether a row is parked.
    pub(super) fn contains(&self, id: Uuid) -> bool {
        self.ids.contains(&id)
    }

    /// Lets an event wait that cannot be applied to a row, and parks the row unless it is.
    pub(super) fn park(&mut self, row: ParkedRow) {
        self.wait(row.id, row.position);
        let rows = &mut self.unwritten.rows;
        if self.ids.insert(row.id) {
            rows.push(row);
        } else if let Some(parked) = rows.iter_mut().find(|parked| parked.id == row.id)
            && row.position < parked.position
        {
            *parked = row;
        }
    }

    /// Lets an event wait for a parked row.
    pub(super) fn wait(&mut self, id: Uuid, position: i64) {
        self.unwritten.events.push((id, position));
    }

    /// Has the next write carry out an order. The row may be parked only then, since Postgres may refuse it.
    pub(super) fn order(&mut self, ordered: Ordered) {
        self.unwritten.ordered.push(ordered);
    }

    /// Notes that a row is parked no longer.
    pub(super) fn release(&mut self, id: Uuid) {
        self.ids.remove(&id);
    }

    /// Takes back what was not written, so that more can be added to it.
    pub(super) fn put_back(&mut self, unwritten: Parked) {
        self.unwritten = unwritten;
    }

    /// Takes what is not written yet, to write it now.
    pub(super) fn take_unwritten(&mut self) -> Parked {
        std::mem::take(&mut self.unwritten)
    }
}

#[cfg(test)]
mod tests {
    use tidemark_read_models::storage::ParkedKind;

    use super::*;

    const ID: Uuid = Uuid::from_u128(1);

    fn row(position: i64) -> ParkedRow {
        ParkedRow {
            id: ID,
            kind: ParkedKind::Row,
            position,
            reason: position.to_string(),
        }
    }

    #[test]
    fn a_row_is_parked_from_the_first_event_on_that_it_lacks() {
        let mut parking = Parking::default();
        parking.park(row(5));
        parking.wait(ID, 6);
        parking.park(row(3));
        parking.park(row(4));
        let parked = parking.take_unwritten();
        assert_eq!(parked.rows, [row(3)]);
        assert_eq!(parked.events, [(ID, 5), (ID, 6), (ID, 3), (ID, 4)]);
        parking.park(row(7));
        assert_eq!(
            parking.take_unwritten().rows,
            [],
            "it was parked and stored before"
        );
    }
}
