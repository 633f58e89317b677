//! The states of all aggregates behind one type, and as text. What a state holds is up to its aggregate.

use std::any::Any;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemark_events::{AggregateEvent, Event};

/// The state of one stream: what its events add up to, as far as some command reads it.
pub trait AggregateState:
    Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The events of the aggregate.
    type Event: AggregateEvent;

    /// The state of a stream that has no events, or whose events are another aggregate's.
    const NONE: &'static Self;

    /// The version of the state's shape and meaning. Raise it whenever one of them changes, so that
    /// snapshots of the state before the change are not used any more.
    const STATE_VERSION: i16;

    /// Applies one event. It never fails and checks no rule, because what is in the log has happened.
    fn evolve(&mut self, event: &Self::Event);

    /// The approximate number of bytes that the state occupies besides the struct itself, by which
    /// caches are bounded.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// An [`AggregateState`] whose type is not known at compile time.
pub(crate) trait AnyState: Send + Sync {
    /// Applies one event. An event of another aggregate changes nothing.
    fn evolve(&mut self, event: &Event);
    /// A copy of the state.
    fn copy(&self) -> Box<dyn AnyState>;
    /// The approximate number of bytes that the state occupies.
    fn bytes(&self) -> usize;
    /// Supports the downcast of [`LoadedStream::state`](crate::LoadedStream::state).
    fn as_any(&self) -> &dyn Any;
    /// Supports [`LoadedStream::snapshot`](crate::LoadedStream::snapshot).
    fn snapshot(&self) -> serde_json::Result<StateSnapshot>;
}

/// Turns an [`AggregateState`] into an [`AnyState`].
#[derive(Debug)]
pub(crate) struct StateOf<A>(pub(crate) A);

impl<A: AggregateState> AnyState for StateOf<A> {
    fn copy(&self) -> Box<dyn AnyState> {
        Box::new(Self(self.0.clone()))
    }

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

/// A state as text, from which a stream is loaded without all the events that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSnapshot {
    /// The [`AggregateState::STATE_VERSION`] of the build that wrote the snapshot.
    pub state_version: i16,
    /// The state as JSON text.
    pub state: String,
}

impl StateSnapshot {
    /// The state, unless a build with another state version wrote it or it cannot be read.
    pub(crate) fn restore<A: AggregateState>(&self) -> Option<Box<dyn AnyState>> {
        let state = (self.state_version == A::STATE_VERSION)
            .then(|| serde_json::from_str::<A>(&self.state).ok())?;
        Some(Box::new(StateOf(state?)))
    }
}

#[cfg(test)]
mod tests;
