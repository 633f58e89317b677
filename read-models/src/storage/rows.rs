//! What is read from the storage and written to it: rows, batches of rows, what is parked, and the checkpoint.

use serde::Serialize;
use tidemark_events::LogPoint;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Column, ReadModel};

/// How JSON writes the null character.
const NULL_ESCAPE: &str = r"\u0000";

/// The document of a row. A text of an event may hold a null character, which Postgres cannot read from a document;
/// in its place stands the character for what cannot be shown.
///
/// # Errors
/// If the row cannot be written as JSON.
pub fn document(row: &impl Serialize) -> serde_json::Result<String> {
    let json = serde_json::to_string(row)?;
    if !json.contains(NULL_ESCAPE) {
        return Ok(json);
    }
    let mut document = String::with_capacity(json.len());
    let mut rest = &*json;
    // Only an escape begins with a backslash, and a backslash itself is written as one.
    while let Some((before, escape)) = rest.find('\\').map(|at| rest.split_at(at)) {
        document.push_str(before);
        rest = if let Some(rest) = escape.strip_prefix(NULL_ESCAPE) {
            document.push(char::REPLACEMENT_CHARACTER);
            rest
        } else {
            let (escape, rest) = escape.split_at(2);
            document.push_str(escape);
            rest
        };
    }
    document.push_str(rest);
    Ok(document)
}

/// A row as it is stored after some events.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredRow {
    /// The id of the row.
    pub id: Uuid,
    /// The document as JSON text; none if the row was removed.
    #[sqlx(rename = "doc")]
    pub document: Option<String>,
    /// The position of the last event that changed the row.
    pub position: i64,
    /// The other columns, to be written. A row that was read has none.
    #[sqlx(skip)]
    pub columns: Vec<Column>,
}

impl StoredRow {
    /// The row of a read model as it is stored after the event at `position`; none removes it.
    ///
    /// # Errors
    /// If the row cannot be written as JSON.
    pub fn new<M: ReadModel>(
        id: Uuid,
        row: Option<&M::Row>,
        position: i64,
    ) -> serde_json::Result<Self> {
        Ok(Self {
            id,
            document: row.map(document).transpose()?,
            position,
            columns: row.map(M::columns).unwrap_or_default(),
        })
    }

    /// A row without its document.
    #[must_use]
    pub const fn removed(id: Uuid, position: i64) -> Self {
        Self {
            id,
            document: None,
            position,
            columns: Vec::new(),
        }
    }

    /// About how much memory it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + self.document.as_ref().map_or(0, String::len)
            + self.columns.iter().map(Column::size).sum::<usize>()
    }
}

/// The rows that the events after `from` up to `to` changed. They are written together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowBatch {
    /// The checkpoint before the write.
    pub from: LogPoint,
    /// The checkpoint after the write.
    pub to: LogPoint,
    /// The rows that changed, each once.
    pub rows: Vec<StoredRow>,
    /// What is parked, and what is parked no longer.
    pub parked: Parked,
}

impl RowBatch {
    /// What changes no row, and leaves the checkpoint where it is. To write it says that nothing is blocked there.
    #[must_use]
    pub fn empty(at: LogPoint) -> Self {
        Self {
            from: at,
            to: at,
            rows: Vec::new(),
            parked: Parked::default(),
        }
    }
}

/// What of an event could not be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum ParkedKind {
    /// The row that follows from it cannot be made, or Postgres refuses it.
    Row,
    /// The event itself cannot be read. Its stream or its id tells which row it is about, or the stream waits.
    Stream,
}

/// A row that is parked from an event on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedRow {
    /// The id of the row.
    pub id: Uuid,
    /// What could not be applied.
    pub kind: ParkedKind,
    /// The first event that the row lacks.
    pub position: i64,
    /// Why that event cannot be applied to the row.
    pub reason: String,
}

/// What a batch changes of what is parked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parked {
    /// Rows that were not parked before.
    pub rows: Vec<ParkedRow>,
    /// Events that wait from now on, each with the row that it waits for.
    pub events: Vec<(Uuid, i64)>,
    /// Rows that have all their events now. Nothing waits for them any more.
    pub released: Vec<Uuid>,
    /// What operators have ordered about rows that are parked here or not.
    pub ordered: Vec<Ordered>,
}

/// An operator's order to try a parked row again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// The id of the row.
    pub id: Uuid,
    /// The event that the row is to do without, if any.
    pub without: Option<i64>,
}

/// A parked row that another build than this one tried last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untried {
    /// The id of the row.
    pub id: Uuid,
    /// The first event that the row lacks.
    pub position: i64,
}

impl ParkedKind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Stream => "stream",
        }
    }
}

impl Parked {
    pub(super) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.events.is_empty()
            && self.released.is_empty()
            && self.ordered.is_empty()
    }
}

/// How far a shard has applied the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The point up to which all events are in the rows of the shard, or wait for a parked row.
    pub point: LogPoint,
    /// The timeline of the log at the last write.
    pub timeline: i32,
    /// Whether the log holds that point. If not, the rows are of another timeline.
    pub is_in_log: bool,
    /// Whether it is stored that nothing after that point can be applied, or that the log did not hold it.
    pub is_blocked: bool,
    /// The checkpoint of the last write that removed a row, or wrote one that had been parked. A copy of the rows as of this checkpoint or a later
    /// one is brought up to date by the rows that changed since. An older copy must be read anew, because a
    /// removed row leaves no trace.
    pub last_removal: i64,
    /// Whether the generation is built, and does not serve yet.
    pub is_building: bool,
    /// How many events the shard may apply in a second while its generation is built; `None` if as many as it can.
    pub throttle: Option<i32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_holds_no_null_character() {
        for (text, expected) in [
            ("plain", r#""plain""#),
            ("\0a\0\0", "\"\u{fffd}a\u{fffd}\u{fffd}\""),
            (r"\u0000", r#""\\u0000""#),
            ("\\\0\"", "\"\\\\\u{fffd}\\\"\""),
        ] {
            assert_eq!(document(&text).unwrap(), expected);
        }
    }
}
