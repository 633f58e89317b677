//! A stream while it is read, page by page.

use tidemark_domain::{LoadedStream, StateSnapshot};
use tidemark_event_store::{PageLimits, StatePart};
use tidemark_events::Aggregate;

use crate::error::Error;

/// How many events one query reads at most of all its streams together, if these are fewer.
const EVENTS_MAX: i64 = 16_384;
/// How much their data and snapshots may hold together, besides the last event of each stream.
const BYTES_MAX: i64 = 8 * 1024 * 1024;

/// What each of so many streams may have of one query, so that no query takes long.
pub(super) fn limits(streams: usize) -> PageLimits {
    let streams = i64::try_from(streams).unwrap_or(i64::MAX).max(1);
    PageLimits {
        events: (EVENTS_MAX / streams).max(1),
        bytes: (BYTES_MAX / streams).max(1),
    }
}

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
    limits: PageLimits,
    /// How much the page has so far.
    events: i64,
    bytes: i64,
    /// Whether the snapshot is of a build with another form of the state: the events after it are of no use.
    is_unreadable: bool,
}

impl Page {
    /// The first page of a stream that has not begun, or the next one.
    pub(super) fn of(begun: Option<FoldedStream>, limits: PageLimits) -> Self {
        Self {
            stream: begun.unwrap_or_else(|| LoadedStream::default().into()),
            limits,
            events: 0,
            bytes: 0,
            is_unreadable: false,
        }
    }

    /// Adds the snapshot or the next event. Once an event cannot be decoded by this build there is no state.
    pub(super) fn add(&mut self, part: &StatePart) {
        self.bytes += i64::try_from(part.data.len()).unwrap_or(i64::MAX);
        self.events += i64::from(part.event_type.is_some());
        if self.is_unreadable {
            return;
        }
        match (part.decode(), &mut self.stream.loaded) {
            (None, _) => match restore(part) {
                Some(loaded) => self.stream = loaded.into(),
                None => self.is_unreadable = true,
            },
            (Some(Ok(event)), Ok(loaded)) => loaded.apply(&event, part.recorded_at),
            (Some(Err(error)), loaded @ Ok(_)) => *loaded = Err(error.into()),
            (Some(_), Err(_)) => {}
        }
    }

    /// Whether no further page is needed. A stream with an unreadable snapshot goes on from its beginning.
    pub(super) const fn is_last(&self) -> bool {
        let is_full = self.events >= self.limits.events || self.bytes >= self.limits.bytes;
        !self.is_unreadable && (!is_full || self.stream.loaded.is_err())
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
