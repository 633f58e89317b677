//! The rows that a worker has in memory, and which of them are not written yet. No I/O.

use std::collections::HashMap;

use lru::LruCache;
use tidemark_read_models::ReadModel;
use tidemark_read_models::storage::Document;
use uuid::Uuid;

/// Rows, and rows that are known to be missing.
pub(super) struct Rows<M: ReadModel> {
    known: LruCache<Uuid, Option<M::Row>>,
    /// The last event that touched each row since it was written.
    changed: HashMap<Uuid, i64>,
}

impl<M: ReadModel> Rows<M> {
    pub(super) fn new() -> Self {
        Self {
            known: LruCache::unbounded(),
            changed: HashMap::new(),
        }
    }

    pub(super) fn knows(&self, id: Uuid) -> bool {
        self.known.contains(&id)
    }

    /// A row as it is written; none where it is missing.
    pub(super) fn learn(&mut self, id: Uuid, row: Option<M::Row>) {
        self.known.put(id, row);
    }

    /// A row that is known.
    pub(super) fn get(&self, id: Uuid) -> Option<M::Row> {
        self.known.peek(&id).cloned().flatten()
    }

    /// The row after the event at that position.
    pub(super) fn change(&mut self, id: Uuid, row: Option<M::Row>, position: i64) {
        self.known.put(id, row);
        self.changed.insert(id, position);
    }

    /// How many rows are not written.
    pub(super) fn changed(&self) -> usize {
        self.changed.len()
    }

    /// The rows that are not written, which are from now on. By id: neighbours are written together.
    pub(super) fn take_changes(&mut self) -> serde_json::Result<Vec<Document>> {
        let document = |(id, position)| {
            let row = self.known.peek(&id).and_then(Option::as_ref);
            let doc = row.map(serde_json::to_string).transpose()?;
            Ok(Document { id, doc, position })
        };
        let documents: serde_json::Result<Vec<_>> = self.changed.drain().map(document).collect();
        let mut documents = documents?;
        documents.sort_unstable_by_key(|document| document.id);
        Ok(documents)
    }

    /// Keeps so many of the rows, all of which are written.
    pub(super) fn forget_oldest(&mut self, kept: usize) {
        while self.known.len() > kept {
            self.known.pop_lru();
        }
    }
}
