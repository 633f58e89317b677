//! The shape of every decision: aggregates evolve, commands decide on a view and write.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemark_events::{Actor, Aggregate as Kind, AggregateEvent, Event, Timestamp};
use uuid::Uuid;

use crate::state::{Kept, State};
use crate::{Claim, Error, registry};

/// The state of one stream, as far as some command reads it.
pub trait Aggregate: Default + Serialize + DeserializeOwned + Send + Sync + 'static {
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

/// An intent: decides, on what the view shows, which facts follow.
pub trait Command: Send + Sync + 'static {
    /// The name in permissions, metrics and logs, such as `place_bid`.
    fn name(&self) -> &'static str;

    /// The writes that follow, in order.
    ///
    /// # Errors
    /// [`Stop::Load`] if the view lacks something, [`Stop::Refused`] if a rule says no.
    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop>;
}

/// What a decision writes.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Appends a fact to a stream.
    Event(Uuid, Event),
    /// Takes a claim for a stream.
    Claim(Claim, Uuid),
    /// Gives a claim back.
    Release(Claim),
}

impl Write {
    /// A fact of stream `id`.
    pub fn event(id: Uuid, event: impl Into<Event>) -> Self {
        Self::Event(id, event.into())
    }
}

/// Why a decision did not come to writes.
#[derive(Debug)]
pub enum Stop {
    /// Something must be loaded first; then decide again.
    Load(Load),
    /// A rule says no.
    Refused(Error),
}

/// Something that a decision rests on and the view does not have yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Load {
    /// A stream.
    Stream(Uuid),
    /// The owner of a claim.
    Claim(Claim),
}

/// A stream as it is known right now. The default is one without events.
#[derive(Default)]
pub struct Loaded {
    /// Of its last event; 0 where there is none.
    pub version: i64,
    /// When its last event was taken.
    pub last_at: Option<Timestamp>,
    state: Option<Box<dyn State>>,
}

impl Loaded {
    /// A stream of that aggregate as it was kept after its event number `version`; none if this build
    /// cannot go on from there.
    #[must_use]
    pub fn restore(kind: Kind, kept: &Kept, version: i64, last_at: Timestamp) -> Option<Self> {
        Some(Self {
            version,
            last_at: Some(last_at),
            state: Some((registry::of(kind).restore)(kept)?),
        })
    }

    /// Its state, to keep; none without events.
    ///
    /// # Errors
    /// Only if a state cannot be written as JSON, which none of ours is.
    pub fn keep(&self) -> serde_json::Result<Option<Kept>> {
        self.state.as_ref().map(|state| state.keep()).transpose()
    }

    /// Takes the stream's next event in. The first one says of which aggregate the stream is.
    pub fn apply(&mut self, event: &Event, at: Timestamp) {
        let empty = || (registry::of(event.aggregate()).empty)();
        self.state.get_or_insert_with(empty).evolve(event);
        self.version += 1;
        self.last_at = Some(at);
    }

    /// Bytes held, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.state.as_ref().map_or(0, |state| state.bytes())
    }

    /// The state, as an `A`; of a stream without events or of another aggregate, that of none.
    #[must_use]
    pub fn state<A: Aggregate>(&self) -> &A {
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

/// What is known: the executor's cache, or a test's givens.
pub trait States {
    /// The stream, if it is loaded.
    fn stream(&self, id: Uuid) -> Option<&Loaded>;
    /// The owner of the claim, if that is loaded: `Some(None)` says that nobody has it.
    fn owner(&self, claim: &Claim) -> Option<Option<Uuid>>;
}

/// What a decision rested on. The append checks that none of it has moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Versions of the streams read.
    pub streams: BTreeMap<Uuid, i64>,
    /// Owners of the claims read.
    pub claims: BTreeMap<Claim, Option<Uuid>>,
}

/// What a command sees. Whatever it looks at is noted, so that the append can check it.
pub struct View<'a> {
    states: &'a dyn States,
    actor: &'a Actor,
    now: Cell<Timestamp>,
    reads: RefCell<Reads>,
}

impl<'a> View<'a> {
    /// A view of `states` for `actor` at `now`.
    #[must_use]
    pub fn new(states: &'a dyn States, actor: &'a Actor, now: Timestamp) -> Self {
        Self {
            states,
            actor,
            now: Cell::new(now),
            reads: RefCell::default(),
        }
    }

    /// The state of a stream; the default where it has no events or is of another aggregate.
    ///
    /// # Errors
    /// [`Stop::Load`] if it is not loaded.
    pub fn get<A: Aggregate>(&self, id: Uuid) -> Result<&'a A, Stop> {
        let loaded = self.states.stream(id).ok_or(Stop::Load(Load::Stream(id)))?;
        self.reads.borrow_mut().streams.insert(id, loaded.version);
        if let Some(last_at) = loaded.last_at {
            self.now.set(self.now.get().max(last_at));
        }
        Ok(loaded.state())
    }

    /// The stream that owns a claim.
    ///
    /// # Errors
    /// [`Stop::Load`] if that is not loaded.
    pub fn owner(&self, claim: &Claim) -> Result<Option<Uuid>, Stop> {
        let owner = self
            .states
            .owner(claim)
            .ok_or_else(|| Stop::Load(Load::Claim(claim.clone())))?;
        self.reads.borrow_mut().claims.insert(claim.clone(), owner);
        Ok(owner)
    }

    /// Who wants it.
    #[must_use]
    pub const fn actor(&self) -> &'a Actor {
        self.actor
    }

    /// The moment of the decision: never before the last event of a stream looked at so far, so
    /// ask after looking.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now.get()
    }

    /// What was looked at.
    #[must_use]
    pub fn into_reads(self) -> Reads {
        self.reads.into_inner()
    }
}
