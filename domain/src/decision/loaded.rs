//! A stream that was folded into its state. How the first event chooses the state is the registry's.

use std::fmt;

use tidemark_events::Timestamp;

use crate::decision::state::{AggregateState, AnyState, StateSnapshot};

/// A stream as it is known right now. The default is one without events.
#[derive(Default)]
pub struct Loaded {
    /// Of its last event; 0 where there is none.
    pub version: i64,
    /// When its last event was taken.
    pub last_at: Option<Timestamp>,
    pub(crate) state: Option<Box<dyn AnyState>>,
}

impl Loaded {
    /// Its state, to keep; none without events.
    ///
    /// # Errors
    /// Only if a state cannot be written as JSON, which none of ours is.
    pub fn snapshot(&self) -> serde_json::Result<Option<StateSnapshot>> {
        self.state
            .as_ref()
            .map(|state| state.snapshot())
            .transpose()
    }

    /// Bytes held, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.state.as_ref().map_or(0, |state| state.bytes())
    }

    /// The state, as an `A`; of a stream without events or of another aggregate, that of none.
    #[must_use]
    pub fn state<A: AggregateState>(&self) -> &A {
        let state = self
            .state
            .as_ref()
            .and_then(|state| state.as_any().downcast_ref());
        state.unwrap_or(A::NONE)
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("version", &self.version)
            .field("last_at", &self.last_at)
            .finish_non_exhaustive()
    }
}
