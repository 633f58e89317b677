//! A stream that was folded into its state. The registry says which type of state that is.

use std::fmt;

use tidemark_events::Timestamp;

use crate::decision::state::{AggregateState, AnyState, StateSnapshot};

/// What is known of a stream. The default is a stream without events.
#[derive(Default)]
pub struct LoadedStream {
    /// The version of the last event; 0 if there is none.
    pub version: i64,
    /// When the last event was recorded; none if there is no event.
    pub last_at: Option<Timestamp>,
    pub(crate) state: Option<Box<dyn AnyState>>,
}

impl LoadedStream {
    /// The state as text; none if the stream has no events.
    ///
    /// # Errors
    /// If the state cannot be written as JSON, which no state of this crate causes.
    pub fn snapshot(&self) -> serde_json::Result<Option<StateSnapshot>> {
        self.state
            .as_ref()
            .map(|state| state.snapshot())
            .transpose()
    }

    /// The approximate number of bytes that the stream occupies in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.state.as_ref().map_or(0, |state| state.bytes())
    }

    /// The state, or [`AggregateState::NONE`] if the stream has no events or is another aggregate's.
    #[must_use]
    pub fn state<A: AggregateState>(&self) -> &A {
        let state = self
            .state
            .as_ref()
            .and_then(|state| state.as_any().downcast_ref());
        state.unwrap_or(A::NONE)
    }
}

impl Clone for LoadedStream {
    fn clone(&self) -> Self {
        Self {
            version: self.version,
            last_at: self.last_at,
            state: self.state.as_ref().map(|state| state.copy()),
        }
    }
}

impl fmt::Debug for LoadedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedStream")
            .field("version", &self.version)
            .field("last_at", &self.last_at)
            .finish_non_exhaustive()
    }
}
