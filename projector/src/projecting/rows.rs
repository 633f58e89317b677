//! The rows that a worker has in memory, and which of them have changed since they were written. No
//! I/O.

use std::collections::HashMap;

use lru::LruCache;
use tidemark_read_models::storage::StoredRow;
use tidemark_read_models::{ReadModel, storage};
use uuid::Uuid;

use crate::following::panics::catch_panic;

/// A row as Postgres has it, or why it cannot be used.
pub(super) type Stored<M> = Result<Option<<M as ReadModel>::Row>, String>;

/// A cache of rows, which also remembers ids that have no row.
pub(super) struct Rows<M: ReadModel> {
    cached: LruCache<Uuid, Cached<M>>,
    /// About how much memory the cached rows take.
    bytes: usize,
    /// The rows that are not written yet, each with the positions of the events that touched it.
    unwritten: HashMap<Uuid, Vec<i64>>,
    /// About how much of the memory the rows take that are not written yet.
    unwritten_bytes: usize,
}

/// A row in memory.
struct Cached<M: ReadModel> {
    row: Stored<M>,
    /// About how much memory it takes: as much as its document, and since that was read or written as much more as the
    /// events that changed it.
    size: usize,
}

/// A row that is not written yet.
pub(super) struct Changed {
    pub(super) id: Uuid,
    /// The positions of the events that changed it, in order.
    pub(super) positions: Vec<i64>,
    /// As it is stored; an error if it cannot be.
    pub(super) row: Result<StoredRow, String>,
}

impl<M: ReadModel> Rows<M> {
    pub(super) fn new() -> Self {
        Self {
            cached: LruCache::unbounded(),
            bytes: 0,
            unwritten: HashMap::new(),
            unwritten_bytes: 0,
        }
    }

    /// Whether it is known which row an id has, if any.
    pub(super) fn contains(&self, id: Uuid) -> bool {
        self.cached.contains(&id)
    }

    /// Adds a row as Postgres has it, with a document of `size` bytes.
    pub(super) fn insert_stored(&mut self, id: Uuid, row: Stored<M>, size: usize) {
        self.put(id, row, size_of::<Cached<M>>() + size);
    }

    /// The row with an id that is in the cache; none if there is no such row.
    pub(super) fn get(&self, id: Uuid) -> Stored<M> {
        self.cached.peek(&id).map_or(Ok(None), |it| it.row.clone())
    }

    /// Sets the row as it is after the event at `position`, which has data of `size` bytes; `None` removes it.
    pub(super) fn change(&mut self, id: Uuid, row: Option<M::Row>, position: i64, size: usize) {
        let before = self.cached.peek(&id).map(|it| it.size);
        let before = before.unwrap_or(size_of::<Cached<M>>());
        self.put(id, Ok(row), before + size);
        let positions = self.unwritten.entry(id).or_default();
        self.unwritten_bytes += size + if positions.is_empty() { before } else { 0 };
        positions.push(position);
    }

    /// Forgets a row.
    pub(super) fn forget(&mut self, id: Uuid) {
        let size = self.cached.pop(&id).map_or(0, |it| it.size);
        self.bytes -= size;
    }

    fn put(&mut self, id: Uuid, row: Stored<M>, size: usize) {
        let before = self.cached.put(id, Cached { row, size });
        self.bytes = self.bytes + size - before.map_or(0, |it| it.size);
    }

    /// The number of rows that are not written yet.
    pub(super) fn unwritten(&self) -> usize {
        self.unwritten.len()
    }

    /// About how much memory the rows take that are not written yet.
    pub(super) const fn unwritten_bytes(&self) -> usize {
        self.unwritten_bytes
    }

    /// Takes the rows that are not written yet, to write them now. They are sorted by id, so that
    /// neighbours in the index are written together.
    pub(super) fn take_unwritten(&mut self) -> Vec<Changed> {
        self.unwritten_bytes = 0;
        let unwritten = std::mem::take(&mut self.unwritten).into_iter();
        let mut rows: Vec<_> = unwritten
            .map(|(id, positions)| self.changed(id, positions))
            .collect();
        rows.sort_unstable_by_key(|row| row.id);
        rows
    }

    /// A row as it is to be written. From now on its size is known.
    fn changed(&mut self, id: Uuid, positions: Vec<i64>) -> Changed {
        let cached = self.cached.peek_mut(&id);
        let row = cached
            .as_ref()
            .and_then(|it| it.row.as_ref().ok()?.as_ref());
        let position = positions.last().copied().unwrap_or_default();
        let row = catch_panic("fold", || StoredRow::new::<M>(id, row, position));
        let row = row.and_then(|row| row.map_err(|error| error.to_string()));
        if let (Some(cached), Ok(row)) = (cached, &row) {
            let size = size_of::<Cached<M>>() + row.size();
            self.bytes = self.bytes + size - cached.size;
            cached.size = size;
        }
        Changed { id, positions, row }
    }

    /// Removes the least recently used rows until at most `rows_max` are left, which take about `bytes_max` at most. All
    /// rows must be written.
    pub(super) fn evict(&mut self, rows_max: usize, bytes_max: usize) {
        while self.cached.len() > rows_max || self.bytes > bytes_max {
            let Some((_, removed)) = self.cached.pop_lru() else {
                break;
            };
            self.bytes -= removed.size;
        }
    }
}

/// Why a stored row cannot be used.
pub(super) enum RowError {
    /// It cannot be read, for this reason.
    Unreadable(String),
    /// It is not what this build would have written, so another one has. What this one does not know of the row would be
    /// lost when it writes it.
    Newer,
}

/// A row as it is stored.
pub(super) fn read_row<M: ReadModel>(stored: &StoredRow) -> Result<M::Row, RowError> {
    let unreadable = |error| RowError::Unreadable(format!("the row cannot be read: {error}"));
    let document = stored.document.as_deref().unwrap_or_default();
    let row = serde_json::from_str(document).map_err(unreadable)?;
    if storage::document(&row).map_err(unreadable)? == document {
        Ok(row)
    } else {
        Err(RowError::Newer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tally;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn rows_leave_the_cache_when_they_are_too_large_together() {
        let mut rows = Rows::<Tally>::new();
        for number in 0..4 {
            rows.insert_stored(id(number), Ok(None), 1_000);
        }
        rows.evict(3, usize::MAX);
        let kept = |rows: &Rows<Tally>| (0..4).filter(|it| rows.contains(id(*it))).count();
        assert_eq!(kept(&rows), 3);
        rows.evict(3, 2 * (1_000 + size_of::<Cached<Tally>>()));
        assert_eq!(kept(&rows), 2);
        rows.forget(id(3));
        rows.evict(3, 1_000 + size_of::<Cached<Tally>>());
        assert_eq!(kept(&rows), 1, "what was forgotten takes no memory");
    }

    #[test]
    fn a_row_that_is_not_written_is_as_large_as_the_events_that_changed_it() {
        let mut rows = Rows::<Tally>::new();
        for position in 1..=3 {
            rows.change(id(1), None, position, 1_000);
        }
        let estimated = 3_000 + size_of::<Cached<Tally>>();
        assert_eq!(rows.unwritten_bytes(), estimated);
        assert_eq!(rows.bytes, estimated);
        assert_eq!(rows.take_unwritten().len(), 1);
        assert_eq!(rows.unwritten_bytes(), 0);
        assert!(rows.bytes < 1_000, "its size is known once it is written");
    }
}
