//! What a read model is: a pure fold of the log into rows.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemark_events::{AggregateEvent, DecodeError, Event, Recorded};
use uuid::Uuid;

use crate::{Column, Search};

/// The events that a read model folds. All others are skipped without decoding them.
#[derive(Clone, Copy, Debug)]
pub enum EventFilter {
    /// The events of these stored types, decoded.
    Types(&'static [&'static str]),
    /// Every event, including types that this build does not know. None is decoded: the fold sees
    /// positions, types and metadata, but no data.
    AllHeaders,
}

/// An event as a fold sees it.
#[derive(Clone, Debug)]
pub struct FoldInput<'a> {
    /// The event as it stands in the log.
    pub recorded: &'a Recorded,
    /// The decoded event; none under [`EventFilter::AllHeaders`].
    pub event: Option<Event>,
}

/// Which row an event is about that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOf {
    /// The row with the id of the event's stream, because each row takes the events of one stream.
    Stream,
    /// The row with the id of the event, because each row takes one event.
    Event,
    /// It depends on the event's data. If that cannot be read, the event's stream waits, and everything else goes on. So
    /// rows must come out the same in whatever order the events of different streams are applied to them.
    Data,
}

/// A pure fold of the log into rows, each a JSON document under a UUID.
///
/// A fold may use the event and the row and nothing else: no clock, no other row, no iteration order
/// of a map. That is why a rebuild gives the same rows.
pub trait ReadModel: Send + Sync + 'static {
    /// The name in checkpoints, leases, metrics and Redis keys. The table is `{NAME}_rows`.
    const NAME: &'static str;
    /// The version of the fold. It rises with each change after which the same events make other rows or
    /// columns.
    const FOLD_VERSION: i32;
    /// The events that it folds.
    const EVENTS: EventFilter;
    /// Which row an event is about.
    const ROW_OF: RowOf;
    /// Whether its documents are kept in Redis too, because they are read very often.
    const IN_REDIS: bool;

    /// The row, stored as a JSON document.
    type Row: Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync;

    /// A column `search` that Postgres makes of [`columns`](Self::columns), if the table has one.
    const SEARCH: Option<Search> = None;

    /// The columns of the table beside the document, always the same ones in the same order. Whatever an event may hold,
    /// Postgres must take them.
    fn columns(_row: &Self::Row) -> Vec<Column> {
        Vec::new()
    }

    /// The ids of the rows that an event changes: few, and computed from the event alone.
    fn keys(input: &FoldInput<'_>) -> Vec<Uuid>;

    /// The row `key` after the event; `None` removes the row. It is called once for each of
    /// [`keys`](Self::keys).
    fn fold(key: Uuid, row: Option<Self::Row>, input: &FoldInput<'_>) -> Option<Self::Row>;
}

impl EventFilter {
    /// The stored types, unless the filter lets every event through.
    #[must_use]
    pub const fn types(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Types(types) => Some(types),
            Self::AllHeaders => None,
        }
    }

    /// What a fold with this filter gets to see of the event; `None` if it folds no such events.
    ///
    /// # Errors
    /// If the event must be decoded and this build cannot read it.
    pub fn fold_input(self, recorded: &Recorded) -> Result<Option<FoldInput<'_>>, DecodeError> {
        let event = match self {
            Self::AllHeaders => None,
            Self::Types(types) if types.contains(&recorded.event_type.as_str()) => {
                Some(recorded.decode()?)
            }
            Self::Types(_) => return Ok(None),
        };
        Ok(Some(FoldInput { recorded, event }))
    }
}

impl RowOf {
    /// The id of the row that an event is about; `None` if only its data tells.
    #[must_use]
    pub const fn id(self, recorded: &Recorded) -> Option<Uuid> {
        match self {
            Self::Stream => Some(recorded.stream_id),
            Self::Event => Some(recorded.event_id),
            Self::Data => None,
        }
    }
}

impl FoldInput<'_> {
    /// The decoded event, if it is one of the aggregate whose events are `E`.
    #[must_use]
    pub fn event_of<E: AggregateEvent>(&self) -> Option<&E> {
        self.event.as_ref().and_then(E::from_event)
    }
}
