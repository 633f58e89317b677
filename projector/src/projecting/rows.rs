//! The rows that a worker has in memory, and which of them have changed since they were written. No
//! I/O.

use std::collections::HashMap;

use lru::LruCache;
use tidemark_read_models::ReadModel;
use tidemark_read_models::storage::StoredRow;
use uuid::Uuid;

/// A cache of rows, which also remembers ids that have no row.
pub(super) struct Rows<M: ReadModel> {
    cached: LruCache<Uuid, Option<M::Row>>,
    /// The rows that are not written yet, each with the position of the last event that touched it.
    unwritten: HashMap<Uuid, i64>,
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

    /// Adds a row as Postgres has it; `None` if there is no such row.
    pub(super) fn insert_stored(&mut self, id: Uuid, row: Option<M::Row>) {
        self.cached.put(id, row);
    }

    /// The row with an id that is in the cache.
    pub(super) fn get(&self, id: Uuid) -> Option<M::Row> {
        self.cached.peek(&id).cloned().flatten()
    }

    /// Sets the row as it is after the event at `position`; `None` removes it.
    pub(super) fn change(&mut self, id: Uuid, row: Option<M::Row>, position: i64) {
        self.cached.put(id, row);
        self.unwritten.insert(id, position);
    }

    /// The number of rows that are not written yet.
    pub(super) fn unwritten(&self) -> usize {
        self.unwritten.len()
    }

    /// Takes the rows that are not written yet, to write them now. They are sorted by id, so that
    /// neighbours in the index are written together.
    pub(super) fn take_unwritten(&mut self) -> serde_json::Result<Vec<StoredRow>> {
        let stored = |(id, position)| {
            let row = self.cached.peek(&id).and_then(Option::as_ref);
            let document = row.map(serde_json::to_string).transpose()?;
            Ok(StoredRow {
                id,
                document,
                position,
            })
        };
        let rows: serde_json::Result<Vec<_>> = self.unwritten.drain().map(stored).collect();
        let mut rows = rows?;
        rows.sort_unstable_by_key(|row| row.id);
        Ok(rows)
    }

    /// Removes the least recently used rows until `kept_max` are left. All rows must be written.
    pub(super) fn evict(&mut self, kept_max: usize) {
        while self.cached.len() > kept_max {
            self.cached.pop_lru();
        }
    }
}
