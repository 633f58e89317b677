//! What a read model is: a pure fold of the log into rows.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemark_events::{DecodeError, Event, Recorded};
use uuid::Uuid;

/// Which events a read model folds. Others are skipped by their headers alone.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// These types.
    Types(&'static [&'static str]),
    /// Every event, known to this build or not; payloads are not parsed.
    Headers,
}

/// An event as a fold sees it.
#[derive(Clone, Debug)]
pub struct Fact<'a> {
    /// As it stands in the log.
    pub recorded: &'a Recorded,
    /// What it says; none where headers alone are wanted.
    pub event: Option<Event>,
}

/// A pure fold of the log into rows, each a JSON document under a UUID.
///
/// Nothing but the event and the row may decide: no clock, no other row, no order of a map. So a
/// rebuild gives the same rows.
pub trait ReadModel: Send + Sync + 'static {
    /// The name in checkpoints, leases, metrics and Redis keys. Its table is `{NAME}_rows`.
    const NAME: &'static str;
    /// What it folds.
    const WANTED: Wanted;
    /// Whether its documents are kept in Redis too.
    const HOT: bool;

    /// The document.
    type Row: Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync;

    /// The rows that an event touches: few, and computable from the event alone.
    fn keys(fact: &Fact<'_>) -> Vec<Uuid>;

    /// The row after the event; `None` if there is none any more. Called once a key.
    fn fold(key: Uuid, row: Option<Self::Row>, fact: &Fact<'_>) -> Option<Self::Row>;
}

impl Wanted {
    /// The types, if only some are wanted.
    #[must_use]
    pub const fn types(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Types(types) => Some(types),
            Self::Headers => None,
        }
    }

    /// The event as a fold wants it; `None` if the fold does not want it.
    ///
    /// # Errors
    /// If the payload is wanted and cannot be read.
    pub fn fact(self, recorded: &Recorded) -> Result<Option<Fact<'_>>, DecodeError> {
        let event = match self {
            Self::Headers => None,
            Self::Types(types) if types.contains(&recorded.event_type.as_str()) => {
                Some(recorded.decode()?)
            }
            Self::Types(_) => return Ok(None),
        };
        Ok(Some(Fact { recorded, event }))
    }
}
