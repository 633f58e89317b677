//! States of any aggregate behind one type, and as text. What they mean is each aggregate's.

use std::any::Any;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemark_events::{AggregateEvent, Event};

/// The state of one stream, as far as some command reads it.
pub trait AggregateState: Default + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its facts.
    type Event: AggregateEvent;

    /// The state of a stream that has no events, or another aggregate's.
    const NONE: &'static Self;

    /// Another number for every other shape or meaning of the state: states that were kept under
    /// another are not used.
    const STATE_VERSION: i16;

    /// Takes one fact in. Never fails and holds no rule: what is in the log has happened.
    fn evolve(&mut self, event: &Self::Event);

    /// Bytes held outside the struct itself, roughly; caches are bounded by it.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// An [`AggregateState`] of any type.
pub(crate) trait AnyState: Send + Sync {
    /// Takes one fact in. Another aggregate's facts are not of this state and change nothing.
    fn evolve(&mut self, event: &Event);
    /// Bytes held, roughly.
    fn bytes(&self) -> usize;
    /// For [`Loaded::state`](crate::Loaded::state).
    fn as_any(&self) -> &dyn Any;
    /// For [`Loaded::snapshot`](crate::Loaded::snapshot).
    fn snapshot(&self) -> serde_json::Result<StateSnapshot>;
}

/// Makes a [`AnyState`] of an [`AggregateState`].
#[derive(Debug)]
pub(crate) struct StateOf<A>(pub(crate) A);

impl<A: AggregateState> AnyState for StateOf<A> {
    fn evolve(&mut self, event: &Event) {
        if let Some(event) = A::Event::from_event(event) {
            self.0.evolve(event);
        }
    }

    fn bytes(&self) -> usize {
        size_of::<A>() + self.0.heap_bytes()
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }

    fn snapshot(&self) -> serde_json::Result<StateSnapshot> {
        Ok(StateSnapshot {
            state_version: A::STATE_VERSION,
            state: serde_json::to_string(&self.0)?,
        })
    }
}

/// A state as text, to go on from instead of the events that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSnapshot {
    /// The [`AggregateState::STATE_VERSION`] of the build that kept it.
    pub state_version: i16,
    /// JSON.
    pub state: String,
}

impl StateSnapshot {
    /// The state again, unless it was another build's or is not readable.
    pub(crate) fn restore<A: AggregateState>(&self) -> Option<Box<dyn AnyState>> {
        let state = (self.state_version == A::STATE_VERSION)
            .then(|| serde_json::from_str::<A>(&self.state).ok())?;
        Some(Box::new(StateOf(state?)))
    }
}

#[cfg(test)]
mod tests;
