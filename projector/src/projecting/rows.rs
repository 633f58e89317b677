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
    cached: LruCache<Uuid, Stored<M>>,
    /// The rows that are not written yet, each with the positions of the events that touched it.
    unwritten: HashMap<Uuid, Vec<i64>>,
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
            unwritten: HashMap::new(),
        }
    }

    /// Whether it is known which row an id has, if any.
    pub(super) fn contains(&self, id: Uuid) -> bool {
        self.cached.contains(&id)
    }

    /// Adds a row as Postgres has it.
    pub(super) fn insert_stored(&mut self, id: Uuid, row: Stored<M>) {
        self.cached.put(id, row);
    }

    /// The row with an id that is in the cache; none if there is no such row.
    pub(super) fn get(&self, id: Uuid) -> Stored<M> {
        self.cached.peek(&id).cloned().unwrap_or(Ok(None))
    }

    /// Sets the row as it is after the event at `position`; `None` removes it.
    pub(super) fn change(&mut self, id: Uuid, row: Option<M::Row>, position: i64) {
        self.cached.put(id, Ok(row));
        self.unwritten.entry(id).or_default().push(position);
    }

    /// Forgets a row.
    pub(super) fn forget(&mut self, id: Uuid) {
        self.cached.pop(&id);
    }

    /// The number of rows that are not written yet.
    pub(super) fn unwritten(&self) -> usize {
        self.unwritten.len()
    }

    /// Takes the rows that are not written yet, to write them now. They are sorted by id, so that
    /// neighbours in the index are written together.
    pub(super) fn take_unwritten(&mut self) -> Vec<Changed> {
        let changed = |(id, positions): (_, Vec<i64>)| {
            let row = self
                .cached
                .peek(&id)
                .and_then(|row| row.as_ref().ok()?.as_ref());
            let position = positions.last().copied().unwrap_or_default();
            let row = catch_panic("fold", || StoredRow::new::<M>(id, row, position));
            let row = row.and_then(|row| row.map_err(|error| error.to_string()));
            Changed { id, positions, row }
        };
        let mut rows: Vec<_> = self.unwritten.drain().map(changed).collect();
        rows.sort_unstable_by_key(|row| row.id);
        rows
    }

    /// Removes the least recently used rows until `kept_max` are left. All rows must be written.
    pub(super) fn evict(&mut self, kept_max: usize) {
        while self.cached.len() > kept_max {
            self.cached.pop_lru();
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
