//! The shape of every decision: aggregates evolve, commands decide on a view and write.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
};

use tidemark_events::{Actor, AggregateEvent, Event, Timestamp};
use uuid::Uuid;

use crate::{Claim, Error, registry};

/// The state of one stream, as far as some command reads it.
pub trait Aggregate: Default + Send + Sync + 'static {
    /// Its facts.
    type Event: AggregateEvent;

    /// The state of a stream that has no events, or another aggregate's.
    const NONE: &'static Self;

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
#[derive(Debug)]
pub enum Load {
    /// A stream.
    Stream(Uuid),
    /// The owner of a claim.
    Claim(Claim),
}

/// An [`Aggregate`] of any type.
pub(crate) trait State: Send + Sync {
    /// Takes one fact in. Another aggregate's facts are not of this state and change nothing.
    fn evolve(&mut self, event: &Event);
    /// Bytes held, roughly.
    fn bytes(&self) -> usize;
    /// For [`View::get`].
    fn as_any(&self) -> &dyn Any;
}

/// Makes a [`State`] of an [`Aggregate`].
#[derive(Debug)]
pub(crate) struct StateOf<A>(pub(crate) A);

impl<A: Aggregate> State for StateOf<A> {
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
    /// Takes the stream's next event in. The first one says of which aggregate the stream is.
    pub fn apply(&mut self, event: &Event, at: Timestamp) {
        let empty = || registry::empty(event.aggregate());
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
