//! A stream while it is read, page by page.

use tidemark_domain::{LoadedStream, StateSnapshot};
use tidemark_event_store::StatePart;
use tidemark_events::Aggregate;

use crate::error::Error;

/// How many events of a stream are read with one query at most.
pub(super) const PAGE_SIZE: i64 = 1_000;

/// A stream while its events are read.
pub(in crate::executor) struct FoldedStream {
    /// The version of the snapshot that reading began with; 0 if there was none.
    pub(super) snapshot_version: i64,
    pub(super) loaded: Result<LoadedStream, Error>,
}

impl From<LoadedStream> for FoldedStream {
    fn from(loaded: LoadedStream) -> Self {
        Self {
            snapshot_version: loaded.version,
            loaded: Ok(loaded),
        }
    }
}

impl FoldedStream {
    /// The version up to which it has been read.
    pub(super) fn version(&self) -> i64 {
        self.loaded.as_ref().map_or(0, |loaded| loaded.version)
    }
}

/// A stream with what the page that is being read has of it.
pub(super) struct Page {
    pub(super) stream: FoldedStream,
    /// How many events the page has so far.
    events: i64,
    /// Whether the snapshot is of a build with another form of the state: the events after it are of no use.
    is_unreadable: bool,
}

impl Page {
    /// The first page of a stream that has not begun, or the next one.
    pub(super) fn of(begun: Option<FoldedStream>) -> Self {
        Self {
            stream: begun.unwrap_or_else(|| LoadedStream::default().into()),
            events: 0,
            is_unreadable: false,
        }
    }

    /// Adds the snapshot or the next event. Once an event cannot be decoded by this build there is no state.
    pub(super) fn add(&mut self, part: &StatePart) {
        if self.is_unreadable {
            return;
        }
        match (part.decode(), &mut self.stream.loaded) {
            (None, _) => match restore(part) {
                Some(loaded) => self.stream = loaded.into(),
                None => self.is_unreadable = true,
            },
            (Some(Ok(event)), Ok(loaded)) => {
                loaded.apply(&event, part.recorded_at);
                self.events += 1;
            }
            (Some(Err(error)), loaded @ Ok(_)) => *loaded = Err(error.into()),
            (Some(_), Err(_)) => {}
        }
    }

    /// Whether the stream has no further page. One with an unreadable snapshot goes on from its beginning.
    pub(super) const fn is_last(&self) -> bool {
        !self.is_unreadable && self.events < PAGE_SIZE
    }
}

/// The state in a snapshot; none if another build made it in a form that this one does not read.
fn restore(snapshot: &StatePart) -> Option<LoadedStream> {
    let aggregate = Aggregate::from_name(&snapshot.aggregate)?;
    let state = StateSnapshot {
        state_version: snapshot.schema_version,
        state: snapshot.data.clone(),
    };
    LoadedStream::from_snapshot(aggregate, &state, snapshot.version, snapshot.recorded_at)
}
